"""What the cases of a split can show, and whether a gate on the holdout can pass at all."""

from __future__ import annotations

import math
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
    """Whether the gates can pass, in one sentence, and what was found on the way.

    `gates_can_pass` is False only where no candidate could pass, however good. `margin_certifiable`
    says whether an equal one could be certified for the margin in a protected dimension.
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
        sentence = f"The gates cannot pass: {_too_few(holdout, alpha)}."
    elif certifiable:
        sentence = f"The gates can pass: {_shows(holdout)}."
    else:
        sentence = (
            f"The gates can pass, but {_stays_open(holdout, alpha, noninferiority)}: "
            f"{findings[-1].message}."
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
    unit = "cases" if power.n_clusters == power.n_cases else "independent clusters"
    return (
        f"{power.n_clusters} {power.split} {unit} cannot show any difference at alpha {alpha:g}, "
        f"not even if all are fixed; add at least {needed - power.n_clusters} ({needed} in all) "
        f"or raise splits.{power.split}"
    )


def _clustered(power: SplitPower, alpha: float) -> Finding | None:
    if power.n_clusters == power.n_cases or not power.n_clusters:
        return None
    worst = certifiable_margin(power.n_clusters, ASSUMED_CHANGED_SHARE, alpha=alpha)
    message = (
        f"{power.n_cases} {power.split} cases form {power.n_clusters} clusters; the more alike the "
        f"cases of a cluster behave, the less they show: at worst a margin of {_points(worst)}"
    )
    return Finding(level="warning", code="clustered", message=message)


def _margin(
    power: SplitPower, assumed: DetectableDifference, *, alpha: float, noninferiority: float
) -> Finding:
    reachable = math.ceil(assumed.margin * 1000) / 1000
    remedy = f"set gates.noninferiority to {reachable:g}"
    if noninferiority > 0:
        needed = cases_for_margin(noninferiority, ASSUMED_CHANGED_SHARE, alpha=alpha)
        remedy = f"add {needed - power.n_cases} {power.split} cases ({needed} in all) or {remedy}"
    message = (
        f"{power.n_cases} {power.split} cases certify a margin of {_points(assumed.margin)}, not "
        f"{_points(noninferiority)}, if {_percent(ASSUMED_CHANGED_SHARE)} of them change; {remedy}"
    )
    return Finding(level="warning", code="margin", message=message)


def _stays_open(power: SplitPower, alpha: float, noninferiority: float) -> str:
    least = certifiable_margin(power.n_cases, 0.0, alpha=alpha)
    if least > noninferiority:
        return "a protected dimension that does not improve stays inconclusive, even unchanged"
    return "a protected dimension that changes without improving mostly stays inconclusive"


def _shows(power: SplitPower) -> str:
    margin = power.assumed.margin if power.assumed else 1.0
    row = next((row for row in power.differences[1:] if row.difference is not None), None)
    seen = "no gain that is likely"
    if row is not None and row.difference is not None:
        seen = f"a gain of {_points(row.difference)}"
        if row.changed_share != ASSUMED_CHANGED_SHARE:
            seen += f" (if {_percent(row.changed_share)} of them change)"
    return (
        f"{power.n_cases} {power.split} cases show {seen} and certify a margin of "
        f"{_points(margin)} if {_percent(ASSUMED_CHANGED_SHARE)} of them change"
    )


def _points(value: float) -> str:
    return f"{100 * value:.1f} points"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
