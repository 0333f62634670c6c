"""Finds inputs that are there twice: inside a split, across splits, with other expectations."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import cast

from promptyard.evalset.findings import Finding, Level
from promptyard.evalset.wording import some
from promptyard.records.base import Json, canonical_json, content_hash
from promptyard.records.cases import SPLITS, Case, EvalSet

# Punctuation before a digit is part of a number: -5 is not 5, 1.5 is not 1 5, 2-2 is not 2 2.
_MARK = re.compile(r"[^\w\s](?!\d)|_")
_BLANKS = re.compile(r"\s+")


def duplicate_findings(eval_set: EvalSet) -> list[Finding]:
    """Report equal inputs after normalisation.

    - `duplicate` (warning): inside one split; such inputs count twice.
    - `overlap` (warning): in train and in dev, which then looks better than it is.
    - `leak` (error): in the holdout and in train or dev. What was learnt from one case answers the
      other, so the holdout proves nothing on it. Equal expectations make that no better and
      different ones make it no fairer, so they do not change the level.
    - `conflicting_labels` (warning): equal inputs whose expectations differ.
    """
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in eval_set.cases:
        if case.input:
            groups[normalised_input(case.input)].append(case)
    equal = [group for group in groups.values() if len(group) > 1]
    inside = [
        part
        for group in equal
        for split in SPLITS
        if len(part := [case for case in group if case.split == split]) > 1
    ]
    leaks = [group for group in equal if _is_in(group, "holdout") and not _only_in(group)]
    overlaps = [
        [case for case in group if case.split != "holdout"]
        for group in equal
        if _is_in(group, "train") and _is_in(group, "dev")
    ]
    conflicts = [group for group in equal if _conflict(group)]
    return [
        *_finding("error", "leak", leaks, "inputs of the holdout that train or dev has too", _PART),
        *_finding("warning", "overlap", overlaps, "inputs that are in train and in dev", _PART),
        *_finding("warning", "duplicate", inside, "inputs that one split has twice", _REMOVE),
        *_finding(
            "warning",
            "conflicting_labels",
            conflicts,
            "equal inputs with different expectations",
            "no prompt can meet both, so correct or remove one",
        ),
    ]


_PART = "remove one of each pair, or give both the same `cluster`"
_REMOVE = "they count as often as they are there, so remove what is too many"


def normalised_input(values: Mapping[str, Json]) -> str:
    """Hash the input of a case so that trivially different inputs are equal.

    Text is compatibility-normalised (NFKC), case-folded, and runs of white space and punctuation
    become one space; symbols such as + or $ stay, and so does punctuation before a digit.
    """
    return content_hash({name: _normalised(value) for name, value in values.items()})


def normalised_text(text: str) -> str:
    """Normalise one text as `normalised_input` does."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = _BLANKS.sub(" ", _MARK.sub(_blank_punctuation, folded)).strip()
    return words or _BLANKS.sub(" ", folded).strip()  # a text of punctuation only stays itself


def _blank_punctuation(match: re.Match[str]) -> str:
    return " " if unicodedata.category(match[0]).startswith("P") else match[0]


def _normalised(value: Json) -> Json:
    if isinstance(value, str):
        return normalised_text(value)
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Json]", value)
        return {name: _normalised(item) for name, item in items.items()}
    if isinstance(value, list | tuple):
        return [_normalised(item) for item in cast("Sequence[Json]", value)]
    return value


def _is_in(group: Sequence[Case], split: str) -> bool:
    return any(case.split == split for case in group)


def _only_in(group: Sequence[Case]) -> bool:
    return len({case.split for case in group}) == 1


def _conflict(group: Sequence[Case]) -> bool:
    expected = {canonical_json(case.expected) for case in group if case.expected is not None}
    return len(expected) > 1


def _finding(
    level: Level, code: str, groups: Sequence[Sequence[Case]], what: str, remedy: str
) -> list[Finding]:
    if not groups:
        return []
    pairs = [" = ".join(case.id for case in group[:3]) for group in groups]
    ids = tuple(dict.fromkeys(case.id for group in groups for case in group))
    message = f"{what}: {len(groups)} ({some(pairs, 3)}); {remedy}"
    return [Finding(level=level, code=code, message=message, case_ids=ids)]
