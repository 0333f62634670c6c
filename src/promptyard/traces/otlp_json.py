"""Reads OTLP in JSON: ids in hex, whole numbers as texts, enumerations as numbers or names."""

from __future__ import annotations

import binascii
import math
import re
from collections.abc import Generator, Mapping, Sequence
from typing import TypeAlias, TypeVar

import pydantic_core

from promptyard.errors import TelemetryError
from promptyard.records.attribute_names import EVENT_NAME, SERVICE_NAME
from promptyard.records.base import Json, as_list, as_object
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

Object: TypeAlias = Mapping[str, Json]
Word = TypeVar("Word", bound=str)

_WHOLE = re.compile(r"-?[0-9]{1,20}")
_KIND_PREFIX = "SPAN_KIND_"
_STATUS_PREFIX = "STATUS_CODE_"
_DOUBLES = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def decode_spans(body: bytes, hide: Hiding) -> DecodedSpans:
    """Read a request of spans. Raises TelemetryError where the body is none at all."""
    decoded = DecodedSpans()
    number = 0
    for resource in _items(_parsed(body), "resourceSpans"):
        service = _service(resource)
        for scope in _items(resource, "scopeSpans"):
            scope_name = str((as_object(scope.get("scope")) or {}).get("name") or "")
            for sent in _raw_items(scope, "spans"):
                number += 1
                try:
                    decoded.spans.append(_span(sent, service, scope_name, hide))
                except NotUsable as problem:
                    decoded.rejected.add(f"span {number}: {problem}")
    return decoded


def decode_logs(body: bytes, wanted: str, hide: Hiding) -> DecodedLogs:
    """Read the events named `wanted` of a request of logs. Raises TelemetryError."""
    decoded = DecodedLogs()
    number = 0
    for resource in _items(_parsed(body), "resourceLogs"):
        for scope in _items(resource, "scopeLogs"):
            for sent in _raw_items(scope, "logRecords"):
                number += 1
                try:
                    event = _log_event(_as_object(sent, "the log"), wanted, hide)
                except NotUsable as problem:
                    decoded.rejected.add(f"log {number}: {problem}")
                    continue
                if event is None:
                    decoded.n_others += 1
                else:
                    decoded.events.append(event)
    return decoded


def _parsed(body: bytes) -> Object:
    try:
        value = as_object(pydantic_core.from_json(body, allow_inf_nan=False))
    except ValueError as error:
        raise TelemetryError(f"the body is no JSON: {error}") from None
    if value is None:
        raise TelemetryError("the body is no JSON object")
    return value


def _raw_items(holder: Object, name: str) -> list[Json]:
    value = holder.get(name)
    if value is None:
        return []
    items = as_list(value)
    if items is None:
        raise TelemetryError(f"{name} is no list")
    return items


def _items(holder: Object, name: str) -> Generator[Object]:
    for item in _raw_items(holder, name):
        found = as_object(item)
        if found is None:
            raise TelemetryError(f"{name} holds something that is no object")
        yield found


def _span(value: Json, service: str, scope: str, hide: Hiding) -> Span:
    sent = _as_object(value, "the span")
    trace_id, span_id = _bytes(sent, "traceId"), _bytes(sent, "spanId")
    check_ids(trace_id, span_id)
    parent = _bytes(sent, "parentSpanId")
    check_parent(parent)
    attributes = _attributes(sent)
    hide.attributes(attributes)
    status = _as_object(sent.get("status") or {}, "status")
    message = _text(status, "message")
    return Span(
        trace_id=trace_id.hex(),
        span_id=span_id.hex(),
        parent_span_id=parent.hex() if any(parent) else "",
        name=_text(sent, "name"),
        kind=_choice(sent.get("kind"), KINDS, _KIND_PREFIX),
        start_ns=_time(sent, "startTimeUnixNano"),
        end_ns=_time(sent, "endTimeUnixNano"),
        status=_choice(status.get("code"), STATUSES, _STATUS_PREFIX),
        status_message=hide.text(message) if message else "",
        service=service,
        scope=scope[:MAX_TEXT_CHARS],
        attributes=attributes,
        events=_events(sent, hide),
    )


def _events(sent: Object, hide: Hiding) -> tuple[SpanEvent, ...]:
    items = _list(sent, "events")
    check_counts(0, len(items))
    made: list[SpanEvent] = []
    for item in items:
        event = _as_object(item, "an event")
        attributes = _attributes(event)
        hide.attributes(attributes)
        name, at_ns = _text(event, "name"), _time(event, "timeUnixNano")
        made.append(SpanEvent(name=name, at_ns=at_ns, attributes=attributes))
    return tuple(made)


