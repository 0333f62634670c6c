"""Cuts live events into windows and sums them up by version and arm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from promptyard.records.joined import Joined
from promptyard.records.live import Arm
from promptyard.records.monitoring import WindowStats
from promptyard.runner.summarize import percentile
from promptyard.stats.intervals import mean_interval


def cut(
    rows: Sequence[Joined], now: str, *, window_s: float, reference_s: float
) -> tuple[list[Joined], list[Joined]]:
    """Return the reference window and the window that ends now, by the store's clock."""
    end = datetime.fromisoformat(now)
    start = (end - timedelta(seconds=window_s)).isoformat(timespec="microseconds")
    before = (end - timedelta(seconds=window_s + reference_s)).isoformat(timespec="microseconds")
    reference = [row for row in rows if before <= row.stored_at < start]
    window = [row for row in rows if start <= row.stored_at <= now]
    return reference, window


def subject_of(row: Joined) -> str:
    """Return whose outcome it is; one without a subject stands for itself.

    Outcomes of one subject are not independent, so they are one cluster.
    """
    return row.outcome.subject or row.outcome.id


def window_stats(rows: Sequence[Joined]) -> tuple[WindowStats, ...]:
    """Sum up a window for each version and arm, in that order."""
    groups: dict[tuple[int, Arm | None], list[Joined]] = {}
    for row in rows:
        groups.setdefault((row.outcome.version, row.outcome.arm), []).append(row)
    keys = sorted(groups, key=lambda key: (key[0], key[1] or ""))
    return tuple(_stats(version, arm, groups[version, arm]) for version, arm in keys)


def _stats(version: int, arm: Arm | None, rows: Sequence[Joined]) -> WindowStats:
    outcomes = [row.outcome for row in rows]
    scored = [row for row in rows if row.score is not None]
    values = [row.score for row in scored if row.score is not None]
    times = [item.latency_s for item in outcomes if item.latency_s is not None]
    tokens = [
        (item.input_tokens or 0) + (item.output_tokens or 0)
        for item in outcomes
        if item.input_tokens is not None or item.output_tokens is not None
    ]
    costs = [item.cost_usd for item in outcomes if item.cost_usd is not None]
    looked_at = [row for row in rows if row.hard_failure is not None]
    clusters = [subject_of(row) for row in scored]
    return WindowStats(
        version=version,
        arm=arm,
        n_outcomes=len(rows),
        n_errors=sum(bool(item.error) for item in outcomes),
        n_looked_at=len(looked_at),
        n_hard_failures=sum(row.hard_failure is True for row in looked_at),
        n_scored=len(values),
        score=sum(values) / len(values) if values else None,
        score_interval=mean_interval(values, clusters=clusters) if values else None,
        latency_p50_s=percentile(times, 0.5) if times else None,
        latency_p95_s=percentile(times, 0.95) if times else None,
        latency_p99_s=percentile(times, 0.99) if times else None,
        tokens=sum(tokens) / len(tokens) if tokens else None,
        cost_usd=sum(costs) / len(costs) if costs else None,
        total_cost_usd=sum(costs),
        finish_reasons=dict(Counter(item.finish_reason or "(none)" for item in outcomes)),
        models=dict(Counter(item.model or "(none)" for item in outcomes)),
    )
