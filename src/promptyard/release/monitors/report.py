"""One look at live traffic: windows, limits, drift, and one sentence. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from promptyard.records.alerts import Alert
from promptyard.records.joined import joined
from promptyard.records.live import StoredEvent
from promptyard.records.monitoring import DriftReading, MonitorPlan, MonitorReport, WindowStats
from promptyard.records.verdicts import VerdictStatus
from promptyard.release.monitors.drifts import drift_alerts, drift_readings
from promptyard.release.monitors.limits import limit_alerts
from promptyard.release.monitors.windows import cut, window_stats


def monitor(
    prompt: str,
    events: Iterable[StoredEvent],
    plan: MonitorPlan,
    *,
    now: str,
    anchors_moved: bool | None = None,
) -> MonitorReport:
    """Look at the window that ends `now` (ISO 8601, UTC) and at the reference before it.

    The same events and the same `now` give the same report. Costs no call. `anchors_moved` says
    whether fixed cases, run again, have moved: then model or judge did.
    """
    reference, window = cut(
        joined(events), now, window_s=plan.window_s, reference_s=plan.reference_s
    )
    windows = window_stats(window)
    drifts = drift_readings(reference, window)
    alerts = [
        *limit_alerts(prompt, window, windows, plan),
        *drift_alerts(prompt, drifts, anchors_moved=anchors_moved),
    ]
    status = _status(windows, alerts, plan)
    return MonitorReport(
        prompt=prompt,
        at=now,
        plan=plan,
        windows=windows,
        drifts=tuple(drifts),
        alerts=tuple(alerts),
        status=status,
        sentence=_sentence(status, windows, drifts, alerts, plan),
        n_reference=len(reference),
        n_window=len(window),
    )


def _status(
    windows: Sequence[WindowStats], alerts: Sequence[Alert], plan: MonitorPlan
) -> VerdictStatus:
    if alerts:
        return "fail"
    enough = any(window.n_outcomes >= plan.min_outcomes for window in windows)
    return "pass" if enough else "inconclusive"


def _sentence(
    status: VerdictStatus,
    windows: Sequence[WindowStats],
    drifts: Sequence[DriftReading],
    alerts: Sequence[Alert],
    plan: MonitorPlan,
) -> str:
    n = sum(window.n_outcomes for window in windows)
    if status == "fail":
        first = alerts[0].sentence
        more = f" And {len(alerts) - 1} more." if len(alerts) > 1 else ""
        return f"{first}{more}"
    if status == "inconclusive":
        return (
            f"Too little traffic to tell: {n} outcomes in the window, {plan.min_outcomes} of one "
            "version are needed."
        )
    unsaid = sum(item.limit is None and not item.is_drift for item in drifts)
    beside = f"; of {unsaid} comparisons there are too few values to tell" if unsaid else ""
    return f"No alert: {n} outcomes within all limits, no drift found{beside}."
