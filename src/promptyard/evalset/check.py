"""Says what is wrong with an eval set and what it can show, before any call is paid for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from promptyard.evalset.balance import balance_findings, label_counts
from promptyard.evalset.duplicates import duplicate_findings
from promptyard.evalset.findings import Finding
from promptyard.evalset.power import MeasuredSplit, SplitPower, gate_outlook, split_power
from promptyard.evalset.strict_json import find_fault
from promptyard.evalset.wording import one_line, some
from promptyard.records.base import Json, Record
from promptyard.records.cases import SPLITS, EvalSet, SplitName


class SplitContents(Record):
    """What a split holds: cases by kind and, where the expectations are labels, by label."""

    split: SplitName
    n_cases: int
    n_clusters: int
    kinds: Mapping[str, int]
    labels: Mapping[str, int] | None


class EvalSetCheck(Record):
    """The result of checking one version of an eval set.

    `splits` has train, dev and holdout, `power` dev and holdout. `findings` are sorted, errors
    first. `gates_can_pass` and `margin_certifiable` are as in GateOutlook, `sentence` says both.
    """

    name: str
    version: str
    n_cases: int
    splits: tuple[SplitContents, ...]
    power: tuple[SplitPower, ...]
    findings: tuple[Finding, ...]
    gates_can_pass: bool
    margin_certifiable: bool
    sentence: str

    @property
    def ok(self) -> bool:
        """True when no finding is an error."""
        return all(finding.level != "error" for finding in self.findings)


def check_eval_set(eval_set: EvalSet, *, alpha: float, noninferiority: float) -> EvalSetCheck:
    """Check an eval set for the gate settings that it will be judged with. Makes no call.

    Finds duplicates, overlap between splits, conflicting and missing labels, empty inputs, numbers
    that are not finite, imbalance, and how much the cases can show. The findings' codes and levels
    are listed in `duplicate_findings`, `balance_findings` and `gate_outlook`; besides, `retired` is
    an info, `empty_input` is a warning, `invalid_value` is an error. `alpha` is two-sided,
    `noninferiority` a fraction (0.03 is 3 points). Of an empty split nothing is said: what needs
    one says so.

    Raises ValueError unless 0 < alpha < 1.
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha lies in (0, 1), got {alpha}")
    powers = {split: _power(eval_set, split, alpha) for split in _MEASURED}
    outlook = gate_outlook(
        powers["dev"], powers["holdout"], alpha=alpha, noninferiority=noninferiority
    )
    faults = _faulty_values(eval_set)
    findings = [
        *faults,
        *_empty_inputs(eval_set),
        *([] if faults else duplicate_findings(eval_set)),  # NaN cannot be hashed
        *balance_findings(eval_set),
        *_retired(eval_set),
        *outlook.findings,
    ]
    return EvalSetCheck(
        name=eval_set.name,
        version=eval_set.version,
        n_cases=len(eval_set.cases),
        splits=tuple(_contents(eval_set, split) for split in SPLITS),
        power=tuple(powers.values()),
        findings=tuple(sorted(findings, key=lambda finding: _RANK[finding.level])),
        gates_can_pass=outlook.gates_can_pass,
        margin_certifiable=outlook.margin_certifiable,
        sentence=outlook.sentence,
    )


_MEASURED: tuple[MeasuredSplit, ...] = ("dev", "holdout")
_RANK = {"error": 0, "warning": 1, "info": 2}


def _power(eval_set: EvalSet, split: MeasuredSplit, alpha: float) -> SplitPower:
    return split_power(
        split,
        n_cases=len(eval_set.split(split)),
        n_clusters=_n_clusters(eval_set, split),
        alpha=alpha,
    )


def _n_clusters(eval_set: EvalSet, split: SplitName) -> int:
    return len({(case.cluster, case.cluster or case.id) for case in eval_set.split(split)})


def _contents(eval_set: EvalSet, split: SplitName) -> SplitContents:
    cases = eval_set.split(split)
    return SplitContents(
        split=split,
        n_cases=len(cases),
        n_clusters=_n_clusters(eval_set, split),
        kinds=dict(Counter(str(case.kind) for case in cases).most_common()),
        labels=label_counts(eval_set, split),
    )


def _faulty_values(eval_set: EvalSet) -> list[Finding]:
    found: dict[str, str] = {}
    for case in eval_set.cases:
        if fault := find_fault({"input": dict(case.input), "expected": case.expected}):
            found[case.id] = f"case '{one_line(case.id)}': {fault.path}: {fault.reason}"
    if not found:
        return []
    message = "; ".join(list(found.values())[:3]) + (" ..." if len(found) > 3 else "")
    return [Finding(level="error", code="invalid_value", message=message, case_ids=tuple(found))]


def _empty_inputs(eval_set: EvalSet) -> list[Finding]:
    ids = tuple(
        case.id for case in eval_set.cases if all(_is_blank(item) for item in case.input.values())
    )
    if not ids:
        return []
    message = f"cases whose input is empty: {len(ids)} ({some(ids)}); fill or remove them"
    return [Finding(level="warning", code="empty_input", message=message, case_ids=ids)]


def _retired(eval_set: EvalSet) -> list[Finding]:
    ids = tuple(eval_set.retired)
    if not ids:
        return []
    message = f"retired cases, which no run takes: {len(ids)} ({some(ids)})"
    return [Finding(level="info", code="retired", message=message, case_ids=ids)]


def _is_blank(value: Json) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or value in ([], {})
