"""Requests of telemetry for tests, in both encodings of OTLP."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, cast

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from promptyard.records.attribute_names import SERVICE_NAME
from promptyard.traces.decoded import Encoding

TRACE = bytes(range(1, 17))
START_NS = 1_790_000_000_000_000_000
_IDS = ("traceId", "spanId", "parentSpanId")


def value_of(given: object) -> AnyValue:
    """One value of an attribute."""
    if isinstance(given, bool):
        return AnyValue(bool_value=given)
    if isinstance(given, str):
        return AnyValue(string_value=given)
    if isinstance(given, int):
        return AnyValue(int_value=given)
    if isinstance(given, float):
        return AnyValue(double_value=given)
    if isinstance(given, bytes):
        return AnyValue(bytes_value=given)
    if isinstance(given, list):
        items = [value_of(item) for item in cast("list[object]", given)]
        return AnyValue(array_value=ArrayValue(values=items))
    if isinstance(given, dict):
        pairs = pairs_of(cast("dict[str, object]", given))
        return AnyValue(kvlist_value=KeyValueList(values=pairs))
    return AnyValue()


def pairs_of(attributes: Mapping[str, object]) -> list[KeyValue]:
    """Attributes."""
    return [KeyValue(key=key, value=value_of(value)) for key, value in attributes.items()]


def sent_span(
    number: int,
    attributes: Mapping[str, object] | None = None,
    *,
    trace_id: bytes = TRACE,
    events: Mapping[str, Mapping[str, object]] | None = None,
    **fields: Any,
) -> Span:
    """One span of 1.5 seconds; its id is made of `number`."""
    made: dict[str, Any] = {
        "trace_id": trace_id,
        "span_id": number.to_bytes(8, "big"),
        "name": "chat m1",
        "kind": Span.SPAN_KIND_CLIENT,
        "start_time_unix_nano": START_NS,
        "end_time_unix_nano": START_NS + 1_500_000_000,
        "status": Status(code=Status.STATUS_CODE_OK),
        "attributes": pairs_of(attributes or {}),
        "events": [
            Span.Event(name=name, time_unix_nano=START_NS + 1, attributes=pairs_of(values))
            for name, values in (events or {}).items()
        ],
    }
    return Span(**{**made, **fields})


def sent_log(attributes: Mapping[str, object], **fields: Any) -> LogRecord:
    """One log record."""
    made: dict[str, Any] = {"time_unix_nano": START_NS + 5, "attributes": pairs_of(attributes)}
    return LogRecord(**{**made, **fields})


def spans_body(spans: list[Span], encoding: Encoding = "protobuf") -> bytes:
    """A request of spans."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(pairs_of({SERVICE_NAME: "shop"}))
    scope = resource.scope_spans.add()
    scope.scope.name = "my.instrumentation"
    scope.spans.extend(spans)
    return _written(request, encoding)


def logs_body(logs: list[LogRecord], encoding: Encoding = "protobuf") -> bytes:
    """A request of logs."""
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.extend(logs)
    return _written(request, encoding)


def _written(request: Any, encoding: Encoding) -> bytes:
    if encoding == "protobuf":
        return request.SerializeToString()
    return json.dumps(_hex_ids(MessageToDict(request))).encode()


def _hex_ids(value: Any) -> Any:
    """OTLP's JSON has ids in hex, where that of protobuf has base64."""
    if isinstance(value, list):
        return [_hex_ids(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64decode(item).hex() if key in _IDS else _hex_ids(item)
        for key, item in cast("dict[str, Any]", value).items()
    }
