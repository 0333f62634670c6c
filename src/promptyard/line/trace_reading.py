"""Reads traces: the newest with what happened in them, and one span by span."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.errors import NotFound
from promptyard.line.query import StoreOrUrl, opened
from promptyard.protocols import Store
from promptyard.records.base import Record
from promptyard.records.spans import StoredSpan

MAX_SPANS = 10_000
"""Spans of one trace that are read at most, the newest."""
_PAGE = 500
_MAX_PAGES = 20
"""Pages of spans that are looked through for the traces of one list."""


class TraceRow(Record):
    """One trace of a list.

    `name` is that of its root span, or of its earliest where the root is missing; `service` its
    sender. `started_ns` is nanoseconds since 1970 by the sender's clock, `duration_s` from the
    first start to the last end. `n_spans` are stored, `n_errors` of them ended in an error.
    `versions` are the prompts' versions that it used, as `name@version`. `seq` is the number of the
    newest span that was asked for.
    """

    trace_id: str
    seq: int
    name: str
    service: str
    started_ns: int
    duration_s: float
    n_spans: int
    n_errors: int
    versions: tuple[str, ...] = ()


class Trace(Record):
    """One trace: its spans by their start. `is_cut` where there are more than are shown."""

    trace_id: str
    spans: tuple[StoredSpan, ...]
    is_cut: bool = False


class TracePage(Record):
    """Some traces; `before` is where the list goes on, None at its end."""

    traces: tuple[TraceRow, ...]
    before: int | None


async def list_traces(
    url: StoreOrUrl,
    *,
    prompt: str | None = None,
    version: int | None = None,
    only_errors: bool = False,
    before: int | None = None,
    limit: int = 50,
) -> TracePage:
    """List traces with a span of a prompt, of a version or with an error, newest span first.

    A page may hold fewer than `limit` and have a next one: only so many spans are looked through.
    """
    async with opened(url) as store:
        found: dict[str, TraceRow] = {}
        shown_before: set[str] = set()
        place = before
        for _ in range(_MAX_PAGES):
            spans = await store.spans(
                prompt=prompt,
                version=version,
                only_errors=only_errors,
                before=place,
                limit=_PAGE,
            )
            for stored in spans:
                trace_id = stored.span.trace_id
                if trace_id not in found and trace_id not in shown_before:
                    if len(found) == limit:
                        return TracePage(traces=_listed(found), before=place)
                    row = await _row(store, stored, prompt, version, only_errors=only_errors)
                    if row is None:
                        shown_before.add(trace_id)
                    else:
                        found[trace_id] = row
                place = stored.seq
            if len(spans) < _PAGE:
                return TracePage(traces=_listed(found), before=None)
        return TracePage(traces=_listed(found), before=place)


async def show_trace(url: StoreOrUrl, trace_id: str) -> Trace:
    """Return the spans of a trace by their start. Raises NotFound for an unknown one."""
    async with opened(url) as store:
        spans = await store.spans(trace_id=trace_id, limit=MAX_SPANS + 1)
    if not spans:
        raise NotFound(f"there is no trace '{trace_id}'; it may have been deleted by its age")
    shown = sorted(spans[:MAX_SPANS], key=lambda item: (item.span.start_ns, item.seq))
    return Trace(trace_id=trace_id, spans=tuple(shown), is_cut=len(spans) > MAX_SPANS)


async def list_spans(
    url: StoreOrUrl,
    *,
    prompt: str | None = None,
    version: int | None = None,
    only_errors: bool = False,
    before: int | None = None,
    limit: int = 100,
) -> Sequence[StoredSpan]:
    """List spans, newest first; those with a number below `before`."""
    async with opened(url) as store:
        return await store.spans(
            prompt=prompt, version=version, only_errors=only_errors, before=before, limit=limit
        )


async def _row(
    store: Store,
    newest: StoredSpan,
    prompt: str | None,
    version: int | None,
    *,
    only_errors: bool,
) -> TraceRow | None:
    """Sum up a trace; None where a newer span of it has put it on a page before."""
    trace_id = newest.span.trace_id
    [first] = await store.spans(
        prompt=prompt, version=version, only_errors=only_errors, trace_id=trace_id, limit=1
    )
    if first.seq > newest.seq:
        return None
    spans = [item.span for item in await store.spans(trace_id=trace_id, limit=MAX_SPANS)]
    ids = {span.span_id for span in spans}
    earliest_first = sorted(spans, key=lambda span: span.start_ns)
    root = next((item for item in earliest_first if item.parent_span_id not in ids), spans[0])
    used = {f"{item.prompt}@{item.version}" for item in spans if item.prompt is not None}
    started_ns = earliest_first[0].start_ns
    return TraceRow(
        trace_id=trace_id,
        seq=newest.seq,
        name=root.name,
        service=root.service,
        started_ns=started_ns,
        duration_s=max(0, max(span.end_ns for span in spans) - started_ns) / 1e9,
        n_spans=len(spans),
        n_errors=sum(span.status == "error" for span in spans),
        versions=tuple(sorted(used)),
    )


def _listed(found: dict[str, TraceRow]) -> tuple[TraceRow, ...]:
    return tuple(found.values())
