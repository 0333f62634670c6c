"""Live events, each once however often it is sent, and the alerts of monitors."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, delete, exists, func, insert, select

from promptyard.errors import Tampered
from promptyard.records.alerts import Alert
from promptyard.records.live import Exposure, Feedback, LiveEvent, Outcome, StoredEvent
from promptyard.stats.assignment import unit_hash
from promptyard.storage.statements import MAX_PARAMETERS, insert_rows, rows_among
from promptyard.storage.stored_text import check_names, from_text, to_text
from promptyard.storage.tables import alerts, live_events

_EVENT: TypeAdapter[LiveEvent] = TypeAdapter(LiveEvent)
_INSERT = (
    "INSERT INTO live_events (event_id, kind, prompt, rollout_id, outcome_id, stored_at, event)"
)
_ONCE = "ON CONFLICT (event_id) DO NOTHING"


@dataclass(frozen=True)
class Window:
    """Which events are asked for: numbers above `after` up to `through`, at most `limit`."""

    after: int
    through: int | None
    limit: int


def check_event_names(events: Sequence[LiveEvent]) -> None:
    """Raise StorageError for an event whose ids or prompt could not be stored."""
    for event in events:
        joined = event.outcome_id if isinstance(event, Feedback) else event.rollout_id
        check_names(event=event.id, prompt=event.prompt, reference=joined or "")


def insert_events(connection: Connection, events: Sequence[LiveEvent], at: str) -> int:
    """Store the events that are not there yet; returns how many were new.

    Of two with the same id the first counts. Feedback comes after everything else, and belongs to
    the rollout of its outcome. The caller holds the lock of live events, so that numbers ascend in
    the order of commits: a reader that has seen a number has seen all below.
    """
    shown = [event for event in events if not isinstance(event, Feedback)]
    feedback = [event for event in events if isinstance(event, Feedback)]
    # A number is the largest so far and one, on SQLite; on PostgreSQL it is the next of a sequence.
    rows = [_row(event, event.rollout_id, at) for event in shown]
    n_new = insert_rows(connection, _INSERT, rows, _ONCE)
    if feedback:
        rollout_of = _rollouts_of(connection, [item.outcome_id for item in feedback], shown)
        rows = [_row(item, rollout_of.get((item.prompt, item.outcome_id)), at) for item in feedback]
        n_new += insert_rows(connection, _INSERT, rows, _ONCE)
    _number_waiting(connection, [e for e in shown if isinstance(e, Outcome)], at)
    return n_new


def list_events(
    connection: Connection, name: str, rollout_id: str | None, window: Window
) -> list[StoredEvent]:
    """Events of a prompt or of one rollout, with the feedback on the latter's outcomes."""
    query = select(live_events.c.id, live_events.c.stored_at, live_events.c.event).where(
        live_events.c.prompt == name, live_events.c.id > window.after
    )
    if rollout_id is not None:
        query = query.where(live_events.c.rollout_id == rollout_id)
    if window.through is not None:
        query = query.where(live_events.c.id <= window.through)
    rows = connection.execute(query.order_by(live_events.c.id).limit(window.limit)).all()
    return [
        StoredEvent(seq=number, stored_at=at, event=read_event(number, text))
        for number, at, text in rows
    ]


def count_unjoined(connection: Connection, name: str | None) -> int:
    """Count feedback whose outcome is not there, or is another prompt's."""
    outcome = live_events.alias("outcome")
    is_there = exists().where(
        outcome.c.event_id == live_events.c.outcome_id, outcome.c.prompt == live_events.c.prompt
    )
    query = select(func.count()).where(live_events.c.outcome_id.is_not(None), ~is_there)
    if name is not None:
        query = query.where(live_events.c.prompt == name)
    return connection.execute(query).scalar_one()


def sample_events(
    connection: Connection, name: str, share: float, after: int, limit: int
) -> tuple[list[StoredEvent], int]:
    """Return a share of the outcomes among some events, and feedback on such; and how far it got.

    What is not in the sample is not parsed: that is what takes the time.
    """
    columns = live_events.c
    query = select(
        columns.id, columns.event_id, columns.outcome_id, columns.stored_at, columns.event
    ).where(columns.prompt == name, columns.id > after, columns.kind != "exposure")
    rows = connection.execute(query.order_by(columns.id).limit(limit)).all()
    found = [
        StoredEvent(seq=number, stored_at=at, event=read_event(number, text))
        for number, event_id, outcome_id, at, text in rows
        if share >= 1 or unit_hash("sample", outcome_id or event_id) < share
    ]
    return found, rows[-1][0] if len(rows) == limit else 0


