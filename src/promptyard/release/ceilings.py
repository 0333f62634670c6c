"""Ceilings: what a version may take at most in time, money, tokens and length, come what may.

A mean is held to its ceiling by its interval, the 95th percentile by the share of slower answers
(Wilson's interval against 5 %): a measurement that could be either decides nothing. Each bound is
one-sided at alpha, since a ceiling has one side.
"""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.records.cases import Case
from promptyard.records.scores import Interval
from promptyard.records.verdicts import (
    CEILINGS,
    Ceiling,
    Comparison,
    GateSettings,
    PairedReport,
    Verdict,
    VerdictStatus,
)
from promptyard.release.folding import folded
from promptyard.runner.summarize import case_values
from promptyard.stats.intervals import mean_interval, wilson_interval

SLOW = 0.05
"""The share of answers that lies above a 95th percentile."""

MEANS: dict[Ceiling, str] = {"cost_usd": "cost_usd", "tokens": "tokens"}


class CeilingGate:
    """Passes where every ceiling that the settings name is kept. Looks at the candidate alone."""

    name = "ceilings"

    def judge(self, pair: PairedReport, cases: Sequence[Case], settings: GateSettings) -> Verdict:
        """Hold the candidate to the ceilings. Costs nothing."""
        clusters = {case.id: case.cluster or case.id for case in cases}
        comparisons = [
            _held(name, settings.ceilings[name], pair, clusters, min(0.99, 2 * settings.alpha))
            for name in CEILINGS
            if name in settings.ceilings
        ]
        return folded(comparisons, nothing="no ceiling is set")


def _held(
    name: Ceiling, ceiling: float, pair: PairedReport, clusters: dict[str, str], alpha: float
) -> Comparison:
    if name == "prompt_chars":
        return _length(ceiling, pair)
    if name == "latency_p95_s":
        return _slow_answers(ceiling, pair, alpha)
    found = {
        case_id: value
        for case_id, value in case_values(pair.candidate, MEANS[name]).items()
        if case_id in clusters
    }
    values = list(found.values())
    if not values:
        return _unknown(name, ceiling)
    interval = mean_interval(
        values, clusters=[clusters[case_id] for case_id in found], alpha=alpha, bounded=False
    )
    if interval is None:  # one case, or one cluster of them, shows nothing of the others
        return _unknown(name, ceiling)
    mean = sum(values) / len(values)
    low, high = interval.low, interval.high
    status = _status(low, high, ceiling)
    return Comparison(
        dimension=name,
        rule="ceiling",
        status=status,
        n_cases=len(values),
        candidate_mean=mean,
        interval=interval,
        margin=ceiling,
        sentence=f"{name}: {mean:.4g} a case ({low:.4g} to {high:.4g}), {_word(status, ceiling)}",
    )


def _slow_answers(ceiling: float, pair: PairedReport, alpha: float) -> Comparison:
    values = list(case_values(pair.candidate, "latency_s").values())
    if not values:
        return _unknown("latency_p95_s", ceiling)
    n_slow = sum(value > ceiling for value in values)
    low, high = wilson_interval(n_slow, len(values), alpha=alpha)
    status: VerdictStatus = "pass" if high <= SLOW else "fail" if low > SLOW else "inconclusive"
    return Comparison(
        dimension="latency_p95_s",
        rule="ceiling",
        status=status,
        n_cases=len(values),
        candidate_mean=n_slow / len(values),
        interval=Interval(low=low, high=high, level=1 - alpha, method="wilson"),
        margin=ceiling,
        sentence=(
            f"latency_p95_s: {n_slow} of {len(values)} answers took longer than {ceiling:g} s "
            f"({100 * low:.1f} to {100 * high:.1f} %, at most 5 % may), {_word(status, ceiling)}"
        ),
    )


def _length(ceiling: float, pair: PairedReport) -> Comparison:
    if pair.prompt_chars is None:
        return _unknown("prompt_chars", ceiling)
    status: VerdictStatus = "pass" if pair.prompt_chars <= ceiling else "fail"
    return Comparison(
        dimension="prompt_chars",
        rule="ceiling",
        status=status,
        n_cases=1,
        candidate_mean=float(pair.prompt_chars),
        margin=ceiling,
        sentence=f"prompt_chars: {pair.prompt_chars:,}, {_word(status, ceiling)}",
    )


def _unknown(name: Ceiling, ceiling: float) -> Comparison:
    return Comparison(
        dimension=name,
        rule="ceiling",
        status="inconclusive",
        n_cases=0,
        margin=ceiling,
        sentence=f"{name}: not measured (or on one case only), so the ceiling of {ceiling:g} "
        "is not shown to be kept",
    )


def _status(low: float, high: float, ceiling: float) -> VerdictStatus:
    if high <= ceiling:
        return "pass"
    return "fail" if low > ceiling else "inconclusive"


def _word(status: VerdictStatus, ceiling: float) -> str:
    if status == "pass":
        return f"below the ceiling of {ceiling:g}"
    if status == "fail":
        return f"above the ceiling of {ceiling:g}"
    return f"not shown to be below the ceiling of {ceiling:g}"
