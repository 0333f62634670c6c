"""Outcomes as spans of the application's own OpenTelemetry."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry import _logs, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from promptyard.client import Promptyard
from promptyard.records.live import Outcome
from promptyard.records.pseudonym import pseudonym
from promptyard.records.spans import span_outcome_id
from promptyard.stats.assignment import arm_of, is_enrolled
from promptyard.traces.collect import read_segment, segments
from support.manifests import ROLLOUT, manifest_of, write_manifest

SPANS = InMemorySpanExporter()
LOGS = InMemoryLogRecordExporter()
TREATED = next(
    name
    for name in (f"u{n}" for n in range(999))
    if is_enrolled(ROLLOUT.id, name, ROLLOUT.enrolled) and arm_of(ROLLOUT.id, name) == "treatment"
)


@pytest.fixture(scope="module", autouse=True)
def telemetry() -> None:
    """Set up what an application sets up, once a process, as the SDK wants it."""
    traces = TracerProvider(shutdown_on_exit=False)
    traces.add_span_processor(SimpleSpanProcessor(SPANS))
    trace.set_tracer_provider(traces)
    logs = LoggerProvider(shutdown_on_exit=False)
    logs.add_log_record_processor(SimpleLogRecordProcessor(LOGS))
    _logs.set_logger_provider(logs)


@pytest.fixture(autouse=True)
def empty() -> None:
    SPANS.clear()
    LOGS.clear()


def client_of(folder: Path, *, is_recording: bool) -> Promptyard:
    write_manifest(folder / "m.json", manifest_of(rollouts=[ROLLOUT]))
    spool = folder / "spool" if is_recording else None
    return Promptyard(folder / "m.json", record_to=spool, spans=True, content=True)


def only_span() -> ReadableSpan:
    (span,) = SPANS.get_finished_spans()
    return span


def test_a_span_names_the_version_and_the_reason_and_holds_no_content(tmp_path: Path) -> None:
    with client_of(tmp_path, is_recording=True) as client:
        outcome_id = client.record(
            client.prompt("support", subject=TREATED),
            inputs={"question": "secret question"},
            output="secret answer",
            latency_s=1.5,
            input_tokens=10,
            output_tokens=3,
            model="openai/gpt-5-mini",
            finish_reason="stop",
            score=0.5,
        )
    span = only_span()
    found = dict(span.attributes or {})
    assert span.name == "chat openai/gpt-5-mini"
    assert (found["gen_ai.prompt.name"], found["gen_ai.prompt.version"]) == ("support", "2")
    assert (found["promptyard.arm"], found["promptyard.rollout.id"]) == ("treatment", ROLLOUT.id)
    assert found["promptyard.subject"] == pseudonym(TREATED)
    assert (found["gen_ai.provider.name"], found["gen_ai.request.model"]) == (
        "openai",
        "gpt-5-mini",
    )
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (10, 3)
    assert found["promptyard.outcome.id"] == outcome_id
    assert span.end_time is not None
    assert span.start_time is not None
    assert span.end_time - span.start_time == 1_500_000_000
    assert "secret" not in span.to_json()
    assert not LOGS.get_finished_logs()  # the outcome has the score already
    (kept,) = (
        event
        for segment in segments(tmp_path / "spool")
        for event in read_segment(segment)
        if isinstance(event, Outcome)
    )
    context = span.get_span_context()
    assert context is not None
    assert (kept.trace_id, kept.span_id) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")


def test_without_a_spool_the_span_is_the_outcome_and_scores_are_events(tmp_path: Path) -> None:
    with client_of(tmp_path, is_recording=False) as client:
        prompt = client.prompt("support")
        outcome_id = client.record(prompt, error="ValueError: secret", hard_failure=True, score=0.0)
        client.feedback(outcome_id, name="support", scores={"helpful": 1.0})
    span = only_span()
    context = span.get_span_context()
    assert context is not None
    trace_id, span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"
    assert outcome_id == span_outcome_id(trace_id, span_id)
    found = dict(span.attributes or {})
    assert "promptyard.outcome.id" not in found
    assert (found["error.type"], found["promptyard.hard_failure"]) == ("ValueError", True)
    assert span.status.status_code is StatusCode.ERROR
    assert "secret" not in span.to_json()
    events = [item.log_record for item in LOGS.get_finished_logs()]
    assert [event.event_name for event in events] == ["gen_ai.evaluation.result"] * 2
    assert {event.span_id for event in events} == {context.span_id}
    values = [dict(event.attributes or {}) for event in events]
    assert [item["gen_ai.evaluation.score.value"] for item in values] == [0.0, 1.0]
    assert [item["gen_ai.evaluation.name"] for item in values] == ["score", "helpful"]
