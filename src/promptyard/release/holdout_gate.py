"""The holdout gate: better in the primary dimension, not worse in others, nothing critical lost.

Pure: the same stored pair of reports gives the same verdict. The primary dimension needs a
two-sided p at or below alpha and a paired interval above zero; every other check dimension needs
the lower one-sided bound of its difference above minus the margin ("not worse by more than"), which
is a stronger claim than "no significant regression". Source: anchors on evaluation, section 5.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from promptyard.records.cases import Case
from promptyard.records.scores import (
    Interval,
    Report,
    Trial,
    breaks_critical,
    relative_weights,
)
from promptyard.records.verdicts import (
    Comparison,
    GateSettings,
    PairedReport,
    Verdict,
    VerdictStatus,
)
from promptyard.release.folding import ALONE
from promptyard.release.judged import changed_judges, judge_notes
from promptyard.runner.summarize import case_values
from promptyard.stats.intervals import mean_interval
from promptyard.stats.paired import compare_paired, noninferiority_lower_bound

CHECK_DIMENSIONS = ("accuracy", "validity", "safety", "judge")
QUANTITIES = ("latency_s", "tokens", "cost_usd")


class HoldoutGate:
    """Superiority in one dimension, non-inferiority in the rest, coverage and critical cases."""

    name = "holdout"

    def judge(self, pair: PairedReport, cases: Sequence[Case], settings: GateSettings) -> Verdict:
        """Judge the pair. Costs nothing; draws no random number outside a fixed seed."""
        comparisons = [
            _primary(pair, cases, settings)
            if settings.claim == "better"
            else _protected(pair, cases, settings, settings.primary)
        ]
        comparisons += [
            _protected(pair, cases, settings, name)
            for name in CHECK_DIMENSIONS
            if name != settings.primary and _has(pair.baseline, name)
        ]
        comparisons += [_quantity(pair, cases, name) for name in QUANTITIES]
        uncalibrated = pair.baseline.uncalibrated | pair.candidate.uncalibrated
        comparisons = [
            item.model_copy(update={"uncalibrated": item.dimension in uncalibrated})
            for item in comparisons
            if item.n_cases or item.rule == "non_inferiority"  # what is missing is not unharmed
        ]
        broken = _broken_critical(pair, cases)
        coverage = min(_coverage(report, cases) for report in (pair.baseline, pair.candidate))
        status, reasons = _overall(comparisons, broken, coverage, settings, changed_judges(pair))
        return Verdict(
            status=status,
            comparisons=tuple(comparisons),
            sentence=_sentence(status, comparisons, reasons),
            reasons=tuple(reasons),
            critical_regressions=tuple(broken),
            coverage=coverage,
            notes=judge_notes(pair),
        )


def _values(
    pair: PairedReport, cases: Sequence[Case], dimension: str
) -> tuple[list[float], list[float], list[str]]:
    """Collect the paired values of a dimension on the cases that both programs have it on.

    Replicates are averaged first.
    Where cases have weights, values are multiplied by them (scaled to a mean of 1): every mean and
    test is then of the weighted quantity that the reports show.
    """
    before = case_values(pair.baseline, dimension)
    after = case_values(pair.candidate, dimension)
    first: list[float] = []
    second: list[float] = []
    clusters: list[str] = []
    both: list[Case] = []
    for case in cases:
        one, two = before.get(case.id), after.get(case.id)
        if one is not None and two is not None:
            first.append(one)
            second.append(two)
            clusters.append(case.cluster or case.id)
            both.append(case)
    weights = relative_weights(both)
    if weights is not None:
        first = [value * weight for value, weight in zip(first, weights, strict=True)]
        second = [value * weight for value, weight in zip(second, weights, strict=True)]
    return first, second, clusters


def _within_one(first: Sequence[float], second: Sequence[float]) -> bool:
    return max(*first, *second) <= 1.0


def _has(report: Report, dimension: str) -> bool:
    return report.summary(dimension) is not None


def _primary(pair: PairedReport, cases: Sequence[Case], settings: GateSettings) -> Comparison:
    first, second, clusters = _values(pair, cases, settings.primary)
    if not first:
        return Comparison(
            dimension=settings.primary,
            rule="superiority",
            status="inconclusive",
            n_cases=0,
            sentence="no case was scored for both",
        )
    test = compare_paired(
        first, second, clusters=clusters, alpha=settings.alpha, bounded=_within_one(first, second)
    )
    better = test.p_value <= settings.alpha and test.interval.low > 0
    worse = test.p_value <= settings.alpha and test.interval.high < 0
    status: VerdictStatus = "pass" if better else "fail" if worse else "inconclusive"
    word = "better" if better else "worse" if worse else "not shown to differ"
    level = round(100 * (1 - settings.alpha))
    return Comparison(
        dimension=settings.primary,
        rule="superiority",
        status=status,
        n_cases=test.n,
        baseline_mean=sum(first) / len(first),
        candidate_mean=sum(second) / len(second),
        difference=test.mean,
        interval=test.interval,
        p_value=test.p_value,
        fixed=test.fixed,
        broken=test.broken,
        sentence=(
            f"{settings.primary}: {word}, {_points(test.mean)} points "
            f"({level} % interval {_points(test.interval.low)} to {_points(test.interval.high)}, "
            f"p = {test.p_value:.2g}, {test.n} cases)"
        ),
    )


def _protected(
    pair: PairedReport, cases: Sequence[Case], settings: GateSettings, dimension: str
) -> Comparison:
    first, second, clusters = _values(pair, cases, dimension)
    if not first:
        return Comparison(
            dimension=dimension,
            rule="non_inferiority",
            status="inconclusive",
            n_cases=0,
            margin=settings.noninferiority,
            sentence=f"{dimension}: no case was measured for both",
        )
    bounded = _within_one(first, second)
    test = compare_paired(first, second, clusters=clusters, alpha=settings.alpha, bounded=bounded)
    low = noninferiority_lower_bound(
        first, second, clusters=clusters, alpha=settings.alpha, bounded=bounded
    )
    margin = settings.noninferiority
    status: VerdictStatus = "inconclusive"
    if low > -margin:
        status = "pass"
        said = f"not worse by more than {100 * margin:g} points"
    elif test.interval.high < -margin:
        status = "fail"
        said = f"worse by more than {100 * margin:g} points"
    else:
        said = f"cannot rule out a drop above {100 * margin:g} points with {test.n} cases"
    return Comparison(
        dimension=dimension,
        rule="non_inferiority",
        status=status,
        n_cases=test.n,
        baseline_mean=sum(first) / len(first),
        candidate_mean=sum(second) / len(second),
        difference=test.mean,
        interval=test.interval,
        p_value=test.p_value,
        fixed=test.fixed,
        broken=test.broken,
        margin=margin,
        sentence=f"{dimension}: {said} (lower bound {_points(low)})",
    )


def _quantity(pair: PairedReport, cases: Sequence[Case], dimension: str) -> Comparison:
    """Compare latency, tokens or cost; reported beside the verdict, never part of it."""
    first, second, clusters = _values(pair, cases, dimension)
    if not first:
        return Comparison(dimension=dimension, rule="report", status="pass", n_cases=0)
    differences = [two - one for one, two in zip(first, second, strict=True)]
    mean = sum(differences) / len(differences)
    return Comparison(
        dimension=dimension,
        rule="report",
        status="pass",
        n_cases=len(differences),
        baseline_mean=sum(first) / len(first),
        candidate_mean=sum(second) / len(second),
        difference=mean,
        interval=_spread(differences, clusters),
        sentence=f"{dimension}: {mean:+.4g} a case on average (reported, not gated)",
    )


def _spread(differences: Sequence[float], clusters: Sequence[str]) -> Interval | None:
    """Return the interval of a mean difference; none where every case differs by the same."""
    if min(differences) == max(differences):
        return None
    return mean_interval(differences, clusters=clusters, bounded=False)


def _coverage(report: Report, cases: Sequence[Case]) -> float:
    """Return the share of trials that were scored, or that of the cases that have one, if less."""
    scored = {trial.case_id for trial in report.trials if trial.status == "scored"}
    n_scored = sum(case.id in scored for case in cases)
    return min(report.coverage, n_scored / len(cases)) if cases else report.coverage


def _broken_critical(pair: PairedReport, cases: Sequence[Case]) -> list[str]:
    """Ids of critical cases that the candidate breaks in most of its replicates and reruns.

    Where the baseline has replicates, too, every one of them is held against every one of its.
    """
    before = _by_case(pair.baseline.trials)
    after = _by_case((*pair.candidate.trials, *pair.reruns))
    broken: list[str] = []
    for case in cases:
        pairs = list(itertools.product(before.get(case.id, ()), after.get(case.id, ())))
        if 2 * sum(breaks_critical(case, one, two) for one, two in pairs) > len(pairs):
            broken.append(case.id)
    return broken


def _by_case(trials: Sequence[Trial]) -> Mapping[str, list[Trial]]:
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.case_id, []).append(trial)
    return found


def _overall(
    comparisons: Sequence[Comparison],
    broken: Sequence[str],
    coverage: float,
    settings: GateSettings,
    incomparable: Sequence[str],
) -> tuple[VerdictStatus, list[str]]:
    reasons: list[str] = []
    failed = [item for item in comparisons if item.status == "fail"]
    open_ones = [item for item in comparisons if item.status == "inconclusive"]
    if len(broken) > settings.critical_regressions:
        reasons.append(f"critical cases broken: {', '.join(broken[:5])}")
    reasons += [item.sentence for item in failed]
    if reasons:
        return "fail", reasons
    if coverage < settings.min_coverage:
        reasons.append(
            f"only {100 * coverage:.1f} % of the cases were scored; "
            f"{100 * settings.min_coverage:g} % are needed"
        )
    if not comparisons or comparisons[0].dimension != settings.primary:
        reasons.append(f"nothing was measured in the primary dimension '{settings.primary}'")
    reasons += [*incomparable, *(item.sentence for item in open_ones)]
    return ("inconclusive" if reasons else "pass"), reasons


def _sentence(
    status: VerdictStatus, comparisons: Sequence[Comparison], reasons: Sequence[str]
) -> str:
    primary = comparisons[0].sentence if comparisons else "nothing was measured"
    if status == "pass":
        return f"{ALONE[status]}{primary}."
    return f"{ALONE[status]}{'; '.join(reasons)}."


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"
