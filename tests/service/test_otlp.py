"""OTLP over HTTP: OpenTelemetry's own SDK sends, and every way of sending badly is refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from promptyard.errors import StorageError
from promptyard.protocols import Store
from promptyard.records import attribute_names as names
from promptyard.records.live import Exposure, Feedback, LiveEvent, Outcome
from promptyard.records.prompts import Program, Prompt
from promptyard.records.pseudonym import pseudonym
from promptyard.records.spans import Span, span_outcome_id
from promptyard.records.versions import PromptVersion
from support.served import Service, served
from support.telemetry import TRACE, logs_body, sent_log, sent_span, spans_body

PROTOBUF = {"Content-Type": "application/x-protobuf"}
NAMED = {names.PROMPT_NAME: "support", names.PROMPT_VERSION: "1"}


@pytest.fixture
def service(tmp_path: Path) -> Generator[Service]:
    """A service whose registry has version 1 of `support`, and a key that may report."""
    with served(tmp_path) as running:
        running.in_store(_register)
        running.key = running.new_key("report")
        yield running


async def _register(store: Store) -> None:
    program = Program.single(Prompt(text="system:\nHelp.\n\nuser:\n{{ticket}}\n"))
    version = PromptVersion(
        name="support", number=0, digest=program.id, program=program, author="ada"
    )
    await store.add_version(version)


def _spans(service: Service) -> list[Span]:
    return [item.span for item in service.in_store(lambda store: store.spans())]


def _events(service: Service, name: str = "support") -> list[LiveEvent]:
    return [item.event for item in service.in_store(lambda store: store.live_events(name))]


def _rejected(answer: bytes) -> tuple[int, str]:
    partly = ExportTraceServiceResponse.FromString(answer).partial_success
    return partly.rejected_spans, partly.error_message


def test_what_the_sdk_sends_becomes_spans_outcomes_and_feedback(service: Service) -> None:
    headers = {"authorization": f"Bearer {service.key}"}
    spans = OTLPSpanExporter(
        endpoint=f"{service.url}/v1/traces", headers=headers, compression=Compression.Gzip
    )
    logs = OTLPLogExporter(endpoint=f"{service.url}/v1/logs", headers=headers)
    tracers = TracerProvider(resource=Resource({names.SERVICE_NAME: "shop"}))
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    loggers = LoggerProvider()
    loggers.add_log_record_processor(SimpleLogRecordProcessor(logs))
    said = {
        **NAMED,
        names.OPERATION_NAME: "chat",
        names.REQUEST_MODEL: "m1",
        names.INPUT_TOKENS: 12,
        names.ROLLOUT_ID: "r-1",
        names.ARM: "control",
        names.SUBJECT: pseudonym("ada"),
    }
    with tracers.get_tracer("app").start_as_current_span("work"):
        with tracers.get_tracer("app").start_as_current_span("chat m1", attributes=said) as span:
            evaluation = {names.EVALUATION_NAME: "helpful", names.EVALUATION_SCORE: 0.75}
            loggers.get_logger("app").emit(
                event_name=names.EVALUATION_RESULT, attributes=evaluation, timestamp=5
            )
            span.add_event(
                names.EVALUATION_RESULT,
                {names.EVALUATION_NAME: "polite", names.EVALUATION_LABEL: "pass"},
            )
        loggers.get_logger("app").emit(body="no evaluation", timestamp=5)
    tracers.shutdown()
    loggers.shutdown()
    outer, inner = _spans(service)
    assert (outer.name, outer.prompt, inner.parent_span_id) == ("work", None, outer.span_id)
    assert (inner.prompt, inner.version, inner.service) == ("support", 1, "shop")
    by_kind = {type(event): event for event in _events(service)}
    outcome = by_kind[Outcome]
    assert isinstance(outcome, Outcome)
    assert outcome.id == span_outcome_id(inner.trace_id, inner.span_id)
    assert (outcome.rollout_id, outcome.arm, outcome.input_tokens) == ("r-1", "control", 12)
    assert isinstance(by_kind[Exposure], Exposure)
    feedback = [event for event in _events(service) if isinstance(event, Feedback)]
    assert {event.outcome_id for event in feedback} == {outcome.id}
    assert {name: score for event in feedback for name, score in event.scores.items()} == {
        "helpful": 0.75,
        "polite": 1.0,
    }
    counts = service.state.counts
    assert (counts.spans, counts.events, counts.rejected) == (2, 4, 0)


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_sent_again_counts_once_and_unknown_versions_count_as_none(
    service: Service, encoding: Any
) -> None:
    kind = PROTOBUF if encoding == "protobuf" else {"Content-Type": "application/json"}
    spans = [
        sent_span(1, NAMED),
        sent_span(2, {**NAMED, names.PROMPT_VERSION: "2"}),
        sent_span(3, {**NAMED, names.PROMPT_NAME: "stranger"}),
        sent_span(4, {**NAMED, names.OUTCOME_ID: "o-1"}),
        sent_span(5, {**NAMED, names.PROMPT_DIGEST: "0" * 64}),
    ]
    body = spans_body(spans, encoding)
    for _ in range(2):
        answer = service.post("/v1/traces", body=body, headers=kind)
        assert (answer.status, answer.headers["content-type"]) == (200, kind["Content-Type"])
        assert answer.body == (b"" if encoding == "protobuf" else b"{}")
    versions = {int(span.span_id, 16): span.version for span in _spans(service)}
    assert versions == {1: 1, 2: None, 3: None, 4: 1, 5: None}
    assert [event.id for event in _events(service)] == [f"s-{TRACE.hex()}-{1:016x}"]


def test_a_digest_alone_names_a_version(service: Service) -> None:
    digest = service.in_store(lambda store: store.version("support", 1)).digest
    said = {names.PROMPT_NAME: "support", names.PROMPT_DIGEST: digest}
    service.post("/v1/traces", body=spans_body([sent_span(1, said)]), headers=PROTOBUF)
    assert [span.version for span in _spans(service)] == [1]


def test_feedback_waits_for_its_span_and_finds_the_senders_own_outcome(service: Service) -> None:
    evaluation = {names.EVALUATION_NAME: "ok", names.EVALUATION_LABEL: "fail"}
    by_span = sent_log(
        evaluation,
        event_name=names.EVALUATION_RESULT,
        trace_id=TRACE,
        span_id=(1).to_bytes(8, "big"),
    )
    by_answer = sent_log(
        {**evaluation, names.RESPONSE_ID: "r1"}, event_name=names.EVALUATION_RESULT
    )
    body = logs_body([by_span, by_answer])
    assert service.post("/v1/logs", body=body, headers=PROTOBUF).body == b""
    assert not _events(service)
    said = {**NAMED, names.OUTCOME_ID: "o-1", names.RESPONSE_ID: "r1"}
    service.post("/v1/traces", body=spans_body([sent_span(1, said)]), headers=PROTOBUF)
    assert service.post("/v1/logs", body=body, headers=PROTOBUF).status == 200
    events = _events(service)
    assert [event.outcome_id for event in events if isinstance(event, Feedback)] == ["o-1", "o-1"]


def test_what_cannot_be_used_is_answered_as_partial_success(service: Service) -> None:
    body = spans_body([sent_span(1), sent_span(0)])
    answer = service.post("/v1/traces", body=body, headers=PROTOBUF)
    assert answer.status == 200
    assert _rejected(answer.body) == (1, "span 2: span_id is all zeros")
    odd = sent_span(3, events={names.EVALUATION_RESULT: {names.EVALUATION_NAME: "x"}})
    answer = service.post("/v1/traces", body=spans_body([odd]), headers=PROTOBUF)
    assert _rejected(answer.body) == (0, "evaluation 1: the evaluation has no score")
    of_a_run = {names.EVALUATION_NAME: "x", names.EVALUATION_SCORE: 1, names.RUN_ID: "run-1"}
    answer = service.post(
        "/v1/logs",
        body=logs_body([sent_log(of_a_run, event_name=names.EVALUATION_RESULT)]),
        headers=PROTOBUF,
    )
    assert (answer.status, answer.body) == (200, b"")
    logs = logs_body([sent_log({}), sent_log({}, event_name=names.EVALUATION_RESULT)], "json")
    answer = service.post("/v1/logs", body=logs, headers={"Content-Type": "application/json"})
    partly = answer.json["partialSuccess"]
    assert partly["rejectedLogRecords"] == "1"
    assert "not kept, since no gen_ai.evaluation.result: 1 logs" in partly["errorMessage"]
    answer = service.post("/v1/logs", body=logs_body([sent_log({})]), headers=PROTOBUF)
    warned = ExportLogsServiceResponse.FromString(answer.body).partial_success
    assert (warned.rejected_log_records, bool(warned.error_message)) == (0, True)
    assert len(_spans(service)) == 2


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs"])
def test_bad_requests_are_refused_in_the_form_that_exporters_read(
    service: Service, path: str
) -> None:
    def refusal(status: int, body: bytes = b"", **headers: str) -> str:
        sent = {**PROTOBUF, **{name.replace("_", "-"): text for name, text in headers.items()}}
        answer = service.post(path, body=body, headers=sent)
        assert answer.status == status, answer
        assert answer.headers["content-type"] == "application/x-protobuf"
        return Status.FromString(answer.body).message

    assert "in protobuf" in refusal(400, b"\xff\xff")
    assert "no gzip" in refusal(400, b"no gzip", Content_Encoding="gzip")
    assert "whole gzip" in refusal(400, gzip.compress(b"x")[:-4], Content_Encoding="gzip")
    assert "'br'" in refusal(415, b"x", Content_Encoding="br")
    bomb = gzip.compress(bytes(33 << 20))
    assert "more than 33,554,432 bytes" in refusal(413, bomb, Content_Encoding="gzip")
    assert "more than 8,388,608 bytes" in refusal(413, bytes((8 << 20) + 1))
    assert "no such key" in refusal(401, Authorization="Bearer py_none_x")
    reader = service.new_key("read", name="bob")
    assert "needs the scope 'report'" in refusal(403, Authorization=f"Bearer {reader}")
    as_json = {"Content-Type": "application/json"}
    for body in (b"{", b'{"a": NaN}', b"[" * 100_000):
        answer = service.post(path, body=body, headers=as_json)
        assert (answer.status, answer.json["code"]) == (400, 3)
    other = service.post(path, body=b"x", headers={"Content-Type": "text/plain"})
    assert (other.status, other.headers["content-type"]) == (415, "application/problem+json")
    assert json.loads(other.body)["detail"].startswith("the body is application/x-protobuf or")
    assert not _spans(service)


def test_a_store_that_fails_is_no_acknowledgement(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(*_: object) -> None:
        raise StorageError("The store x failed: disk is full; free some space.")

    body = spans_body([sent_span(1, NAMED)])
    with monkeypatch.context() as patched:
        patched.setattr(service.state.store, "add_spans", fails)
        answer = service.post("/v1/traces", body=body, headers=PROTOBUF)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert "disk is full" in Status.FromString(answer.body).message
        assert service.post("/v1/traces", body=body, headers=PROTOBUF).status == 503
    (line,) = caplog.messages
    assert line.startswith("the store failed 1 request since")
    assert line.endswith("The store x failed: disk is full; free some space.")
    assert service.post("/v1/traces", body=body, headers=PROTOBUF).status == 200
    assert len(_spans(service)) == len(_events(service)) == 1


def test_large_requests_and_secrets_in_them(service: Service) -> None:
    key = "sk-abcdefghijklmnopqrstuvwx"
    said = {**NAMED, names.INPUT_MESSAGES: f"my key is {key} " + "and so on " * 20_000}
    answer = service.post(
        "/v1/traces", body=spans_body([sent_span(1, said), sent_span(2, said)]), headers=PROTOBUF
    )
    assert answer.status == 200
    stored = _spans(service)
    assert len(stored) == 2
    assert all("[api key]" in span.attributes[names.INPUT_MESSAGES] for span in stored)
    assert all(key not in span.model_dump_json() for span in stored)


def test_the_document_says_what_may_be_sent(service: Service) -> None:
    reader = service.new_key("read", name="bob")
    paths = service.get("/api/v1/openapi.json", key=reader).json["paths"]
    for path in ("/v1/traces", "/v1/logs"):
        content = paths[path]["post"]["requestBody"]["content"]
        assert sorted(content) == ["application/json", "application/x-protobuf"]
