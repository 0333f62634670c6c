"""Failure buckets: failing cases grouped by (tag, field), without asking a model.

A case may show several findings and lies in several buckets; its primary bucket is the first
thing wrong in the order of `TAG_PRIORITY`. On label tasks a bucket of wrong values is split by the
expected label, since the labels are different causes. Source: anchors on evaluation, section 6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from promptyard.records.evidence import Bucket
from promptyard.records.prompts import Program
from promptyard.records.scores import GradedCase, Score
from promptyard.signals.fingerprint import shape
from promptyard.signals.tags import LAST_TAGS, TAG_PRIORITY, UNTAGGED
from promptyard.signals.targets import Failure, target_of
from promptyard.signals.untagged import causes

MOST_SHAPES = 5


def bucket_failures(
    graded: Sequence[GradedCase], program: Program, targets: Mapping[str, str] | None = None
) -> tuple[Bucket, ...]:
    """Group the failing cases of one report; largest bucket first, ties by name.

    `targets` is what the user says of where failures are mended, by tag. Cases that ended in an
    error lie in no bucket: their prompt was not at fault.
    """
    by_id = {item.case.id: item for item in graded}
    members: dict[_Key, list[str]] = {}
    primary: dict[_Key, list[str]] = {}
    hard: set[_Key] = set()
    confused: dict[_Key, Counter[str]] = {}
    shapes: dict[_Key, Counter[str]] = {}
    for item in graded:
        if item.trial.status != "scored" or item.trial.passed:
            continue
        keys: dict[_Key, Score] = {}
        for score in item.trial.scores:
            for key in _keys(item, score):
                keys.setdefault(key, score)
        if not keys:
            continue
        for key, score in keys.items():
            members.setdefault(key, []).append(item.case.id)
            if score.severity == "hard":
                hard.add(key)
            if score.label is not None:
                confused.setdefault(key, Counter())[score.label] += 1
            if _is_free_text(key.tag, score) and (said := shape(score.reason)):
                shapes.setdefault(key, Counter())[said] += 1
        first = min(keys, key=lambda key: (_priority(key.tag), list(keys).index(key)))
        primary.setdefault(first, []).append(item.case.id)
    places = {
        key: target_of(
            program,
            Failure(key.tag, key.field, key.expected),
            [by_id[case_id] for case_id in ids],
            targets,
        )
        for key, ids in members.items()
    }
    buckets = [
        Bucket(
            tag=key.tag,
            field=key.field,
            expected=key.expected,
            note=key.note,
            case_ids=tuple(ids),
            primary_ids=tuple(primary.get(key, ())),
            severity="hard" if key in hard else "soft",
            step=places[key].step,
            target=places[key].section,
            pinned=places[key].pinned,
            by_demos=places[key].by_demos,
            confusions=tuple(confused.get(key, Counter[str]()).most_common(5)),
            shapes=tuple(shapes.get(key, Counter[str]()).most_common(MOST_SHAPES)),
        )
        for key, ids in members.items()
    ]
    return tuple(sorted(buckets, key=lambda b: (-len(b.primary_ids), -len(b.case_ids), b.name)))


class _Key(NamedTuple):
    tag: str
    field: str | None
    expected: str | None = None
    note: str = ""


def _keys(item: GradedCase, score: Score) -> list[_Key]:
    """Return the buckets that a finding falls into; a bare score is read for its causes."""
    named = {tag for found in item.trial.scores for tag in found.tags}
    if named == {UNTAGGED} and score.field is None and score.judge is None:
        found = causes(item.case.expected, item.trial.output, score.reason)
        if found:
            return [_Key(cause.tag, cause.field, None, cause.note) for cause in found]
    return [_key(item, score, tag) for tag in score.tags]


def _key(item: GradedCase, score: Score, tag: str) -> _Key:
    expected = item.case.expected
    splits = tag == "wrong_value" and score.label is not None and isinstance(expected, str)
    return _Key(tag, score.field, expected if splits and isinstance(expected, str) else None)


def _priority(tag: str) -> int:
    known = tag.partition(":")[0]
    if known in LAST_TAGS:
        return len(TAG_PRIORITY) + 1 + LAST_TAGS.index(known)
    return TAG_PRIORITY.index(known) if known in TAG_PRIORITY else len(TAG_PRIORITY)


def _is_free_text(tag: str, score: Score) -> bool:
    """Whether the reason of a finding is written by a judge or a person's code."""
    return score.judge is not None or tag.partition(":")[0] in ("low_score", "rubric")
