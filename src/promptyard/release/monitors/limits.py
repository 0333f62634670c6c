"""Holds windows to their limits: an alert is raised where the whole interval lies beyond one."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.records.alerts import Alert
from promptyard.records.joined import Joined
from promptyard.records.monitoring import MonitorPlan, WindowStats
from promptyard.stats.intervals import mean_interval, wilson_interval

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
        found += _rates(prompt, window, plan)
        found += _slow(prompt, window, own, plan)
        found += _means(prompt, window, own, plan)
    return found


def _rates(prompt: str, window: WindowStats, plan: MonitorPlan) -> list[Alert]:
    limits = plan.limits
    rates = (
        ("error_rate", window.n_errors, window.n_outcomes, limits.error_rate),
        (
            "hard_failure_rate",
            window.n_hard_failures,
            window.n_looked_at,
            limits.hard_failure_rate,
        ),
    )
    found: list[Alert] = []
    for name, n_bad, n, limit in rates:
        if limit is None or not n:
            continue
        low, _ = wilson_interval(n_bad, n, alpha=2 * plan.alpha)
        if low > limit:
            found.append(
                _alert(
                    prompt,
                    window,
                    name,
                    n_bad / n,
                    limit,
                    f"{name} is {100 * n_bad / n:.1f} % ({n_bad} of {n}), the limit "
                    f"{100 * limit:g} %",
                )
            )
    return found


def _slow(
    prompt: str, window: WindowStats, rows: Sequence[Joined], plan: MonitorPlan
) -> list[Alert]:
    limit = plan.limits.latency_p95_s
    times = [row.outcome.latency_s for row in rows if row.outcome.latency_s is not None]
    if limit is None or not times or window.latency_p95_s is None:
        return []
    low, _ = wilson_interval(sum(time > limit for time in times), len(times), alpha=2 * plan.alpha)
    if low <= SLOW:
        return []
    said = f"latency_p95_s is {window.latency_p95_s:.3g} s, the limit {limit:g} s"
    return [_alert(prompt, window, "latency_p95_s", window.latency_p95_s, limit, said)]


def _means(
    prompt: str, window: WindowStats, rows: Sequence[Joined], plan: MonitorPlan
) -> list[Alert]:
    found: list[Alert] = []
    costs = [row.outcome.cost_usd for row in rows if row.outcome.cost_usd is not None]
    limit = plan.limits.cost_usd
    if limit is not None and costs:
        interval = mean_interval(costs, alpha=2 * plan.alpha, bounded=False)
        mean = sum(costs) / len(costs)
        low = mean if interval is None else interval.low
        if low > limit:
            said = f"cost_usd is {mean:.4g} an outcome on average, the limit {limit:g}"
            found.append(_alert(prompt, window, "cost_usd", mean, limit, said))
    scores = [(row.score, row.outcome) for row in rows if row.score is not None]
    lowest = plan.limits.score
    if lowest is not None and len(scores) >= plan.min_outcomes:
        values = [score for score, _ in scores]
        clusters = [outcome.subject or outcome.id for _, outcome in scores]
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
