"""Sends what an eval did as spans, by OTLP, to whatever the environment names.

Where to, and with which headers, say the variables that all of OpenTelemetry reads
(`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`). Spans carry numbers and names, no
content; they name the run, so that nobody takes them for live traffic. Needs the extra: pip install
'promptyard[otel]'.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from opentelemetry._logs import Logger
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context

from promptyard.records import attribute_names as names
from promptyard.records.scores import StepVisit, Trial

SERVICE = "promptyard-eval"
FLUSH_S = 30.0
MAX_QUEUED = 1 << 17
"""Spans that may wait to be sent: an eval is faster than most collectors."""


@dataclass(frozen=True)
class EvalOf:
    """What is measured: the task, the run, the program, and its number where it is registered."""

    task: str
    run_id: str
    digest: str
    version: int | None


class TrialSpans:
    """To be called with every trial: a span for it, one for each call, an event for each score."""

    def __init__(self, about: EvalOf) -> None:
        self._about = about
        resource = Resource.create({names.SERVICE_NAME: SERVICE})
        self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._traces.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(), max_queue_size=MAX_QUEUED)
        )
        self._logs = LoggerProvider(resource=resource, shutdown_on_exit=False)
        self._logs.add_log_record_processor(
            BatchLogRecordProcessor(OTLPLogExporter(), max_queue_size=MAX_QUEUED)
        )
        self._tracer = self._traces.get_tracer(__name__)
        self._logger: Logger = self._logs.get_logger(__name__)

    def __call__(self, trial: Trial) -> None:
        """Emit a trial that has just ended; its calls are taken to have followed each other."""
        end_ns = time.time_ns()
        at_ns = end_ns - int(trial.latency_s * 1e9)
        root = self._tracer.start_span(
            f"eval {self._about.task}",
            kind=SpanKind.INTERNAL,
            start_time=at_ns,
            attributes={**self._shared(trial), names.OPERATION_NAME: "invoke_workflow"},
        )
        for visit in trial.visits:
            at_ns = self._call(root, trial, visit, at_ns)
        if trial.failure is not None:
            root.set_attribute(names.ERROR_TYPE, trial.failure.kind)
            root.set_status(Status(StatusCode.ERROR))
        self._scores(root, trial)
        root.end(end_ns)

    def close(self) -> bool:
        """Send what waits, for at most `FLUSH_S`; False where it was not enough."""
        is_sent = self._traces.force_flush(int(FLUSH_S * 1000))
        is_sent = self._logs.force_flush(int(FLUSH_S * 1000)) and is_sent
        self._traces.shutdown()
        self._logs.shutdown()
        return is_sent

    def _shared(self, trial: Trial) -> dict[str, Any]:
        about = self._about
        given = {
            names.PROMPT_NAME: about.task,
            names.PROMPT_VERSION: None if about.version is None else str(about.version),
            names.PROMPT_DIGEST: about.digest,
            names.RUN_ID: about.run_id,
            names.CASE_ID: trial.case_id,
        }
        return {name: value for name, value in given.items() if value is not None}

    def _call(self, root: Span, trial: Trial, visit: StepVisit, start_ns: int) -> int:
        completion = visit.completion
        end_ns = start_ns + int(completion.latency_s * 1e9)
        provider, slash, model = completion.model.partition("/")
        usage = completion.usage
        given = {
            **self._shared(trial),
            names.STEP: visit.step,
            names.OPERATION_NAME: "chat",
            names.PROVIDER_NAME: provider if slash else None,
            names.REQUEST_MODEL: (model if slash else provider) or None,
            names.RESPONSE_ID: completion.request_id,
            names.INPUT_TOKENS: usage.input_tokens,
            names.OUTPUT_TOKENS: usage.output_tokens,
            names.CACHE_READ_TOKENS: usage.cached_input_tokens or None,
            names.CACHE_CREATION_TOKENS: usage.cache_write_tokens or None,
            names.COST[0]: completion.cost_usd,
            names.FINISH_REASONS: [completion.finish_reason],
        }
        span = self._tracer.start_span(
            f"chat {completion.model}",
            context=set_span_in_context(root),
            kind=SpanKind.CLIENT,
            start_time=start_ns,
            attributes={name: value for name, value in given.items() if value is not None},
        )
        span.end(end_ns)
        return end_ns

    def _scores(self, root: Span, trial: Trial) -> None:
        context = set_span_in_context(root)
        values = [(score.metric, score.value, ",".join(score.tags)) for score in trial.scores]
        if trial.score is not None:
            values.append(("score", trial.score, "pass" if trial.passed else "fail"))
        for name, value, label in values:
            attributes: dict[str, Any] = {
                names.EVALUATION_NAME: name,
                names.EVALUATION_SCORE: value,
                names.RUN_ID: self._about.run_id,
            }
            if label:
                attributes[names.EVALUATION_LABEL] = label
            self._logger.emit(
                timestamp=time.time_ns(),
                context=context,
                event_name=names.EVALUATION_RESULT,
                attributes=attributes,
            )