def insert_alert(connection: Connection, alert: Alert, at: str) -> Alert:
    """Store an alert; its time is now unless it has one."""
    logged = alert if alert.at else alert.model_copy(update={"at": at})
    values = {"prompt": logged.prompt, "at": logged.at, "alert": to_text(logged)}
    connection.execute(insert(alerts).values(values))
    return logged


def list_numbered_alerts(
    connection: Connection, prompt: str | None, before: int | None, limit: int
) -> list[tuple[int, Alert]]:
    """Alerts of one prompt or of all with their numbers, newest first."""
    query = select(alerts.c.seq, alerts.c.alert).order_by(alerts.c.seq.desc()).limit(limit)
    if prompt is not None:
        query = query.where(alerts.c.prompt == prompt)
    if before is not None:
        query = query.where(alerts.c.seq < before)
    rows = connection.execute(query).all()
    return [(row.seq, from_text(Alert, row.alert)) for row in rows]


def list_alerts(connection: Connection, name: str, limit: int) -> list[Alert]:
    """Alerts of a prompt, newest first."""
    query = select(alerts.c.alert).where(alerts.c.prompt == name).order_by(alerts.c.seq.desc())
    return [from_text(Alert, text) for text in connection.execute(query.limit(limit)).scalars()]


def _rollouts_of(
    connection: Connection, outcome_ids: Sequence[str], together: Sequence[Exposure | Outcome]
) -> dict[tuple[str, str], str | None]:
    """Return the rollouts of outcomes by (prompt, id); `together` are stored with the feedback."""
    found: dict[tuple[str, str], str | None] = {
        (event.prompt, event.id): event.rollout_id for event in together
    }
    sql = "SELECT prompt, event_id, rollout_id FROM live_events WHERE event_id IN (??)"
    for prompt, event_id, rollout_id in rows_among(connection, sql, outcome_ids):
        found[prompt, event_id] = rollout_id
    return found


def _number_waiting(connection: Connection, outcomes: Sequence[Outcome], at: str) -> None:
    """Give feedback that came before its outcome a new number, behind it.

    Under its old one a reader of the rollout, who has passed it, would never see it, and another
    one who starts at the beginning would.
    """
    rollout_of = {item.id: (item.prompt, item.rollout_id) for item in outcomes if item.rollout_id}
    waiting: list[tuple[object, ...]] = []
    for some in _portions(list(rollout_of)):
        here = (live_events.c.outcome_id.in_(some), live_events.c.rollout_id.is_(None))
        query = select(live_events).where(*here).order_by(live_events.c.id)
        for row in connection.execute(query).mappings():
            prompt, rollout_id = rollout_of[row["outcome_id"]]
            if row["prompt"] == prompt:
                names = (row["event_id"], row["kind"], prompt, rollout_id, row["outcome_id"])
                waiting.append((*names, at, row["event"]))
    for some in _portions([str(row[0]) for row in waiting]):
        connection.execute(delete(live_events).where(live_events.c.event_id.in_(some)))
    insert_rows(connection, _INSERT, waiting)


def _portions(ids: Sequence[str]) -> Generator[Sequence[str]]:
    for start in range(0, len(ids), MAX_PARAMETERS):
        yield ids[start : start + MAX_PARAMETERS]


def read_event(number: int, text: str) -> LiveEvent:
    """Read a stored event. Raises Tampered saying which one cannot be read."""
    try:
        return _EVENT.validate_json(text)
    except ValidationError:  # lone surrogates, which only the standard library reads
        try:
            return _EVENT.validate_python(json.loads(text))
        except ValueError:
            raise Tampered(
                f"The live event {number} of the store cannot be read: it is not what was stored; "
                "restore the store from a copy."
            ) from None


def _row(event: LiveEvent, rollout_id: str | None, at: str) -> tuple[object, ...]:
    outcome_id = event.outcome_id if isinstance(event, Feedback) else None
    return (event.id, event.kind, event.prompt, rollout_id, outcome_id, at, to_text(event))
