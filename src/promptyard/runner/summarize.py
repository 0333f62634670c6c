"""Folds graded cases into a Report: means with intervals, coverage, latency and cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptyard.records.base import Json
from promptyard.records.cases import SplitName
from promptyard.records.scores import GradedCase, Report, Summary, Trial, relative_weights
from promptyard.stats.intervals import mean_interval, percentile


def summarize(
    program_id: str,
    eval_set_version: str,
    split: SplitName,
    graded: Sequence[GradedCase],
    suite: Mapping[str, Json],
) -> Report:
    """Fold graded cases of one program into a report. Errors never enter a mean."""
    trials = tuple(item.trial for item in graded)
    scored = [item for item in graded if item.trial.status == "scored"]
    values = {"score": [(item, item.trial.score) for item in scored]}
    for item in scored:
        for name, value in dimension_values(item.trial).items():
            values.setdefault(name, []).append((item, value))
    summaries = [
        _summary(name, [(item, value) for item, value in rows if value is not None])
        for name, rows in values.items()
    ]
    answered = [item for item in graded if item.trial.visits]
    if answered:
        summaries.append(_quantity("latency_s", [item.trial.latency_s for item in answered]))
        summaries.append(_quantity("tokens", [item.trial.total_tokens for item in answered]))
        costs = [item.trial.cost_usd for item in answered]
        if all(cost is not None for cost in costs):
            summaries.append(_quantity("cost_usd", [cost or 0.0 for cost in costs]))
    score = next((item.mean for item in summaries if item.name == "score" and item.n_cases), None)
    n_scored = len(scored)
    return Report(
        program_id=program_id,
        eval_set_version=eval_set_version,
        split=split,
        trials=trials,
        n_scored=n_scored,
        n_errors=sum(trial.status == "error" for trial in trials),
        n_unscored=sum(trial.status == "unscored" for trial in trials),
        coverage=n_scored / len(trials) if trials else 0.0,
        score=score,
        summaries=tuple(item for item in summaries if item.n_cases),
        suite=suite,
    )


def dimension_values(trial: Trial) -> dict[str, float]:
    """Return each check dimension's value on one trial: the lowest of its findings."""
    values: dict[str, float] = {}
    for score in trial.scores:
        values[score.dimension] = min(values.get(score.dimension, 1.0), score.value)
    return values


def _summary(name: str, rows: Sequence[tuple[GradedCase, float]]) -> Summary:
    if not rows:
        return Summary(name=name, mean=0.0, n_cases=0)
    weights = relative_weights([item.case for item, _ in rows])
    clusters = [item.case.cluster or item.case.id for item, _ in rows]
    values = [value for _, value in rows]
    if weights is not None:
        values = [value * weight for value, weight in zip(values, weights, strict=True)]
    interval = mean_interval(values, clusters=clusters, bounded=weights is None)
    return Summary(name=name, mean=sum(values) / len(values), interval=interval, n_cases=len(rows))


def _quantity(name: str, values: Sequence[float]) -> Summary:
    return Summary(
        name=name,
        mean=sum(values) / len(values),
        n_cases=len(values),
        p50=percentile(values, 0.5),
        p95=percentile(values, 0.95),
    )
