"""Writes the page of an evaluation: one HTML file that needs nothing else, not even scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptyard.records.base import Json
from promptyard.records.scores import CheckSummary, Interval, Summary
from promptyard.reports.evaluation import EvaluationView, FailingCase
from promptyard.reports.figures import (
    MISSING,
    amount,
    counted,
    dimension_name,
    duration,
    percent,
)
from promptyard.reports.html import EMBEDDED_MODEL
from promptyard.reports.judges import judge_notes, marked
from promptyard.reports.page_template import page_template
from promptyard.reports.slices import Slice
from promptyard.reports.verdict_view import DimensionRow, KeyFigure, dimension_rows, interval_level

MOST_SLICES = 40
MOST_BUCKETS = 30
MOST_CONFUSIONS = 15
MOST_FLIPS = 200
VALUE_CHARS = 1_500
GIST_CHARS = 90


@dataclass(frozen=True)
class MeanPlot:
    """A mean in [0, 1] and its interval, as lengths in percent of the cell."""

    low: float
    high: float
    middle: float


@dataclass(frozen=True)
class MeanRow:
    """One mean, written out: of a dimension, a check or a slice."""

    name: str
    mean: str
    interval: str
    n_cases: str
    note: str
    plot: MeanPlot | None


@dataclass(frozen=True)
class CaseCard:
    """A failing case, written out."""

    case_id: str
    title: str
    gist: str
    input: str
    expected: str
    output: str
    findings: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Comparison:
    """What the page says of the baseline."""

    title: str
    status: str
    sentence: str
    rows: Sequence[DimensionRow]
    level: str
    fixed: Sequence[str]
    broken: Sequence[str]
    answers: str


def evaluation_html(view: EvaluationView) -> str:
    """Write an evaluation as one self-contained page.

    The same evaluation gives the same page, byte for byte. Everything that came from prompts,
    cases or models is escaped, and hidden characters in it are written out. Costs no calls.
    """
    evaluation = view.evaluation
    report = evaluation.report
    return page_template("evaluation.html").render(
        evaluation=evaluation,
        part=view.part,
        not_run=view.not_run.split("`"),
        embedded=evaluation.model.startswith(EMBEDDED_MODEL),
        embedded_model=EMBEDDED_MODEL,
        key_figures=_key_figures(view),
        comparison=_comparison(view),
        means=[_mean(item, item.name in report.uncalibrated) for item in report.summaries],
        checks=[_check(item) for item in report.checks],
        rates=_rates(view),
        errors=view.rates.errors,
        skips=view.rates.skips,
        too_many_truncated=view.rates.too_many_truncated,
        slices=[_slice(item) for item in view.slices[:MOST_SLICES]],
        buckets=view.buckets[:MOST_BUCKETS],
        longest=max((len(item.case_ids) for item in view.buckets), default=1) or 1,
        confusions=view.confusions[:MOST_CONFUSIONS],
        labels=_labels(report.suite),
        cards=[_card(item) for item in view.failing],
        n_failing=view.n_failing,
        can_show=view.can_show.sentence,
        spent=_spent(view),
    )


def _key_figures(view: EvaluationView) -> list[KeyFigure]:
    report, evaluation = view.report, view.evaluation
    score = report.summary("score")
    interval = "no case has a score"
    if score is not None and score.interval is not None:
        interval = f"95 % interval {_range(score.interval)}"
    n_all = sum(evaluation.n_by_split.values())
    n_cases = f"{view.n_cases:,}" + (f" of {n_all:,}" if n_all else "")
    repeats = "" if evaluation.n_repeats == 1 else f", {evaluation.n_repeats} replicates each"
    figures = [
        KeyFigure(f"Score on {report.split}", percent(report.score), interval),
        KeyFigure("Coverage", percent(report.coverage), "of the answers were scored"),
        KeyFigure("Cases", n_cases, f"{view.n_failing:,} failed or have no score{repeats}"),
    ]
    latency, cost = report.summary("latency_s"), report.summary("cost_usd")
    if latency is not None:
        note = f"p95 {amount('latency_s', latency.p95)}, p99 {amount('latency_s', latency.p99)}"
        figures.append(KeyFigure("Latency, median", amount("latency_s", latency.p50), note))
    if cost is not None:
        figures.append(KeyFigure("Cost a case", amount("cost_usd", cost.mean), "mean"))
    return figures


def _comparison(view: EvaluationView) -> Comparison | None:
    evaluation = view.evaluation
    if evaluation.verdict is None:
        return None
    comparisons = evaluation.verdict.comparisons
    ids = {
        kind: [flip.case_id for flip in evaluation.flips if flip.kind == kind][:MOST_FLIPS]
        for kind in ("fixed", "broken")
    }
    return Comparison(
        title=f"Against {evaluation.compared_with}",
        status=evaluation.verdict.status,
        sentence=evaluation.verdict.sentence,
        rows=dimension_rows(comparisons),
        level=f"{100 * interval_level(comparisons):g} %",
        fixed=ids["fixed"],
        broken=ids["broken"],
        answers=view.answers,
    )


def _mean(item: Summary, uncalibrated: bool) -> MeanRow:
    note = ""
    if item.p50 is not None:
        found = (("p50", item.p50), ("p95", item.p95), ("p99", item.p99))
        note = ", ".join(f"{name} {amount(item.name, value)}" for name, value in found)
    return MeanRow(
        name=marked(dimension_name(item.name), uncalibrated=uncalibrated),
        mean=amount(item.name, item.mean),
        interval=_range(item.interval),
        n_cases=f"{item.n_cases:,}",
        note=note,
        plot=_plot(item.mean, item.interval),
    )


def _check(item: CheckSummary) -> MeanRow:
    notes = [f"{item.severity}, {item.dimension}"]
    notes += judge_notes(item)
    if item.n_errors:
        notes.append(f"broke {item.n_errors} times")
    if item.n_skipped:
        notes.append(f"skipped {item.n_skipped} times")
    return MeanRow(
        name=item.metric,
        mean=MISSING if item.mean is None else percent(item.mean),
        interval=_range(item.interval),
        n_cases=f"{item.n_cases:,}",
        note="; ".join(notes),
        plot=None if item.mean is None else _plot(item.mean, item.interval),
    )


def _slice(item: Slice) -> MeanRow:
    note = ""
    if item.ratio is not None and item.p_value is not None:
        note = f"fails {item.ratio:.1f} times as often as the others (p = {item.p_value:.2g})"
    return MeanRow(
        name=item.name,
        mean=percent(item.mean),
        interval=_range(item.interval),
        n_cases=f"{item.n_cases:,}",
        note=note,
        plot=_plot(item.mean, item.interval),
    )


def _plot(mean: float, interval: Interval | None) -> MeanPlot | None:
    if interval is None:
        return None
    low, high = max(0.0, interval.low), min(1.0, interval.high)
    return MeanPlot(low=round(100 * low, 2), high=round(100 * high, 2), middle=round(100 * mean, 2))


def _range(interval: Interval | None) -> str:
    return MISSING if interval is None else f"{percent(interval.low)} to {percent(interval.high)}"


def _rates(view: EvaluationView) -> list[tuple[str, str, str]]:
    found = view.rates
    rows = [
        ("Truncated", percent(found.share(found.n_truncated)), "answers cut at max_tokens"),
        ("Refused", percent(found.share(found.n_refused)), "refusals and content filters"),
        ("Errors", percent(found.share(found.n_errors)), "the model gave no answer"),
        ("Unscored", percent(found.share(found.n_unscored)), "a check could not grade the answer"),
    ]
    if found.n_judged_twice:
        said = f"of {counted(found.n_judged_twice, 'verdict')} asked twice"
        rows.append(("Judge contradicts itself", percent(found.judge_flip_rate), said))
    if found.n_skipped:
        rows.append(("Checks skipped", f"{found.n_skipped:,}", "neither passed nor failed"))
    return rows


def _labels(suite: Mapping[str, Json]) -> list[tuple[str, str]]:
    named = (("Accuracy", "accuracy"), ("Macro F1", "macro_f1"), ("Micro F1", "micro_f1"))
    rows = [(name, percent(suite[key])) for name, key in named if suite.get(key) is not None]
    for name, key in (("MCC", "mcc"), ("Cohen's kappa", "kappa")):
        if suite.get(key) is not None:
            rows.append((name, f"{suite[key]:.3f}"))
    return rows


def _card(item: FailingCase) -> CaseCard:
    score = "no score" if item.score is None else f"score {percent(item.score)}"
    return CaseCard(
        case_id=item.case_id,
        title=f"{item.status}, {score}" if item.status != "scored" else score,
        gist=_gist(item.input),
        input="\n".join(f"{name}: {_text(value)}" for name, value in item.input.items()),
        expected="" if item.expected is None else _text(item.expected),
        output=item.output,
        findings=item.findings,
    )


def _gist(inputs: Mapping[str, Json]) -> str:
    """Return how the inputs begin, on one line: what a reader knows a case by."""
    text = " · ".join(" ".join(_text(value).split()) for value in inputs.values())
    return text if len(text) <= GIST_CHARS else f"{text[:GIST_CHARS].rstrip()}…"


def _text(value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
    return text if len(text) <= VALUE_CHARS else text[:VALUE_CHARS] + "…"


def _spent(view: EvaluationView) -> str:
    spent = view.evaluation.spent
    parts = [
        counted(spent.task_calls, "task call"),
        counted(spent.judge_calls, "judge call"),
        f"{spent.cached_calls:,} answered from the store",
        f"{spent.tokens:,} tokens",
        duration(spent.seconds),
    ]
    if spent.usd:
        parts.insert(4, amount("cost_usd", spent.usd))
    return ", ".join(parts)
