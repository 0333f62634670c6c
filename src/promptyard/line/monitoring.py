"""Looks at live traffic of a prompt, or of all, and records what is to be alerted."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from promptyard.errors import PromptyardError, ReadOnlyStore
from promptyard.line.live_traffic import sampled_live_events
from promptyard.line.query import StoreOrUrl, opened, require_prompt
from promptyard.protocols import Store
from promptyard.records.alerts import Alert
from promptyard.records.base import Record
from promptyard.records.monitoring import MonitorPlan, MonitorReport
from promptyard.release.monitors import monitor

MOST_EVENTS = 500_000
"""Events of one look, some 2 GB; of more a sample is looked at."""
MOST_AT_ONCE = 10_000
"""Events of one look of a service, which has other things to do and to hold: some 50 MB."""


class TrafficLook(Record):
    """One look at all prompts that have traffic; `troubles` say which could not be looked at."""

    reports: tuple[MonitorReport, ...] = ()
    troubles: tuple[str, ...] = ()


async def look_at_all_traffic(
    url: StoreOrUrl, plan: MonitorPlan, *, now: str | None = None, most: int = MOST_AT_ONCE
) -> TrafficLook:
    """Look at each prompt that has had traffic since the reference began; one stops no other.

    Costs no call. Raises StorageError when the prompts cannot be listed.
    """
    at = now or datetime.now(UTC).isoformat(timespec="microseconds")
    reports: list[MonitorReport] = []
    troubles: list[str] = []
    async with opened(url) as store:
        after = await store.event_number_at(_begin(plan, at))
        for name in await store.prompt_names():
            try:
                if await store.live_events(name, after=after, limit=1):
                    reports.append(await look_at_traffic(store, name, plan, now=at, most=most))
            except (PromptyardError, ValueError) as error:
                troubles.append(f"prompt {name}: {str(error).splitlines()[0]}")
    return TrafficLook(reports=tuple(reports), troubles=tuple(troubles))


class NumberedAlert(Record):
    """An alert with the number `seq` under which the store holds it; numbers ascend."""

    seq: int
    alert: Alert


async def look_at_traffic(
    url: StoreOrUrl,
    name: str,
    plan: MonitorPlan,
    *,
    now: str | None = None,
    most: int = MOST_EVENTS,
) -> MonitorReport:
    """Look at the window that ends `now` (by default: now) and store its alerts, each once.

    Everything is computed of stored events, so that a restart changes nothing. Of more than `most`
    events a sample is looked at, the same one each time. Costs no call. A store that may only be
    read gets no alerts, and the report says so. Raises NotFound for an unknown prompt.
    """
    at = now or datetime.now(UTC).isoformat(timespec="microseconds")
    async with opened(url) as store:
        await require_prompt(store, name)
        known = list(await store.alerts(name, limit=1_000))
        after = await store.event_number_at(_begin(plan, at))
        events, share = await sampled_live_events(store, name, after=after, most=most)
        moved = await _anchors_moved(store, name, known)
        # In a thread: it is all computing, and others may wait for this event loop.
        report = await asyncio.to_thread(monitor, name, events, plan, now=at, anchors_moved=moved)
        n_unjoined = await store.unjoined_feedback(name)
        report = report.model_copy(update={"share": share, "n_unjoined": n_unjoined})
        try:
            for alert in report.alerts:
                if not _is_known(alert, known, plan, at):
                    await store.add_alert(alert.model_copy(update={"at": at}))
        except ReadOnlyStore as error:
            return report.model_copy(update={"unrecorded": str(error)})
        return report


async def list_alerts(url: StoreOrUrl, name: str, limit: int = 100) -> list[Alert]:
    """Alerts of a prompt, newest first. Raises NotFound for an unknown prompt."""
    async with opened(url) as store:
        await require_prompt(store, name)
        return list(await store.alerts(name, limit))


async def alert_page(
    url: StoreOrUrl, prompt: str | None = None, *, before: int | None = None, limit: int = 100
) -> list[NumberedAlert]:
    """Alerts of one prompt or of all, newest first: those with a number below `before`.

    Raises NotFound for an unknown prompt.
    """
    async with opened(url) as store:
        if prompt is not None:
            await require_prompt(store, prompt)
        found = await store.numbered_alerts(prompt, before=before, limit=limit)
        return [NumberedAlert(seq=seq, alert=alert) for seq, alert in found]


def _begin(plan: MonitorPlan, at: str) -> str:
    """Return when the reference began, or before the first event there ever was."""
    back = timedelta(seconds=min(plan.window_s + plan.reference_s, 1e10))
    try:
        return (datetime.fromisoformat(at) - back).isoformat(timespec="microseconds")
    except OverflowError:
        return ""


async def _anchors_moved(store: Store, name: str, known: list[Alert]) -> bool | None:
    """Say what the last look at the anchors found; None where nobody ever looked."""
    for row in await store.runs(name, limit=1_000):
        header = await store.run_header(str(row["id"]))
        if header.settings.get("kind") == "anchor" and row["status"] == "finished":
            return any(
                alert.kind == "anchor" and alert.at >= str(row["started_at"]) for alert in known
            )
    return None


def _is_known(alert: Alert, known: list[Alert], plan: MonitorPlan, at: str) -> bool:
    """Whether the same thing was alerted within one window: it is one finding, not two."""
    end = datetime.fromisoformat(at).timestamp()
    return any(
        (alert.kind, alert.metric, alert.version, alert.arm)
        == (other.kind, other.metric, other.version, other.arm)
        and end - datetime.fromisoformat(other.at).timestamp() < plan.window_s
        for other in known
    )
