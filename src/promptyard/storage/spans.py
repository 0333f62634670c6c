"""Spans of traces, each once however often it is sent, and feedback that finds its span here.

Telemetry says of an evaluation which span it judges, not which prompt: such feedback comes without
a prompt and waits under the id of its span, or of the answer, until that span is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from pydantic_core import PydanticSerializationError
from sqlalchemy import Connection, select

from promptyard.records.live import Feedback, LiveEvent
from promptyard.records.spans import (
    Ingested,
    Span,
    StoredSpan,
    outcome_id_of,
    response_id_of,
    response_outcome_id,
    span_outcome_id,
)
from promptyard.storage.live import insert_events
from promptyard.storage.statements import insert_rows, rows_among, run_for_each
from promptyard.storage.stored_text import from_text, to_text
from promptyard.storage.tables import live_events, spans

_INSERT = (
    "INSERT INTO spans (trace_id, span_id, prompt, version, is_error, stored_at, span, response_id)"
)
_ONCE = "ON CONFLICT (trace_id, span_id) DO NOTHING"


@dataclass(frozen=True, slots=True)
class Judged:
    """What feedback on a span belongs to."""

    prompt: str
    outcome_id: str


@dataclass(frozen=True, slots=True)
class SpanBatch:
    """What one sender wants stored: rows of spans, as `_INSERT` takes them, and live events.

    `judged` says under which ids feedback may have come before these spans.
    """

    rows: Sequence[tuple[object, ...]]
    events: Sequence[LiveEvent]
    at: str
    judged: Mapping[str, Judged]


@dataclass(frozen=True)
class SpanQuery:
    """Which spans are asked for; None leaves a condition out."""

    prompt: str | None
    version: int | None
    trace_id: str | None
    only_errors: bool
    before: int | None
    limit: int


def span_batch(given: Sequence[Span], events: Sequence[LiveEvent], at: str) -> SpanBatch:
    """Write spans as rows."""
    judged: dict[str, Judged] = {}
    for span in given:
        if span.prompt is not None:
            found = Judged(span.prompt, outcome_id_of(span))
            judged[span_outcome_id(span.trace_id, span.span_id)] = found
            response_id = response_id_of(span)
            if response_id:
                judged[response_outcome_id(response_id)] = found
    return SpanBatch([_row(span, at) for span in given], events, at, judged)


def insert_batches(connection: Connection, batches: Sequence[SpanBatch]) -> list[Ingested]:
    """Store what several senders sent. The caller holds the lock of live events."""
    done: list[Ingested] = []
    for batch in batches:
        n_new_spans = insert_rows(connection, _INSERT, batch.rows, _ONCE)
        came_before = _take_waiting(connection, batch.judged)
        events = [*_addressed(connection, batch.events), *came_before]
        n_stored = insert_events(connection, events, batch.at) if events else 0
        done.append(Ingested(n_new_spans=n_new_spans, n_new_events=n_stored - len(came_before)))
    return done


def list_spans(connection: Connection, query: SpanQuery) -> list[StoredSpan]:
    """Spans by number, newest first."""
    wanted = select(spans.c.id, spans.c.stored_at, spans.c.span).order_by(spans.c.id.desc())
    if query.prompt is not None:
        wanted = wanted.where(spans.c.prompt == query.prompt)
    if query.version is not None:
        wanted = wanted.where(spans.c.version == query.version)
    if query.trace_id is not None:
        wanted = wanted.where(spans.c.trace_id == query.trace_id)
    if query.only_errors:
        wanted = wanted.where(spans.c.is_error == 1)
    if query.before is not None:
        wanted = wanted.where(spans.c.id < query.before)
    rows = connection.execute(wanted.limit(query.limit)).mappings()
    return [
        StoredSpan(seq=row["id"], stored_at=row["stored_at"], span=from_text(Span, row["span"]))
        for row in rows
    ]


def _row(span: Span, at: str) -> tuple[object, ...]:
    is_error = int(span.status == "error")
    # Found by its id is only what feedback can be of: an index of all would cost every span.
    response_id = response_id_of(span) if span.prompt is not None else ""
    ids = (span.trace_id, span.span_id, span.prompt, span.version, is_error)
    return (*ids, at, _text(span), response_id or None)


def _text(span: Span) -> str:
    try:
        return span.model_dump_json(exclude_defaults=True)
    except PydanticSerializationError:  # lone surrogates, or nested deeper than it goes
        return to_text(span)


def _take_waiting(connection: Connection, judged: Mapping[str, Judged]) -> list[Feedback]:
    """Take the feedback out that waits for these spans, and say what it belongs to."""
    sql = "SELECT id, event FROM live_events WHERE prompt = '' AND outcome_id IN (??)"
    rows = sorted(rows_among(connection, sql, list(judged)), key=itemgetter(0))
    if rows:
        run_for_each(connection, "DELETE FROM live_events WHERE id = ?", [row[:1] for row in rows])
    events = [from_text(Feedback, text) for _, text in rows]
    return [_of(event, judged[event.outcome_id]) for event in events]


def _addressed(connection: Connection, events: Sequence[LiveEvent]) -> list[LiveEvent]:
    """Say of feedback without a prompt what it belongs to, where its span is stored."""
    known: dict[str, Judged | None] = {}
    made: list[LiveEvent] = []
    for event in events:
        if isinstance(event, Feedback) and not event.prompt:
            if event.outcome_id not in known:
                known[event.outcome_id] = _judged(connection, event.outcome_id)
            found = known[event.outcome_id]
            made.append(event if found is None else _of(event, found))
        else:
            made.append(event)
    return made


def _judged(connection: Connection, reference: str) -> Judged | None:
    kind, _, rest = reference.partition("-")
    query = select(spans.c.span).where(spans.c.prompt.is_not(None))
    if kind == "s":
        trace_id, _, span_id = rest.partition("-")
        query = query.where(spans.c.trace_id == trace_id, spans.c.span_id == span_id)
    else:
        query = query.where(spans.c.response_id == rest).order_by(spans.c.id)
    text = connection.execute(query.limit(1)).scalar()
    if text is None:
        return _judged_outcome(connection, reference)
    span = from_text(Span, text)
    return None if span.prompt is None else Judged(span.prompt, outcome_id_of(span))


def _judged_outcome(connection: Connection, outcome_id: str) -> Judged | None:
    """Find the outcome that a span was: spans go sooner than outcomes, above all of rollouts."""
    query = select(live_events.c.prompt).where(
        live_events.c.event_id == outcome_id, live_events.c.kind == "outcome"
    )
    prompt = connection.execute(query).scalar()
    return None if prompt is None else Judged(prompt, outcome_id)


def _of(event: Feedback, judged: Judged) -> Feedback:
    return event.model_copy(update={"prompt": judged.prompt, "outcome_id": judged.outcome_id})
