"""Evaluations that telemetry carries: `gen_ai.evaluation.result`, as feedback on its span. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

from promptyard.records import attribute_names as names
from promptyard.records.base import Json, canonical_json
from promptyard.records.live import Feedback
from promptyard.records.live_ids import feedback_id
from promptyard.records.spans import Span, response_outcome_id, span_outcome_id, usable_name
from promptyard.traces.decoded import LogEvent, NotUsable
from promptyard.traces.generations import utc

MAX_COMMENT_CHARS = 10_000
_LABELS = {"pass": 1.0, "true": 1.0, "fail": 0.0, "false": 0.0}


def feedback_of(event: LogEvent) -> Feedback:
    """Return the feedback that an evaluation is; its prompt is open until the store has the span.

    A score counts in [0, 1]; without one the labels pass, fail, true and false count as 1 and 0.
    Raises NotUsable saying why it cannot be used.
    """
    said = event.attributes
    name = usable_name(said.get(names.EVALUATION_NAME))
    if not name:
        raise NotUsable(f"{names.EVALUATION_NAME} is missing or too long")
    score = _score(said)
    outcome_id = _outcome_id(event)
    explanation = said.get(names.EVALUATION_EXPLANATION)
    comment = explanation[:MAX_COMMENT_CHARS] if isinstance(explanation, str) else ""
    written = canonical_json([outcome_id, name, event.at_ns, score, comment])
    return Feedback(
        id=feedback_id(written),
        prompt="",
        outcome_id=outcome_id,
        at=utc(event.at_ns),
        source="judge",
        scores={name: score},
        comment=comment,
    )


def evaluations_in(span: Span) -> list[LogEvent]:
    """Return the evaluations among the events of a span, which older senders put there."""
    return [
        LogEvent(event.name, event.at_ns, span.trace_id, span.span_id, event.attributes)
        for event in span.events
        if event.name == names.EVALUATION_RESULT
    ]


def _score(said: Mapping[str, Json]) -> float:
    value = said.get(names.EVALUATION_SCORE)
    if isinstance(value, int | float) and 0 <= value <= 1 and math.isfinite(value):
        return float(value)
    label = said.get(names.EVALUATION_LABEL)
    if isinstance(label, str) and label.strip().lower() in _LABELS:
        return _LABELS[label.strip().lower()]
    if value is not None:
        raise NotUsable(f"{names.EVALUATION_SCORE} {str(value)[:40]!a} is not in [0, 1]")
    if label is not None:
        raise NotUsable(f"the label {str(label)[:40]!a} is none of pass, fail, true, false")
    error = said.get(names.ERROR_TYPE)
    failed = f": it failed with {str(error)[:40]!a}" if error is not None else ""
    raise NotUsable(f"the evaluation has no score{failed}")


def _outcome_id(event: LogEvent) -> str:
    if event.trace_id:
        return span_outcome_id(event.trace_id, event.span_id)
    response_id = usable_name(event.attributes.get(names.RESPONSE_ID))
    if not response_id:
        raise NotUsable(f"it has neither a span nor a {names.RESPONSE_ID} to belong to")
    return response_outcome_id(response_id)
