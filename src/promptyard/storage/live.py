"""Live events, each once however often it is sent, and the alerts of monitors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select

from promptyard.records.alerts import Alert
from promptyard.records.live import Exposure, Feedback, LiveEvent, Outcome, StoredEvent
from promptyard.storage.stored_text import from_text, to_text
from promptyard.storage.tables import alerts, insert_numbered, live_events

_EVENT: TypeAdapter[LiveEvent] = TypeAdapter(LiveEvent)
_COLUMNS = ("event_id", "kind", "prompt", "rollout_id", "outcome_id", "stored_at", "event")
_MAX_PARAMETERS = 500


@dataclass(frozen=True)
class Window:
    """Which events are asked for: numbers above `after` up to `through`, at most `limit`."""

    after: int
    through: int | None
    limit: int


def insert_events(connection: Connection, events: Sequence[LiveEvent], at: str) -> int:
    """Store the events that are not there yet, in their order; returns how many were new.

    The caller holds the lock of live events, so that numbers ascend in the order of commits: a
    reader that has seen a number has seen all below.
    """
    unique = {event.id: event for event in events}
    ids = list(unique)
    known: set[str] = set()
    for start in range(0, len(ids), _MAX_PARAMETERS):
        some = live_events.c.event_id.in_(ids[start : start + _MAX_PARAMETERS])
        known.update(connection.execute(select(live_events.c.event_id).where(some)).scalars())
    rows = [_row(event, at) for key, event in unique.items() if key not in known]
    if rows:
        insert_numbered(connection, live_events, _COLUMNS, rows)
    return len(rows)


def list_events(
    connection: Connection, name: str, rollout_id: str | None, window: Window
) -> list[StoredEvent]:
    """Events of a prompt or of one rollout, with the feedback on the latter's outcomes."""
    query = select(live_events.c.id, live_events.c.stored_at, live_events.c.event).where(
        live_events.c.prompt == name, live_events.c.id > window.after
    )
    if rollout_id is not None:
        query = query.where(_of_rollout(rollout_id))
    if window.through is not None:
        query = query.where(live_events.c.id <= window.through)
    rows = connection.execute(query.order_by(live_events.c.id).limit(window.limit)).mappings()
    return [
        StoredEvent(
            seq=row["id"],
            stored_at=row["stored_at"],
            event=_EVENT.validate_json(row["event"]),
        )
        for row in rows
    ]


def insert_alert(connection: Connection, alert: Alert, at: str) -> Alert:
    """Store an alert; its time is now unless it has one."""
    logged = alert if alert.at else alert.model_copy(update={"at": at})
    values = {"prompt": logged.prompt, "at": logged.at, "alert": to_text(logged)}
    connection.execute(insert(alerts).values(values))
    return logged


def list_alerts(connection: Connection, name: str, limit: int) -> list[Alert]:
    """Alerts of a prompt, newest first."""
    query = select(alerts.c.alert).where(alerts.c.prompt == name).order_by(alerts.c.seq.desc())
    return [from_text(Alert, text) for text in connection.execute(query.limit(limit)).scalars()]


def _of_rollout(rollout_id: str) -> ColumnElement[bool]:
    outcomes = live_events.alias("outcomes")
    judged = select(outcomes.c.event_id).where(outcomes.c.rollout_id == rollout_id)
    return or_(
        live_events.c.rollout_id == rollout_id,
        and_(live_events.c.kind == "feedback", live_events.c.outcome_id.in_(judged)),
    )


def _row(event: LiveEvent, at: str) -> tuple[object, ...]:
    match event:
        case Exposure() | Outcome():
            joined = (event.rollout_id, None)
        case Feedback():
            joined = (None, event.outcome_id)
    return (event.id, event.kind, event.prompt, *joined, at, to_text(event))
