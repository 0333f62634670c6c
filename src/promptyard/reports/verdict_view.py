"""The top of a run's page as texts and lengths: verdict, key figures, every dimension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promptyard.records.runs import Run
from promptyard.records.verdicts import Comparison
from promptyard.reports.figures import (
    amount,
    change,
    change_range,
    count,
    counted,
    dimension_name,
    is_share,
    percent,
    share_of,
)
from promptyard.reports.holdout import holdout_figures, primary_dimension, verdict_place
from promptyard.reports.judges import marked


@dataclass(frozen=True)
class Banner:
    """The verdict: status, headline, and the one sentence."""

    status: str
    title: str
    sentence: str


@dataclass(frozen=True)
class KeyFigure:
    """One figure at the top: what it is, the figure, and what goes with it."""

    label: str
    value: str
    note: str = ""
    before: str = ""


@dataclass(frozen=True)
class IntervalPlot:
    """A paired interval as lengths in percent of the cell; `margin` is where too much is lost."""

    low: float
    high: float
    middle: float
    zero: float
    margin: float | None


@dataclass(frozen=True)
class DimensionRow:
    """One dimension of the verdict, written out."""

    name: str
    baseline: str
    candidate: str
    difference: str
    interval: str
    rule: str
    status: str
    verdict: str
    plot: IntervalPlot | None


def banner(run: Run) -> Banner:
    """Say what came of the run in a headline; the sentence is the verdict's own."""
    status = run.verdict.status
    if status == "pass":
        title = "Passed: the new prompt is better"
    elif status == "fail":
        title = "Failed: the baseline stays"
    elif run.best.id != run.baseline.id:
        title = "Inconclusive: returned because it led on unseen train cases"
    elif run.decision is not None:
        title = "Inconclusive: the baseline stays"
    elif run.finalist is None:
        title = "No better prompt was found: the baseline stays"
    else:
        title = "Not decided: the baseline stays"
    return Banner(status, title, run.verdict.sentence)


def key_figures(run: Run) -> tuple[KeyFigure, ...]:
    """Gather the figures that stand at the top."""
    return (
        *(_no_claim_figures(run) if run.decision is None else _holdout_key_figures(run)),
        _version_figure(run),
        KeyFigure(
            "Calls of the search",
            count(run.search_task_calls),
            f"{share_of(run.search_task_calls, run.naive_task_calls)} of evaluating every "
            "candidate on every case"
            if run.naive_task_calls
            else "task calls",
        ),
    )


def _holdout_key_figures(run: Run) -> tuple[KeyFigure, ...]:
    primary = primary_dimension(run)
    figures = holdout_figures(run, primary)
    interval = figures.interval
    level = f"{100 * interval.level:.0f} % paired interval " if interval else "no interval"
    looks = run.decision.looks if run.decision else 0
    on_dev = run.verdict_split == "dev"
    changes = f"{count(figures.fixed)} fixed, {count(figures.broken)} broken"
    return (
        KeyFigure(
            f"{dimension_name(primary)} on {verdict_place(run)}",
            amount(primary, figures.finalist),
            "baseline, then winner"
            if run.best.id != run.baseline.id
            else "baseline, then candidate, which is not used",
            before=amount(primary, figures.baseline),
        ),
        KeyFigure(
            "Difference",
            change(primary, figures.difference),
            level + (change_range(primary, interval) if interval else ""),
        ),
        KeyFigure(
            "Dev cases" if on_dev else "Holdout cases",
            count(figures.n_cases),
            f"{changes}; look {looks} at this holdout" if looks and not on_dev else changes,
        ),
    )


def _no_claim_figures(run: Run) -> tuple[KeyFigure, ...]:
    first = next((e for e in run.history if e.candidate_id == run.baseline.id), None)
    measured = (
        KeyFigure(
            "Baseline on train",
            percent(first.score),
            f"{counted(first.n_cases, 'case')}; the holdout stays sealed",
        )
        if first is not None
        else KeyFigure("Score on the sealed holdout", "not measured", "the holdout stays sealed")
    )
    refused = counted(len(run.rejections), "proposal")
    return (
        measured,
        KeyFigure("Candidates", count(run.n_candidates), f"evaluated; {refused} refused"),
    )


def _version_figure(run: Run) -> KeyFigure:
    if run.version is None:
        return KeyFigure("Registered", "nothing", "no version was written")
    won = run.best.id != run.baseline.id
    return KeyFigure(
        "Registered", f"version {run.version}", "the winner" if won else "the baseline, which stays"
    )


def interval_level(comparisons: Sequence[Comparison]) -> float:
    """Return the level of the table's intervals: that of the first one."""
    return next((item.interval.level for item in comparisons if item.interval), 0.95)


def dimension_rows(comparisons: Sequence[Comparison]) -> tuple[DimensionRow, ...]:
    """Write out every comparison; all score intervals are drawn to one scale."""
    level = interval_level(comparisons)
    shares = [item for item in comparisons if is_share(item.dimension)]
    intervals = [item.interval for item in shares if item.interval is not None]
    margins = [item.margin for item in shares if item.margin is not None]
    low = min([0.0, *(-margin for margin in margins), *(i.low for i in intervals)])
    high = max([0.0, *(i.high for i in intervals)])
    pad = 0.06 * (high - low)
    return tuple(_dimension_row(item, level, low - pad, high + pad) for item in comparisons)


def _dimension_row(item: Comparison, level: float, low: float, high: float) -> DimensionRow:
    interval = change_range(item.dimension, item.interval)
    if item.interval is not None and abs(item.interval.level - level) > 1e-6:
        interval += f" ({100 * item.interval.level:g} %)"
    return DimensionRow(
        name=marked(dimension_name(item.dimension), uncalibrated=item.uncalibrated),
        baseline=amount(item.dimension, item.baseline_mean),
        candidate=amount(item.dimension, item.candidate_mean),
        difference=change(item.dimension, item.difference),
        interval=interval,
        rule=_rule(item),
        status="report" if item.rule == "report" else item.status,
        verdict="not gated" if item.rule == "report" else item.status,
        plot=_plot(item, low, high) if is_share(item.dimension) else None,
    )


def _rule(item: Comparison) -> str:
    match item.rule:
        case "superiority":
            return "must be better"
        case "non_inferiority":
            if item.margin is None:
                return "must not be worse"
            return f"may lose less than {100 * item.margin:g} points"
        case "critical":
            return "no critical case may break"
        case "coverage":
            return "enough cases must be scored"
        case "ceiling":
            return "must stay below a limit" if item.margin is None else f"at most {item.margin:g}"
        case "target":
            return "must become rarer"
        case "report":
            return "reported only"


def _plot(item: Comparison, low: float, high: float) -> IntervalPlot | None:
    if item.interval is None or item.difference is None or high <= low:
        return None

    def at(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    return IntervalPlot(
        low=at(item.interval.low),
        high=at(item.interval.high),
        middle=at(item.difference),
        zero=at(0.0),
        margin=None if item.margin is None else at(-item.margin),
    )
