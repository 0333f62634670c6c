"""Runs and reports as plain JSON data, for `--json` and other programs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

from promptyard.records.base import Json
from promptyard.records.budget import Spent
from promptyard.records.evidence import Bucket
from promptyard.records.runs import Run
from promptyard.records.scores import Interval, Report, Summary
from promptyard.records.verdicts import Comparison
from promptyard.reports.aggregate import rejection_table
from promptyard.reports.credits import credit_table
from promptyard.reports.holdout import holdout_figures


def run_summary(
    run: Run, *, n_cases: int, n_holdout: int, report_path: str | None
) -> dict[str, Json]:
    """Sum up a run as JSON data; numbers that were not measured are None.

    Scores are fractions in [0, 1]. `winner_score` is the holdout score of `run.best`: the
    finalist's where it passed, else the baseline's. `score_diff`, `ci_low` and `ci_high` are
    finalist minus baseline, and None where no claim was measured; `verdict_split` is where it was
    (`dev` where the task has no holdout). `n_cases` and `n_holdout` are the sizes of the eval set
    and its holdout, `report_path` where the page was written. Buckets are counted as in
    `report_summary`.
    """
    figures = holdout_figures(run)
    interval = figures.interval
    spent = run.spent
    summary: dict[str, Json] = {
        "run_id": run.id,
        "task": run.header.task,
        "status": run.status,
        "task_model": run.header.task_model,
        "optimizer_model": run.header.optimizer_model,
        "strategy": run.header.strategy,
        "seed": run.header.seed,
        "eval_set_version": run.header.eval_set_version,
        "n_cases": n_cases,
        "n_holdout": n_holdout,
        "baseline_score": figures.baseline,
        "winner_score": figures.winner,
        "finalist_score": figures.finalist,
        "score_diff": figures.difference,
        "ci_low": None if interval is None else interval.low,
        "ci_high": None if interval is None else interval.high,
        "n_fixed": figures.fixed if run.decision else None,
        "n_broken": figures.broken if run.decision else None,
        "verdict": run.verdict.status,
        "sentence": run.verdict.sentence,
        "coverage": run.verdict.coverage,
        "critical_regressions": list(run.verdict.critical_regressions),
        "holdout_looks": run.decision.looks if run.decision else 0,
        "task_calls": spent.task_calls,
        "search_task_calls": run.search_task_calls,
        "cached_calls": spent.cached_calls,
        "optimizer_calls": spent.optimizer_calls,
        "judge_calls": spent.judge_calls,
        "naive_calls": run.naive_task_calls,
        "seconds": spent.seconds,
        "tokens": spent.tokens,
        "usd": known_usd(spent),
        "unpriced_calls": spent.unpriced_calls,
        "failed_attempts": dict(spent.failures),
        "version": run.version,
        "report_path": report_path,
        "n_candidates": run.n_candidates,
        "n_rejected": len(run.rejections),
        "rejections": [row.model_dump(mode="json") for row in rejection_table(run.rejections)],
        "stages": [stage.model_dump(mode="json") for stage in run.stages],
        "dimensions": [comparison_data(item) for item in run.verdict.comparisons],
        "buckets_before": _bucket_cases(run.buckets_before),
        "buckets_after": _bucket_cases(run.buckets_after),
        "buckets_split": "train" if run.decision is None else run.verdict_split or "holdout",
        "verdict_split": run.verdict_split,
        "served": [
            {
                "task_calls": point.calls_so_far,
                "program_id": point.program.id,
                "n_cases": point.n_cases,
                "difference": point.difference,
            }
            for point in run.served
        ],
        "credits": [row.model_dump(mode="json") for row in credit_table(run.credits)],
        "traps": list(run.traps),
        "notes": list(run.notes),
    }
    return cast("dict[str, Json]", sayable(summary))


def known_usd(spent: Spent) -> float | None:
    """Return what the priced calls cost; None where no call that cost anything has a price."""
    return None if spent.unpriced_calls and not spent.usd else spent.usd


def report_summary(report: Report, *, buckets: Sequence[Bucket] = ()) -> dict[str, Json]:
    """Sum up one measurement as JSON data; `buckets` are the failure buckets of its cases.

    `n_cases` counts distinct cases, `failures` the trials without a score by kind. Of a bucket,
    `n_cases` are the cases with this failure and `n_first` those without a worse one.
    """
    score = report.summary("score")
    failures = Counter(trial.failure.kind for trial in report.trials if trial.failure is not None)
    summary: dict[str, Json] = {
        "program_id": report.program_id,
        "eval_set_version": report.eval_set_version,
        "split": report.split,
        "n_cases": len({trial.case_id for trial in report.trials}),
        "score": report.score,
        "interval": None if score is None else _interval(score.interval),
        "coverage": report.coverage,
        "n_scored": report.n_scored,
        "n_errors": report.n_errors,
        "n_unscored": report.n_unscored,
        "failures": dict(sorted(failures.items())),
        "dimensions": {item.name: _mean(item) for item in report.summaries},
        "uncalibrated": sorted(report.uncalibrated),
        "suite": dict(report.suite),
        "buckets": _bucket_cases(buckets),
    }
    return cast("dict[str, Json]", sayable(summary))


def comparison_data(item: Comparison) -> dict[str, Json]:
    """Write one comparison of a verdict as JSON data."""
    interval = item.interval
    return {
        "dimension": item.dimension,
        "rule": item.rule,
        "status": item.status,
        "n_cases": item.n_cases,
        "baseline": item.baseline_mean,
        "candidate": item.candidate_mean,
        "difference": item.difference,
        "ci_low": None if interval is None else interval.low,
        "ci_high": None if interval is None else interval.high,
        "ci_level": None if interval is None else interval.level,
        "p_value": item.p_value,
        "n_fixed": item.fixed,
        "n_broken": item.broken,
        "margin": item.margin,
        "uncalibrated": item.uncalibrated,
        "sentence": item.sentence,
    }


def _bucket_cases(buckets: Sequence[Bucket]) -> list[dict[str, Json]]:
    found: dict[tuple[str, str | None], tuple[set[str], set[str]]] = {}
    for item in buckets:
        ids, first = found.setdefault((item.tag, item.field), (set(), set()))
        ids.update(item.case_ids)
        first.update(item.primary_ids)
    rows: list[dict[str, Json]] = [
        {"tag": tag, "field": field, "n_cases": len(ids), "n_first": len(first)}
        for (tag, field), (ids, first) in found.items()
    ]
    return sorted(rows, key=lambda row: -row["n_cases"])


def _mean(item: Summary) -> dict[str, Json]:
    return {
        "mean": item.mean,
        "interval": _interval(item.interval),
        "n_cases": item.n_cases,
        "p50": item.p50,
        "p95": item.p95,
        "p99": item.p99,
    }


def _interval(interval: Interval | None) -> dict[str, Json] | None:
    return None if interval is None else interval.model_dump(mode="json")


def sayable(value: Json) -> Json:
    """Replace what JSON or UTF-8 cannot say: NaN, infinities (None), lone surrogates (U+FFFD)."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Json]", value).items()
        return {sayable(str(key)): sayable(item) for key, item in items}
    if isinstance(value, list | tuple):
        return [sayable(item) for item in cast("Sequence[Json]", value)]
    return value
