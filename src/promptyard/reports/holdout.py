"""What the cases that decide said of baseline, finalist and winner: the holdout, else dev."""

from __future__ import annotations

from dataclasses import dataclass

from promptyard.records.runs import Run
from promptyard.records.scores import Interval, Report
from promptyard.reports.figures import counted

PRIMARY = "score"


@dataclass(frozen=True)
class HoldoutFigures:
    """Means on the cases that decide; `winner` is that of `run.best`.

    All are None where no claim was measured. `difference` and `interval` are of the finalist
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


def verdict_place(run: Run) -> str:
    """Say where the verdict was measured, as `on ...` goes on."""
    return "dev" if run.verdict_split == "dev" else "the sealed holdout"


def rests_on(run: Run) -> str:
    """Say in one sentence on which cases the verdict rests."""
    figures = holdout_figures(run, primary_dimension(run))
    on = counted(figures.n_cases, "case")
    if run.decision is None:
        if run.best.id != run.baseline.id and run.served:
            seen = counted(run.served[-1].n_cases, "unseen train case")
            return f"Nothing was measured on dev: what is returned led on {seen}, no more."
        return "No claim was measured, so the verdict rests on no case."
    if run.verdict_split == "dev":
        return f"The verdict rests on {on} of dev; the task has no holdout to confirm it."
    looks = run.decision.looks
    return (
        f"The verdict rests on {on} of the sealed holdout, at look {looks}."
        if looks
        else (f"The verdict rests on {on} of the sealed holdout.")
    )


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
