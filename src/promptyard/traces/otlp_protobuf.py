"""Reads OTLP in protobuf. Needs the extra: pip install 'promptyard[server]'."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from promptyard.errors import TelemetryError
from promptyard.records.attribute_names import EVENT_NAME, SERVICE_NAME
from promptyard.records.base import Json
from promptyard.records.spans import Span, SpanEvent
from promptyard.traces.decoded import (
    KINDS,
    MAX_TEXT_CHARS,
    STATUSES,
    DecodedLogs,
    DecodedSpans,
    Hiding,
    LogEvent,
    NotUsable,
    check_counts,
    check_ids,
    check_parent,
    finite,
    inside,
    shortened,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan


def decode_spans(body: bytes, hide: Hiding) -> DecodedSpans:
    """Read a request of spans. Raises TelemetryError where the body is none at all."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    decoded = DecodedSpans()
    number = 0
    for resource in _parsed(ExportTraceServiceRequest, body).resource_spans:
        service = _service(resource.resource.attributes)
        for scope in resource.scope_spans:
            scope_name = scope.scope.name
            for sent in scope.spans:
                number += 1
                try:
                    decoded.spans.append(_span(sent, service, scope_name, hide))
                except NotUsable as problem:
                    decoded.rejected.add(f"span {number}: {problem}")
    return decoded


def decode_logs(body: bytes, wanted: str, hide: Hiding) -> DecodedLogs:
    """Read the events named `wanted` of a request of logs. Raises TelemetryError."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    decoded = DecodedLogs()
    number = 0
    for resource in _parsed(ExportLogsServiceRequest, body).resource_logs:
        for scope in resource.scope_logs:
            for sent in scope.log_records:
                number += 1
                if _event_name(sent) != wanted:
                    decoded.n_others += 1
                    continue
                try:
                    decoded.events.append(_log_event(sent, wanted, hide))
                except NotUsable as problem:
                    decoded.rejected.add(f"log {number}: {problem}")
    return decoded


def _parsed(kind: Any, body: bytes) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return kind.FromString(body)
    except DecodeError:
        raise TelemetryError(
            f"the body is no {kind.DESCRIPTOR.name} in protobuf; check the exporter's protocol"
        ) from None


def _span(sent: SentSpan, service: str, scope: str, hide: Hiding) -> Span:
    trace_id, span_id, parent = sent.trace_id, sent.span_id, sent.parent_span_id
    check_ids(trace_id, span_id)
    check_parent(parent)
    pairs, events = sent.attributes, sent.events
    check_counts(len(pairs), len(events))
    attributes = _pairs(pairs, 0)
    hide.attributes(attributes)
    kind, status = sent.kind, sent.status
    code, message = status.code, status.message
    return Span(
        trace_id=trace_id.hex(),
        span_id=span_id.hex(),
        parent_span_id=parent.hex() if any(parent) else "",
        name=sent.name[:MAX_TEXT_CHARS],
        kind=KINDS[kind] if 0 <= kind < len(KINDS) else "internal",
        start_ns=sent.start_time_unix_nano,
        end_ns=sent.end_time_unix_nano,
        status=STATUSES[code] if 0 <= code < len(STATUSES) else "unset",
        status_message=hide.text(shortened(message)) if message else "",
        service=service,
        scope=scope,
        attributes=attributes,
        events=_events(events, hide) if events else (),
    )


def _events(events: Any, hide: Hiding) -> tuple[SpanEvent, ...]:
    made: list[SpanEvent] = []
    for event in events:
        attributes = _attributes(event.attributes)
        hide.attributes(attributes)
        name, at_ns = event.name[:MAX_TEXT_CHARS], event.time_unix_nano
        made.append(SpanEvent(name=name, at_ns=at_ns, attributes=attributes))
    return tuple(made)


def _log_event(sent: LogRecord, name: str, hide: Hiding) -> LogEvent:
    trace_id, span_id = sent.trace_id, sent.span_id
    has_span = any(trace_id) or any(span_id)
    if has_span:
        check_ids(trace_id, span_id)
    attributes = _attributes(sent.attributes)
    hide.attributes(attributes)
    return LogEvent(
        name=name,
        at_ns=sent.time_unix_nano or sent.observed_time_unix_nano,
        trace_id=trace_id.hex() if has_span else "",
        span_id=span_id.hex() if has_span else "",
        attributes=attributes,
    )


def _event_name(sent: LogRecord) -> str:
    if sent.event_name:
        return sent.event_name
    return next((a.value.string_value for a in sent.attributes if a.key == EVENT_NAME), "")


def _service(attributes: Iterable[KeyValue]) -> str:
    found = (item.value.string_value for item in attributes if item.key == SERVICE_NAME)
    return next(found, "")[:MAX_TEXT_CHARS]


def _attributes(pairs: Any) -> dict[str, Json]:
    check_counts(len(pairs))
    return _pairs(pairs, 0)


def _pairs(pairs: Any, depth: int) -> dict[str, Json]:
    made: dict[str, Json] = {}
    for pair in pairs:
        value = pair.value
        text = value.string_value
        # Most are short texts; asking for that first saves a call and a look at which kind it is.
        made[pair.key] = text if 0 < len(text) <= MAX_TEXT_CHARS else _value(value, depth)
    return made


def _value(value: AnyValue, depth: int) -> Json:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return shortened(value.string_value)
    if kind == "int_value":
        return value.int_value
    if kind == "double_value":
        return finite(value.double_value)
    if kind == "array_value":
        deeper = inside(depth)
        return [_value(item, deeper) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _pairs(value.kvlist_value.values, inside(depth))
    if kind == "bool_value":
        return value.bool_value
    if kind == "bytes_value":
        return shortened(base64.b64encode(value.bytes_value).decode())
    return None
