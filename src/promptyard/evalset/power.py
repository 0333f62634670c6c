"""What the cases of a split can show, and whether a gate on the holdout can pass at all."""

from __future__ import annotations

from typing import Literal, TypeAlias

from promptyard.evalset.findings import Finding
from promptyard.records.base import Record
from promptyard.stats.power import (
    cases_for_margin,
    certifiable_margin,
    minimal_detectable_effect,
    smallest_significant_win,
)

MeasuredSplit: TypeAlias = Literal["dev", "holdout"]

CHANGED_SHARES = (0.05, 0.10, 0.20, 0.30)
ASSUMED_CHANGED_SHARE = 0.10
"""The share of cases that a typical edit changes; the verdict on margins assumes it."""


class DetectableDifference(Record):
    """What a split shows if `changed_share` of its cases change between baseline and candidate.

    In fractions (0.05 is 5 points), at a power of 0.8. `difference` is the smallest gain that a
    two-sided test finds, None where it would exceed the changed share. `margin` is the smallest
    non-inferiority margin for which an equal candidate is certified.
    """

    changed_share: float
    difference: float | None
    margin: float


class SplitPower(Record):
    """What one split can show.

    `n_clusters` counts what is independent: clusters, and cases without one. `differences` has one
    row for each of `CHANGED_SHARES` and takes cases as independent; none where there are no cases.
    """

    split: MeasuredSplit
    n_cases: int
    n_clusters: int
    differences: tuple[DetectableDifference, ...]

    @property
    def assumed(self) -> DetectableDifference | None:
        """The row that verdicts rest on: 10 % of the cases change."""
        rows = (row for row in self.differences if row.changed_share == ASSUMED_CHANGED_SHARE)
        return next(rows, None)


class GateOutlook(Record):
    """Whether a gate can pass a candidate, in one sentence, and what stands in its way.

    `gates_can_pass` is False only where no candidate could pass, however good. `margin_certifiable`
    says whether a drop by more than the margin could be ruled out for an equal one. The sentence
    draws the conclusion; sizes and remedies are in the findings alone.
    """

    gates_can_pass: bool
    margin_certifiable: bool
    sentence: str
    findings: tuple[Finding, ...] = ()


def split_power(split: MeasuredSplit, *, n_cases: int, n_clusters: int, alpha: float) -> SplitPower:
    """Compute what a split can show. Source: anchors on evaluation, section 5."""
    rows = tuple(
        DetectableDifference(
            changed_share=share,
            difference=minimal_detectable_effect(n_cases, share, alpha=alpha),
            margin=certifiable_margin(n_cases, share, alpha=alpha),
        )
        for share in CHANGED_SHARES
        if n_cases
    )
    return SplitPower(split=split, n_cases=n_cases, n_clusters=n_clusters, differences=rows)


def gate_outlook(
    dev: SplitPower, holdout: SplitPower, *, alpha: float, noninferiority: float
) -> GateOutlook:
    """Say what gates can decide on the holdout, and what is wrong with the size of either split.

    No difference can be detected where not even a candidate that fixes every case would win: fewer
    clusters than the smallest significant win. Margins assume that 10 % of the cases change.
    Findings, all warnings and none of a split without cases: `no_power`, `margin`, and `clustered`
    where clusters make cases count less.
    """
    findings = [
        finding
        for power in (dev, holdout)
        for finding in (_no_power(power, alpha), _clustered(power, alpha))
        if finding
    ]
    assumed = holdout.assumed
    certifiable = assumed is not None and assumed.margin <= noninferiority
    can_pass = holdout.n_clusters >= smallest_significant_win(alpha)
    if assumed is not None and not certifiable:
        findings.append(_margin(holdout, assumed, alpha=alpha, noninferiority=noninferiority))
    if not can_pass:
        lacks = "is too small to show any difference" if holdout.n_cases else "has no cases"
        sentence = f"No candidate can pass the gate: the holdout {lacks}."
    elif certifiable:
        sentence = f"A better candidate can pass the gate: {_shows(holdout)}."
    else:
        sentence = (
            f"A candidate can pass the gate, but {_stays_open(holdout, alpha, noninferiority)}: "
            "the holdout is too small to rule out that it got worse."
        )
    return GateOutlook(
        gates_can_pass=can_pass,
        margin_certifiable=certifiable,
        sentence=sentence,
        findings=tuple(findings),
    )


