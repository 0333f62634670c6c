"""Holds windows to their limits: an alert is raised where the whole interval lies beyond one.

Intervals count subjects, not calls: what one subject meets twenty times is one observation.
"""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.records.alerts import Alert
from promptyard.records.joined import Joined
from promptyard.records.monitoring import MonitorPlan, WindowStats
from promptyard.release.monitors.windows import subject_of
from promptyard.stats.intervals import mean_interval

SLOW = 0.05


def limit_alerts(
    prompt: str, rows: Sequence[Joined], windows: Sequence[WindowStats], plan: MonitorPlan
) -> list[Alert]:
    """Return what passed its limit, window by window; small windows say nothing."""
    found: list[Alert] = []
    for window in windows:
        if window.n_outcomes < plan.min_outcomes:
            continue
        own = [
            row
            for row in rows
            if (row.outcome.version, row.outcome.arm) == (window.version, window.arm)
        ]
        found += _rates(prompt, window, own, plan)
        found += _slow(prompt, window, own, plan)
        found += _means(prompt, window, own, plan)
    return found


def _rates(
    prompt: str, window: WindowStats, rows: Sequence[Joined], plan: MonitorPlan
) -> list[Alert]:
    limits = plan.limits
    errors = [(bool(row.outcome.error), subject_of(row)) for row in rows]
    unusable = [(row.hard_failure, subject_of(row)) for row in rows if row.hard_failure is not None]
    found: list[Alert] = []
    for name, marks, limit in (
        ("error_rate", errors, limits.error_rate),
        ("hard_failure_rate", unusable, limits.hard_failure_rate),
    ):
        if limit is None or not marks or _least_rate(marks, plan) <= limit:
            continue
        n_bad, n = sum(is_bad for is_bad, _ in marks), len(marks)
        said = f"{name} is {100 * n_bad / n:.1f} % ({n_bad} of {n}), the limit {100 * limit:g} %"
        found.append(_alert(prompt, window, name, n_bad / n, limit, said))
    return found


def _slow(
    prompt: str, window: WindowStats, rows: Sequence[Joined], plan: MonitorPlan
) -> list[Alert]:
    limit = plan.limits.latency_p95_s
    times = [
        (row.outcome.latency_s, subject_of(row))
        for row in rows
        if row.outcome.latency_s is not None
    ]
    if limit is None or not times or window.latency_p95_s is None:
        return []
    if _least_rate([(time > limit, subject) for time, subject in times], plan) <= SLOW:
        return []
    said = f"latency_p95_s is {window.latency_p95_s:.3g} s, the limit {limit:g} s"
    return [_alert(prompt, window, "latency_p95_s", window.latency_p95_s, limit, said)]


def _least_rate(marks: Sequence[tuple[bool, str]], plan: MonitorPlan) -> float:
    """Return the one-sided lower bound of a rate over subjects; 0 where one subject is all."""
    interval = mean_interval(
        [float(is_bad) for is_bad, _ in marks],
        clusters=[subject for _, subject in marks],
        alpha=2 * plan.alpha,
    )
    return 0.0 if interval is None else interval.low


def _means(
    prompt: str, window: WindowStats, rows: Sequence[Joined], plan: MonitorPlan
) -> list[Alert]:
    found: list[Alert] = []
    paid = [(row.outcome.cost_usd, row) for row in rows if row.outcome.cost_usd is not None]
    limit = plan.limits.cost_usd
    if limit is not None and paid:
        costs = [cost for cost, _ in paid]
        payers = [subject_of(row) for _, row in paid]
        interval = mean_interval(costs, clusters=payers, alpha=2 * plan.alpha, bounded=False)
        mean = sum(costs) / len(costs)
        if interval is not None and interval.low > limit:
            said = f"cost_usd is {mean:.4g} an outcome on average, the limit {limit:g}"
            found.append(_alert(prompt, window, "cost_usd", mean, limit, said))
    scores = [(row.score, row) for row in rows if row.score is not None]
    lowest = plan.limits.score
    if lowest is not None and len(scores) >= plan.min_outcomes:
        values = [score for score, _ in scores]
        clusters = [subject_of(row) for _, row in scores]
        interval = mean_interval(values, clusters=clusters, alpha=2 * plan.alpha)
        mean = sum(values) / len(values)
        if interval is not None and interval.high < lowest:
            said = f"score is {mean:.3g} on {len(values)} outcomes, the limit {lowest:g}"
            found.append(_alert(prompt, window, "score", mean, lowest, said))
    return found


def _alert(
    prompt: str, window: WindowStats, metric: str, value: float, limit: float, said: str
) -> Alert:
    where = f"v{window.version}" + (f" ({window.arm})" if window.arm else "")
    return Alert(
        prompt=prompt,
        kind="threshold",
        metric=metric,
        value=value,
        limit=limit,
        version=window.version,
        arm=window.arm,
        n_outcomes=window.n_outcomes,
        sentence=f"{where}: {said}.",
    )
