"""Requests of OTLP in both encodings: what is read, what is rejected, what raises."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from promptyard.errors import TelemetryError
from promptyard.records.attribute_names import EVALUATION_RESULT, EVENT_NAME
from promptyard.records.base import Json
from promptyard.records.spans import SpanEvent
from promptyard.traces.decoded import MAX_ATTRIBUTES, MAX_DEPTH, MAX_TEXT_CHARS, Encoding
from promptyard.traces.otlp import decode_evaluations, decode_spans, encoding_of
from support.telemetry import START_NS, TRACE, logs_body, sent_log, sent_span, spans_body

ENCODINGS: tuple[Encoding, ...] = ("protobuf", "json")
VALUES: dict[str, object] = {
    "text": "é\x00 text",
    "empty": "",
    "whole": -(1 << 63),
    "share": 0.5,
    "yes": True,
    "no": False,
    "bytes": b"\x00\xff",
    "list": ["a", 1, [True]],
    "object": {"k": {"n": 2}},
    "nothing": None,
    "nan": math.nan,
    "most": -math.inf,
}


class Nothing:
    """Hides nothing."""

    def attributes(self, attributes: dict[str, Json]) -> None:
        """Leave them."""

    def text(self, text: str) -> str:
        """Leave it."""
        return text


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_span_is_read_as_it_was_sent(encoding: Encoding) -> None:
    sent = sent_span(7, VALUES, parent_span_id=b"\x01" * 8, events={"e": {"k": 1}})
    decoded = decode_spans(spans_body([sent], encoding), encoding, Nothing())
    assert not decoded.rejected.n
    [span] = decoded.spans
    assert (span.trace_id, span.span_id) == (TRACE.hex(), "0000000000000007")
    assert (span.parent_span_id, span.name, span.kind) == ("01" * 8, "chat m1", "client")
    assert (span.start_ns, span.duration_s, span.status) == (START_NS, 1.5, "ok")
    assert (span.service, span.scope) == ("shop", "my.instrumentation")
    assert span.events == (SpanEvent(name="e", at_ns=START_NS + 1, attributes={"k": 1}),)
    numbers = {"bytes": "AP8=", "nan": "NaN", "most": "-Infinity"}
    assert span.attributes == {**VALUES, **numbers}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_span_that_cannot_be_used_is_rejected_alone(encoding: Encoding) -> None:
    deep: object = "x"
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    spans = [
        sent_span(1),
        sent_span(2, trace_id=bytes(16)),
        sent_span(0),
        sent_span(3, trace_id=b"\x01" * 15),
        sent_span(4, parent_span_id=b"\x01"),
        sent_span(5, {f"a{n}": 1 for n in range(MAX_ATTRIBUTES + 1)}),
        sent_span(6, {"deep": deep}),
        sent_span(8, kind=99),
    ]
    decoded = decode_spans(spans_body(spans, encoding), encoding, Nothing())
    assert [int(span.span_id, 16) for span in decoded.spans] == [1, 8]
    assert decoded.spans[1].kind == "internal"
    assert decoded.rejected.n == 6
    assert decoded.rejected.reasons == [
        "span 2: trace_id is all zeros",
        "span 3: span_id is all zeros",
        "span 4: trace_id has 15 bytes, not 16",
        "span 5: parent_span_id has 1 bytes, not 8",
        "span 6: 1,025 attributes; 1,024 at most",
    ]
    assert decoded.rejected.message.endswith("; and 1 more")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_text_that_is_too_long_is_left_out_whole(encoding: Encoding) -> None:
    sent = sent_span(1, {"long": "x" * (MAX_TEXT_CHARS + 1), "fits": "x" * MAX_TEXT_CHARS})
    [span] = decode_spans(spans_body([sent], encoding), encoding, Nothing()).spans
    assert span.attributes["long"] == "[left out: 262,145 characters]"
    assert len(span.attributes["fits"]) == MAX_TEXT_CHARS


def _json_span(**fields: Any) -> bytes:
    span = {"traceId": "ab" * 16, "spanId": "CD" * 8, **fields}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"kind": 3}, {"kind": "client"}),
        ({"kind": "SPAN_KIND_SERVER"}, {"kind": "server"}),
        ({"kind": "SPAN_KIND_NEW"}, {"kind": "internal"}),
        ({"status": {"code": "STATUS_CODE_ERROR", "message": "m"}}, {"status_message": "m"}),
        ({"status": {"code": 2}}, {"status": "error"}),
        ({"startTimeUnixNano": "17"}, {"start_ns": 17}),
        ({"startTimeUnixNano": 17}, {"start_ns": 17}),
        ({"unknownField": {"a": 1}}, {"span_id": "cd" * 8}),
        ({"parentSpanId": ""}, {"parent_span_id": ""}),
        ({"attributes": [{"key": "n", "value": {"intValue": 5}}]}, {"attributes": {"n": 5}}),
        ({"attributes": [{"key": "n", "value": {"intValue": "5"}}]}, {"attributes": {"n": 5}}),
        ({"attributes": [{"key": "n"}]}, {"attributes": {"n": None}}),
    ],
)
def test_json_has_variants(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    [span] = decode_spans(_json_span(**fields), "json", Nothing()).spans
    assert {name: getattr(span, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"traceId": "xy" * 16}, "traceId is no hexadecimal text"),
        ({"traceId": 5}, "traceId is no hexadecimal text"),
        ({"name": 5}, "name is no text"),
        ({"startTimeUnixNano": -1}, "startTimeUnixNano is no whole number of 64 bits"),
        ({"endTimeUnixNano": "1e9"}, "endTimeUnixNano is no whole number of 64 bits"),
        ({"attributes": 5}, "attributes is no list"),
        ({"attributes": [5]}, "an attribute is no object"),
        ({"attributes": [{"key": "n", "value": {"intValue": "x"}}]}, "intValue is no whole number"),
        ({"attributes": [{"key": "n", "value": {"doubleValue": "x"}}]}, "doubleValue is no number"),
        ({"attributes": [{"key": "n", "value": {"stringValue": 1}}]}, "is no text"),
        ({"events": [7]}, "an event is no object"),
        ({"status": 7}, "status is no object"),
    ],
)
def test_json_of_a_wrong_shape_is_rejected_with_the_reason(
    fields: dict[str, Any], reason: str
) -> None:
    decoded = decode_spans(_json_span(**fields), "json", Nothing())
    assert not decoded.spans
    assert decoded.rejected.n == 1
    assert reason in decoded.rejected.message


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"\xff\xff", "protobuf"),
        (b"{", "json"),
        (b"[]", "json"),
        (b'{"resourceSpans": 5}', "json"),
        (b'{"resourceSpans": [5]}', "json"),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": {}}]}]}', "json"),
        (b'{"a": NaN}', "json"),
        (b"[" * 100_000, "json"),
        (b'{"a": "\\ud800"}', "json"),
    ],
)
def test_what_is_no_request_at_all_raises(body: bytes, encoding: Encoding) -> None:
    with pytest.raises(TelemetryError):
        decode_spans(body, encoding, Nothing())


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_evaluations_are_told_from_other_logs_by_their_event_name(encoding: Encoding) -> None:
    ids = {"trace_id": TRACE, "span_id": b"\x01" * 8}
    logs = [
        sent_log({"k": 1}, event_name=EVALUATION_RESULT, **ids),
        sent_log({EVENT_NAME: EVALUATION_RESULT}),
        sent_log({EVENT_NAME: "other"}),
        sent_log({}),
        sent_log({}, event_name=EVALUATION_RESULT, trace_id=b"\x01", span_id=b"\x01" * 8),
    ]
    decoded = decode_evaluations(logs_body(logs, encoding), encoding, Nothing())
    assert [event.trace_id for event in decoded.events] == [TRACE.hex(), ""]
    assert decoded.events[0].attributes == {"k": 1}
    assert decoded.events[0].at_ns == START_NS + 5
    assert (decoded.n_others, decoded.rejected.n) == (2, 1)


def test_the_encoding_is_that_of_the_content_type() -> None:
    assert encoding_of("application/json; charset=utf-8") == "json"
    assert encoding_of("Application/X-Protobuf") == "protobuf"
    assert encoding_of("text/plain") is None