def _log_event(sent: Object, wanted: str, hide: Hiding) -> LogEvent | None:
    attributes = _attributes(sent)
    if (_text(sent, "eventName") or attributes.get(EVENT_NAME)) != wanted:
        return None
    trace_id, span_id = _bytes(sent, "traceId"), _bytes(sent, "spanId")
    has_span = any(trace_id) or any(span_id)
    if has_span:
        check_ids(trace_id, span_id)
    hide.attributes(attributes)
    return LogEvent(
        name=wanted,
        at_ns=_time(sent, "timeUnixNano") or _time(sent, "observedTimeUnixNano"),
        trace_id=trace_id.hex() if has_span else "",
        span_id=span_id.hex() if has_span else "",
        attributes=attributes,
    )


def _service(resource: Object) -> str:
    holder = as_object(resource.get("resource"))
    try:
        found = _attributes(holder).get(SERVICE_NAME) if holder is not None else None
    except NotUsable:  # the spans are none the worse for it
        return ""
    return found if isinstance(found, str) else ""


def _attributes(holder: Object) -> dict[str, Json]:
    items = _list(holder, "attributes")
    check_counts(len(items))
    return _pairs(items, 0)


def _pairs(items: Sequence[Json], depth: int) -> dict[str, Json]:
    made: dict[str, Json] = {}
    for item in items:
        pair = _as_object(item, "an attribute")
        made[_text(pair, "key")] = _value(pair.get("value"), depth)
    return made


def _value(value: Json, depth: int) -> Json:
    if value is None:
        return None
    for kind, content in _as_object(value, "the value of an attribute").items():
        if kind in ("stringValue", "bytesValue"):
            return _shortened(content)
        if kind == "intValue":
            return _whole(content, "intValue")
        if kind == "doubleValue":
            return _double(content)
        if kind == "boolValue" and isinstance(content, bool):
            return content
        if kind in ("arrayValue", "kvlistValue"):
            deeper = inside(depth)
            items = _list(_as_object(content, kind), "values")
            if kind == "kvlistValue":
                return _pairs(items, deeper)
            return [_value(item, deeper) for item in items]
    return None


def _shortened(content: Json) -> str:
    if not isinstance(content, str):
        raise NotUsable("the value of an attribute is no text where one is due")
    return shortened(content)


def _double(content: Json) -> float | str:
    number: Json = _DOUBLES.get(content, content) if isinstance(content, str) else content
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise NotUsable("doubleValue is no number")
    try:
        double = float(number)
    except OverflowError:
        double = math.inf
    return finite(double)


def _whole(content: Json, name: str, *, least: int = -(1 << 63), below: int = 1 << 63) -> int:
    if isinstance(content, str) and _WHOLE.fullmatch(content):
        content = int(content)
    if isinstance(content, float) and content.is_integer():
        content = int(content)
    if isinstance(content, bool) or not isinstance(content, int) or not least <= content < below:
        raise NotUsable(f"{name} is no whole number of 64 bits")
    return content


def _time(holder: Object, name: str) -> int:
    value = holder.get(name)
    return 0 if value is None else _whole(value, name, least=0, below=1 << 64)


def _choice(value: Json, words: tuple[Word, ...], prefix: str) -> Word:
    """Read an enumeration; one that is not known counts as the first, as in protobuf."""
    if isinstance(value, str):
        name = value.removeprefix(prefix).lower()
        return next((word for word in words if word == name), words[0])
    if isinstance(value, int) and 0 <= value < len(words):
        return words[value]
    return words[0]


def _bytes(holder: Object, name: str) -> bytes:
    value = holder.get(name)
    if value is None:
        return b""
    try:
        return binascii.unhexlify(value)
    except (TypeError, ValueError):
        raise NotUsable(f"{name} is no hexadecimal text") from None


def _text(holder: Object, name: str) -> str:
    value = holder.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise NotUsable(f"{name} is no text")
    return value[:MAX_TEXT_CHARS]


def _list(holder: Object, name: str) -> list[Json]:
    value = holder.get(name)
    items: list[Json] | None = [] if value is None else as_list(value)
    if items is None:
        raise NotUsable(f"{name} is no list")
    return items


def _as_object(value: Json, name: str) -> Object:
    found = as_object(value)
    if found is None:
        raise NotUsable(f"{name} is no object")
    return found
