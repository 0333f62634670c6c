"""Spans of traces, each once however often it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from promptyard.records.live import LiveEvent
from promptyard.records.spans import Ingested, Span, StoredSpan
from promptyard.storage.live import insert_events
from promptyard.storage.statements import run_for_each
from promptyard.storage.stored_text import from_text
from promptyard.storage.tables import spans

_INSERT = (
    "INSERT INTO spans (trace_id, span_id, prompt, version, is_error, stored_at, span) "
    "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (trace_id, span_id) DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class SpanBatch:
    """What one sender wants stored: rows of spans, as `_INSERT` takes them, and live events."""

    rows: Sequence[tuple[object, ...]]
    events: Sequence[LiveEvent]
    at: str


@dataclass(frozen=True)
class SpanQuery:
    """Which spans are asked for; None leaves a condition out."""

    prompt: str | None
    version: int | None
    trace_id: str | None
    only_errors: bool
    before: int | None
    limit: int


def insert_batches(connection: Connection, batches: Sequence[SpanBatch]) -> list[Ingested]:
    """Store what several senders sent. The caller holds the lock of live events."""
    return [
        Ingested(
            n_new_spans=run_for_each(connection, _INSERT, batch.rows) if batch.rows else 0,
            n_new_events=insert_events(connection, batch.events, batch.at) if batch.events else 0,
        )
        for batch in batches
    ]


def span_row(span: Span, text: str, at: str) -> tuple[object, ...]:
    """Return the row of a span, whose JSON text is `text`."""
    is_error = int(span.status == "error")
    return (span.trace_id, span.span_id, span.prompt, span.version, is_error, at, text)


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
