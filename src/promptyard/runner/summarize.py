"""Folds graded cases into a Report: means with intervals, coverage, latency and cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from promptyard.records.base import Json
from promptyard.records.cases import Case, EvalSplit
from promptyard.records.scores import (
    CheckSummary,
    GradedCase,
    Interval,
    JudgeSummary,
    Report,
    Score,
    Summary,
    Trial,
    relative_weights,
)
from promptyard.stats.intervals import mean_interval, percentile


def summarize(
    program_id: str,
    eval_set_version: str,
    split: EvalSplit,
    graded: Sequence[GradedCase],
    suite: Mapping[str, Json],
) -> Report:
    """Fold graded cases of one program into a report. Errors never enter a mean.

    Replicates of a case are averaged first, so that every interval and count is over cases.
    """
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
        n_cases = len({item.case.id for item in answered})
        latencies_s = [item.trial.latency_s for item in answered]
        summaries.append(_quantity("latency_s", latencies_s, n_cases))
        tokens = [item.trial.total_tokens for item in answered]
        summaries.append(_quantity("tokens", tokens, n_cases))
        costs = [item.trial.cost_usd for item in answered]
        if all(cost is not None for cost in costs):
            known = [cost or 0.0 for cost in costs]
            summaries.append(_quantity("cost_usd", known, n_cases))
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
        checks=_check_summaries(graded),
        suite=suite,
    )


def dimension_values(trial: Trial) -> dict[str, float]:
    """Return each check dimension's value on one trial: the lowest of its findings."""
    values: dict[str, float] = {}
    for score in trial.scores:
        values[score.dimension] = min(values.get(score.dimension, 1.0), score.value)
    return values


def case_values(report: Report, dimension: str) -> dict[str, float]:
    """Return the value of every case in one dimension, the mean of its scored replicates.

    `dimension` is `score`, a check dimension, `latency_s`, `tokens` or `cost_usd`. Cases without a
    value are left out.
    """
    values: dict[str, list[float]] = {}
    for trial in report.trials:
        value = _trial_value(trial, dimension)
        if value is not None:
            values.setdefault(trial.case_id, []).append(value)
    return {case_id: sum(found) / len(found) for case_id, found in values.items()}


def _trial_value(trial: Trial, dimension: str) -> float | None:
    if trial.status != "scored":
        return None
    if dimension == "score":
        return trial.score
    if dimension == "latency_s":
        return trial.latency_s
    if dimension == "tokens":
        return float(trial.total_tokens)
    if dimension == "cost_usd":
        return trial.cost_usd
    return dimension_values(trial).get(dimension)


def _check_summaries(graded: Sequence[GradedCase]) -> tuple[CheckSummary, ...]:
    """Sum up each check over the trials in which it was run, in order of first appearance."""
    rows: dict[str, list[tuple[Case, list[Score]]]] = {}
    missed: dict[str, Counter[str]] = {}
    for item in graded:
        found: dict[str, list[Score]] = {}
        for score in item.trial.scores:
            found.setdefault(score.metric, []).append(score)
        for name, scores in found.items():
            rows.setdefault(name, []).append((item.case, scores))
        for gap in item.trial.unmeasured:
            rows.setdefault(gap.metric, [])
            missed.setdefault(gap.metric, Counter())[gap.status] += 1
    return tuple(
        _check_summary(name, found, missed.get(name, Counter())) for name, found in rows.items()
    )


def _check_summary(
    name: str, rows: Sequence[tuple[Case, Sequence[Score]]], missed: Mapping[str, int]
) -> CheckSummary:
    first = rows[0][1][0] if rows else None
    lowest = [(case, min(score.value for score in scores)) for case, scores in rows]
    mean, interval = _mean(lowest) if lowest else (None, None)
    return CheckSummary(
        metric=name,
        dimension="accuracy" if first is None else first.dimension,
        severity="soft" if first is None else first.severity,
        mean=mean,
        interval=interval,
        n_cases=len({case.id for case, _ in rows}),
        n_errors=missed.get("error", 0),
        n_skipped=missed.get("skip", 0),
        judge=_judge_summary([score for _, scores in rows for score in scores]),
    )


def _judge_summary(scores: Sequence[Score]) -> JudgeSummary | None:
    stamps = [score.judge for score in scores if score.judge is not None]
    if not stamps:
        return None
    repeated = [stamp for stamp in stamps if stamp.repeated is not None]
    return JudgeSummary(
        # Several instruments behind one check are written out, so that no certificate fits them.
        model=", ".join(dict.fromkeys(stamp.model for stamp in stamps)),
        prompt_hash=", ".join(dict.fromkeys(stamp.prompt_hash for stamp in stamps)),
        n_repeated=len(repeated),
        n_flipped=sum(stamp.repeated != stamp.verdict for stamp in repeated),
    )


def _summary(name: str, rows: Sequence[tuple[GradedCase, float]]) -> Summary:
    if not rows:
        return Summary(name=name, mean=0.0, n_cases=0)
    mean, interval = _mean([(item.case, value) for item, value in rows])
    n_cases = len({item.case.id for item, _ in rows})
    return Summary(name=name, mean=mean, interval=interval, n_cases=n_cases)


def _mean(rows: Sequence[tuple[Case, float]]) -> tuple[float, Interval | None]:
    cases = {case.id: case for case, _ in rows}
    replicates: dict[str, list[float]] = {}
    for case, value in rows:
        replicates.setdefault(case.id, []).append(value)
    weights = relative_weights(list(cases.values()))
    clusters = [case.cluster or case.id for case in cases.values()]
    values = [sum(found) / len(found) for found in replicates.values()]
    if weights is not None:
        values = [value * weight for value, weight in zip(values, weights, strict=True)]
    interval = mean_interval(values, clusters=clusters, bounded=weights is None)
    return sum(values) / len(values), interval


def _quantity(name: str, values: Sequence[float], n_cases: int) -> Summary:
    return Summary(
        name=name,
        mean=sum(values) / len(values),
        n_cases=n_cases,
        p50=percentile(values, 0.5),
        p95=percentile(values, 0.95),
        p99=percentile(values, 0.99),
    )
