"""What the sealed holdout said of baseline, finalist and winner in one dimension."""

from __future__ import annotations

from dataclasses import dataclass

from promptyard.records.runs import Run
from promptyard.records.scores import Interval, Report

PRIMARY = "score"


@dataclass(frozen=True)
class HoldoutFigures:
    """Means on the holdout; `winner` is the finalist's where it passed, else the baseline's.

    All are None where the holdout was not opened. `difference` and `interval` are of the finalist
    minus the baseline, paired.
    """

    dimension: str
    n_cases: int = 0
    baseline: float | None = None
    finalist: float | None = None
    winner: float | None = None
    difference: float | None = None
    interval: Interval | None = None
    fixed: int = 0
    broken: int = 0


def primary_dimension(run: Run) -> str:
    """Return the dimension that the gate asked to be better; `score` where no gate judged."""
    for item in run.verdict.comparisons:
        if item.rule == "superiority":
            return item.dimension
    return PRIMARY


def holdout_figures(run: Run, dimension: str = PRIMARY) -> HoldoutFigures:
    """Gather the holdout's figures in one dimension.

    They are those of the paired comparison, over cases that both programs finished, so that the
    means and their difference agree; where the gate did not compare the dimension, those of the
    two reports, without an interval.
    """
    pair = run.decision
    if pair is None:
        return HoldoutFigures(dimension)
    won = run.best.id != run.baseline.id
    compared = run.verdict.comparison(dimension)
    if compared is not None and compared.difference is not None:
        return HoldoutFigures(
            dimension,
            n_cases=compared.n_cases,
            baseline=compared.baseline_mean,
            finalist=compared.candidate_mean,
            winner=compared.candidate_mean if won else compared.baseline_mean,
            difference=compared.difference,
            interval=compared.interval,
            fixed=compared.fixed,
            broken=compared.broken,
        )
    baseline, finalist = _mean(pair.baseline, dimension), _mean(pair.candidate, dimension)
    return HoldoutFigures(
        dimension,
        n_cases=min(pair.baseline.n_scored, pair.candidate.n_scored),
        baseline=baseline,
        finalist=finalist,
        winner=finalist if won else baseline,
        difference=None if finalist is None or baseline is None else finalist - baseline,
    )


def _mean(report: Report, dimension: str) -> float | None:
    if dimension == PRIMARY:
        return report.score
    summary = report.summary(dimension)
    return None if summary is None else summary.mean
