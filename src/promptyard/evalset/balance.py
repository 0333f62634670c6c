"""How labels, kinds and tags are spread over the splits."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from promptyard.evalset.findings import Finding, Level
from promptyard.evalset.wording import one_line, some
from promptyard.records.cases import SPLITS, Case, EvalSet, SplitName

MAX_LABELS = 200
_FAR_OFF = 4.0  # standard deviations; with hundreds of strata, 3 happen by chance
_ENOUGH = 3.0  # a stratum that should have fewer cases in a split may miss it by chance


def label_counts(eval_set: EvalSet, split: SplitName) -> Mapping[str, int] | None:
    """Count the labels of one split, most frequent first; None where there are no labels.

    Expectations are labels when they are texts, at most 200 different ones, and each is there
    twice on average in the whole set: what repeats less is free text.
    """
    texts = Counter(case.expected for case in eval_set.cases if isinstance(case.expected, str))
    if not texts or len(texts) > MAX_LABELS or 2 * len(texts) > texts.total():
        return None
    found = (case.expected for case in eval_set.split(split))
    return dict(Counter(label for label in found if isinstance(label, str)).most_common())


def balance_findings(eval_set: EvalSet) -> list[Finding]:
    """Report what a split lacks and what is unevenly spread.

    - `one_label` (error): every case expects the same text, so a prompt that always says it is
      perfect.
    - `label_missing`: labels that a split has not; a warning where its share would be 3 cases or
      more, an info where chance explains it.
    - `stratum_missing` (warning): kinds and tags that a split has not though its share would be 3.
    - `unbalanced` (info): a label, kind or tag more than 4 standard deviations from its share.
    """
    if only := _one_label(eval_set):
        return [only]
    strata = _strata(eval_set)
    findings: list[Finding] = []
    for split in SPLITS:
        n_split = len(eval_set.split(split))
        share = n_split / max(1, len(eval_set.cases))
        if not 0.0 < share < 1.0:
            continue
        findings += _missing_labels(strata, split, share)
        findings += _missing_strata(strata, split, share)
        findings += _unbalanced(strata, split, share)
    return findings


@dataclass
class _Stratum:
    """The cases with one label, kind or tag, counted per split."""

    group: str
    value: str
    counts: Counter[SplitName] = field(default_factory=Counter[SplitName])

    @property
    def name(self) -> str:
        return f"{self.group} '{one_line(self.value)}'"

    @property
    def total(self) -> int:
        return self.counts.total()


def _one_label(eval_set: EvalSet) -> Finding | None:
    texts = {case.expected if isinstance(case.expected, str) else None for case in eval_set.cases}
    only = texts.pop() if len(texts) == 1 else None
    if only is None or len(eval_set.cases) < 2:
        return None
    message = (
        f"every case expects '{one_line(only)}', so a prompt that always says so is perfect; add "
        "cases that expect something else"
    )
    return Finding(level="error", code="one_label", message=message)


def _strata(eval_set: EvalSet) -> list[_Stratum]:
    labelled = label_counts(eval_set, "train") is not None
    found: dict[tuple[str, str], _Stratum] = {}
    for case in eval_set.cases:
        for group, value in _memberships(case, labelled=labelled):
            stratum = found.setdefault((group, value), _Stratum(group, value))
            if case.split is not None:
                stratum.counts[case.split] += 1
    return list(found.values())


def _memberships(case: Case, *, labelled: bool) -> list[tuple[str, str]]:
    members = [("kind", str(case.kind)), *(("tag", tag) for tag in dict.fromkeys(case.tags))]
    if labelled and isinstance(case.expected, str):
        members.append(("label", case.expected))
    return members


def _missing_labels(strata: list[_Stratum], split: SplitName, share: float) -> list[Finding]:
    labels = [item for item in strata if item.group == "label"]
    missing = [item for item in labels if not item.counts[split]]
    if not missing:
        return []
    missing.sort(key=lambda item: -item.total)
    level: Level = "warning" if missing[0].total * share >= _ENOUGH else "info"
    message = (
        f"{split} has no case of {len(missing)} of {len(labels)} labels: "
        f"{some(item.value for item in missing)}"
    )
    return [Finding(level=level, code="label_missing", message=message)]


def _missing_strata(strata: list[_Stratum], split: SplitName, share: float) -> list[Finding]:
    missing = [
        item
        for item in strata
        if item.group != "label" and not item.counts[split] and item.total * share >= _ENOUGH
    ]
    if not missing:
        return []
    message = f"{split} has no case of {some(item.name for item in missing)}"
    return [Finding(level="warning", code="stratum_missing", message=message)]


def _unbalanced(strata: list[_Stratum], split: SplitName, share: float) -> list[Finding]:
    uneven: list[str] = []
    for item in strata:
        expected = item.total * share
        deviation = math.sqrt(expected * (1.0 - share))
        count = item.counts[split]
        if count and expected >= _ENOUGH and abs(count - expected) > _FAR_OFF * deviation:
            uneven.append(f"{item.name} {count} instead of about {expected:.0f}")
    if not uneven:
        return []
    message = f"{split} is not like the whole set: {some(uneven, 3)}"
    return [Finding(level="info", code="unbalanced", message=message)]
