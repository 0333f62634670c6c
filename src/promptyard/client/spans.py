"""Outcomes as spans of OpenTelemetry, for applications that trace: numbers and names, no content.

Uses what the application has set up (its tracer and logger provider); without any, nothing
happens. Needs the extra: pip install 'promptyard[otel]'.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import get_logger
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation import set_span_in_context

from promptyard.client.flags import REASONS
from promptyard.client.resolved import ResolvedPrompt
from promptyard.records import attribute_names as names
from promptyard.records.pseudonym import pseudonym
from promptyard.records.spans import span_outcome_id

OPERATION = "chat"
_SCOPE = "promptyard.client"
_OUTCOME = "s-"


class SpanEmitter:
    """Writes spans and evaluation events into the application's telemetry."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer(_SCOPE)
        self._logger = get_logger(_SCOPE)

    def outcome(
        self, resolved: ResolvedPrompt, fields: Mapping[str, Any], *, is_recorded: bool
    ) -> tuple[str, str] | None:
        """Emit the span of an outcome that has just ended; return its trace and span id.

        Where the outcome `is_recorded` otherwise, the span says so, so that it counts once. Its
        scores are else evaluation events beside it. None where nothing is traced.
        """
        end_ns = time.time_ns()
        start_ns = end_ns - int((fields["latency_s"] or 0.0) * 1e9)
        attributes = prompt_attributes(resolved)
        attributes.update(_call_attributes(fields))
        if is_recorded:
            attributes[names.OUTCOME_ID] = fields["id"]
        model = fields["model"]
        span = self._tracer.start_span(
            f"{OPERATION} {model}" if model else OPERATION,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=start_ns,
        )
        context = span.get_span_context()
        if fields["error"]:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end_ns)
        if not context.is_valid:
            return None
        if not is_recorded:
            for name, value in fields["scores"].items():
                self._evaluation(name, value, context)
        return f"{context.trace_id:032x}", f"{context.span_id:016x}"

    def feedback(self, outcome_id: str, scores: Mapping[str, float]) -> bool:
        """Emit a later word on an outcome that is a span; False where it is none."""
        trace_id, _, span_id = outcome_id.removeprefix(_OUTCOME).partition("-")
        if not outcome_id.startswith(_OUTCOME) or len(trace_id) != 32 or len(span_id) != 16:
            return False
        context = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True)
        for name, value in scores.items():
            self._evaluation(name, value, context)
        return True

    def _evaluation(self, name: str, value: float, context: SpanContext) -> None:
        self._logger.emit(
            timestamp=time.time_ns(),
            context=set_span_in_context(NonRecordingSpan(context)),
            event_name=names.EVALUATION_RESULT,
            attributes={names.EVALUATION_NAME: name, names.EVALUATION_SCORE: value},
        )


def outcome_id_of(ids: tuple[str, str]) -> str:
    """Return the id of the outcome that a span is."""
    return span_outcome_id(*ids)


def prompt_attributes(resolved: ResolvedPrompt) -> dict[str, str | int | float | bool]:
    """Return what a span says of the prompt that was served, and of why."""
    attributes: dict[str, str | int | float | bool] = {
        names.PROMPT_NAME: resolved.name,
        names.PROMPT_VERSION: str(resolved.version),
        names.PROMPT_DIGEST: resolved.digest,
        names.RESOLUTION_REASON: resolved.reason,
        names.FLAG_KEY: resolved.name,
        names.FLAG_VARIANT: f"v{resolved.version}",
        names.FLAG_REASON: REASONS[resolved.reason].lower(),
    }
    if resolved.rollout_id is not None and resolved.arm is not None:
        attributes[names.ROLLOUT_ID] = resolved.rollout_id
        attributes[names.ARM] = resolved.arm
    if resolved.subject:
        attributes[names.SUBJECT] = pseudonym(resolved.subject)
    return attributes


def _call_attributes(fields: Mapping[str, Any]) -> dict[str, Any]:
    provider, slash, model = fields["model"].partition("/")
    given: dict[str, Any] = {
        names.OPERATION_NAME: OPERATION,
        names.PROVIDER_NAME: provider if slash else None,
        names.REQUEST_MODEL: (model if slash else provider) or None,
        names.INPUT_TOKENS: fields["input_tokens"],
        names.OUTPUT_TOKENS: fields["output_tokens"],
        names.COST[0]: fields["cost_usd"],
        names.FINISH_REASONS: [fields["finish_reason"]] if fields["finish_reason"] else None,
        names.ERROR_TYPE: _error_type(fields["error"]),
        names.HARD_FAILURE: fields["hard_failure"],
    }
    return {name: value for name, value in given.items() if value is not None}


def _error_type(error: str) -> str | None:
    """Return the kind of an error alone: its text may repeat content."""
    from promptyard.client.live_lines import error_kind

    return error_kind(error) if error else None
