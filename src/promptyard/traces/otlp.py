"""OTLP as it comes over HTTP: requests of spans and logs in either encoding, and the answers.

Pure: bytes in, records out. A span or log that cannot be used is rejected alone, with the reason;
what is not the protocol at all raises. Limits stand in `decoded`. Links are not kept.
"""

from __future__ import annotations

from typing import Any

import pydantic_core

from promptyard.records.attribute_names import EVALUATION_RESULT
from promptyard.traces import otlp_json, otlp_protobuf
from promptyard.traces.decoded import DecodedLogs, DecodedSpans, Encoding, Hiding

MEDIA_TYPES: dict[Encoding, str] = {
    "protobuf": "application/x-protobuf",
    "json": "application/json",
}


def encoding_of(content_type: str) -> Encoding | None:
    """Return the encoding that a Content-Type names, None for another."""
    kind = content_type.partition(";")[0].strip().lower()
    return next((name for name, media_type in MEDIA_TYPES.items() if media_type == kind), None)


def decode_spans(body: bytes, encoding: Encoding, hide: Hiding) -> DecodedSpans:
    """Read a request of spans. Raises TelemetryError where the body is none at all."""
    reader = otlp_protobuf if encoding == "protobuf" else otlp_json
    return reader.decode_spans(body, hide)


def decode_evaluations(body: bytes, encoding: Encoding, hide: Hiding) -> DecodedLogs:
    """Read the evaluations of a request of logs. Raises TelemetryError where it is none at all."""
    reader = otlp_protobuf if encoding == "protobuf" else otlp_json
    return reader.decode_logs(body, EVALUATION_RESULT, hide)


def spans_answer(encoding: Encoding, n_rejected: int, message: str) -> bytes:
    """Write the answer to a request of spans; `message` alone is a warning."""
    if encoding == "json":
        return _json_answer("rejectedSpans", n_rejected, message)
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTracePartialSuccess,
        ExportTraceServiceResponse,
    )

    if not n_rejected and not message:
        return b""  # an empty message
    partly = ExportTracePartialSuccess(rejected_spans=n_rejected, error_message=message)
    return ExportTraceServiceResponse(partial_success=partly).SerializeToString()


def logs_answer(encoding: Encoding, n_rejected: int, message: str) -> bytes:
    """Write the answer to a request of logs; `message` alone is a warning."""
    if encoding == "json":
        return _json_answer("rejectedLogRecords", n_rejected, message)
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
        ExportLogsPartialSuccess,
        ExportLogsServiceResponse,
    )

    if not n_rejected and not message:
        return b""
    partly = ExportLogsPartialSuccess(rejected_log_records=n_rejected, error_message=message)
    return ExportLogsServiceResponse(partial_success=partly).SerializeToString()


def status_answer(encoding: Encoding, code: int, message: str) -> bytes:
    """Write a refusal as a `google.rpc.Status`, which exporters expect of 4xx and 5xx."""
    if encoding == "json":
        return pydantic_core.to_json({"code": code, "message": message})
    from google.rpc.status_pb2 import Status

    return Status(code=code, message=message).SerializeToString()


def _json_answer(name: str, n_rejected: int, message: str) -> bytes:
    if not n_rejected and not message:
        return b"{}"
    partly: dict[str, Any] = {"errorMessage": message}
    if n_rejected:
        partly[name] = str(n_rejected)  # whole numbers of 64 bits are texts in OTLP's JSON
    return pydantic_core.to_json({"partialSuccess": partly})