def _no_power(power: SplitPower, alpha: float) -> Finding | None:
    if not power.n_cases or power.n_clusters >= smallest_significant_win(alpha):
        return None
    return Finding(level="warning", code="no_power", message=_too_few(power, alpha))


def _too_few(power: SplitPower, alpha: float) -> str:
    needed = smallest_significant_win(alpha)
    unit = "case" if power.n_clusters == power.n_cases else "cluster"
    return (
        f"{_counted(power.n_clusters, power.split, unit)} cannot show any difference, not even if "
        f"a candidate fixes all (gates.alpha {alpha:g}); add at least {needed - power.n_clusters} "
        f"({needed} in all) or raise splits.{power.split}"
    )


def _clustered(power: SplitPower, alpha: float) -> Finding | None:
    if power.n_clusters == power.n_cases or not power.n_clusters:
        return None
    worst = certifiable_margin(power.n_clusters, ASSUMED_CHANGED_SHARE, alpha=alpha)
    message = (
        f"{power.n_cases} {power.split} cases form {power.n_clusters} clusters; the more alike the "
        f"cases of a cluster behave, the less they show: at worst, {_ruled_out(worst)}"
    )
    return Finding(level="warning", code="clustered", message=message)


def _margin(
    power: SplitPower, assumed: DetectableDifference, *, alpha: float, noninferiority: float
) -> Finding:
    message = (
        f"with {_counted(power.n_cases, power.split, 'case')}, {_ruled_out(assumed.margin)} (if "
        f"{_percent(ASSUMED_CHANGED_SHARE)} of the cases change)"
    )
    if noninferiority > 0:
        needed = cases_for_margin(noninferiority, ASSUMED_CHANGED_SHARE, alpha=alpha)
        message += (
            f"; to rule out drops above {_points(noninferiority)} (gates.noninferiority) takes "
            f"{needed} {power.split} cases, {needed - power.n_cases} more"
        )
    return Finding(level="warning", code="margin", message=message)


def _stays_open(power: SplitPower, alpha: float, noninferiority: float) -> str:
    least = certifiable_margin(power.n_cases, 0.0, alpha=alpha)
    if least > noninferiority:
        return (
            "where one dimension (accuracy, validity, safety, judge) does not improve, even where "
            "it is unchanged, the verdict stays inconclusive"
        )
    return (
        "where one dimension (accuracy, validity, safety, judge) changes without improving, the "
        "verdict mostly stays inconclusive"
    )


def _shows(power: SplitPower) -> str:
    margin = power.assumed.margin if power.assumed else 1.0
    row = next((row for row in power.differences[1:] if row.difference is not None), None)
    seen = "no gain that is likely"
    if row is not None and row.difference is not None:
        seen = f"a gain of {_points(row.difference)}"
        if row.changed_share != ASSUMED_CHANGED_SHARE:
            seen += f" (if {_percent(row.changed_share)} of them change)"
    return (
        f"{power.n_cases} {power.split} cases show {seen} and rule out drops above "
        f"{_points(margin)} if {_percent(ASSUMED_CHANGED_SHARE)} of them change"
    )


def _ruled_out(margin: float) -> str:
    if margin >= 1.0:
        return "no drop can be ruled out"
    return f"only drops above {_points(margin)} can be ruled out"


def _counted(n: int, split: str, unit: str) -> str:
    return f"{n} {split} {unit}" if n == 1 else f"{n} {split} {unit}s"


def _points(value: float) -> str:
    return f"{100 * value:.1f} points"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
