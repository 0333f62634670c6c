"""What a span says of one call of a model, whatever convention its sender follows. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from promptyard.records import attribute_names as names
from promptyard.records.base import Json, as_list, as_object
from promptyard.records.live import Arm, Exposure, Outcome
from promptyard.records.live_ids import exposure_id
from promptyard.records.spans import Span, response_id_of, span_outcome_id, usable_name
from promptyard.traces.messages import content_of, finish_of_messages, json_of, output_text

MAX_ERROR_CHARS = 2_000
_MOST = 1 << 53  # larger numbers are no amounts, and no sum of floats holds them
_ARMS: Mapping[str, Arm] = {"control": "control", "treatment": "treatment"}
_WORD = re.compile(r"\w+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PromptReference:
    """The version of a prompt that a span names: by number (`3`, `v3`), by digest, or by both."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Generation:
    """One call of a model in normal form. Texts are empty and amounts None where nobody said.

    `operation` and `provider` are the sender's words. `latency_s` is how long the span took.
    `rollout_id` and `arm` come together or not at all; `subject` is a pseudonym. `variables`,
    `input` and `output` are there if the sender sent content.
    """

    operation: str
    provider: str
    model_asked: str
    model_answering: str
    prompt: PromptReference | None
    response_id: str
    rollout_id: str | None
    arm: Arm | None
    subject: str
    reason: str
    latency_s: float
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    finish_reason: str
    error: str
    hard_failure: bool | None
    variables: Mapping[str, Json] | None
    input: Json
    output: str | None


def prompt_of(span: Span) -> PromptReference | None:
    """Return the version that a span of live traffic names, None for none; cheap."""
    attributes = span.attributes
    name = usable_name(_first(attributes, names.PROMPT))
    if not name or names.RUN_ID in attributes:  # a run of the line is no live traffic
        return None
    version = _text(_first(attributes, names.VERSION))
    digest = _text(attributes.get(names.PROMPT_DIGEST))
    return PromptReference(name, version, digest) if version or digest else None


def generation_of(span: Span) -> Generation:
    """Read a span. Nothing in it makes this raise."""
    said = span.attributes
    rollout_id, arm = _arm(said)
    failed = said.get(names.HARD_FAILURE)
    usage = as_object(json_of(_first(said, names.USAGE_OBJECT))) or {}
    costs = as_object(json_of(_first(said, names.COST_OBJECT))) or {}
    messages = content_of(said, is_input=False)
    return Generation(
        operation=_text(_first(said, names.OPERATION)),
        provider=_text(_first(said, names.PROVIDER)),
        model_asked=_text(_first(said, names.MODEL_ASKED)),
        model_answering=_text(_first(said, names.MODEL_ANSWERING)),
        prompt=prompt_of(span),
        response_id=response_id_of(span),
        rollout_id=rollout_id,
        arm=arm,
        subject=_text(_first(said, names.SUBJECTS)),
        reason=_text(said.get(names.RESOLUTION_REASON)),
        latency_s=span.duration_s,
        input_tokens=_whole(_first(said, names.TOKENS_IN), usage.get("input")),
        output_tokens=_whole(_first(said, names.TOKENS_OUT), usage.get("output")),
        cost_usd=_amount(_first(said, names.COST), costs.get("total")),
        finish_reason=_finish(said, messages),
        error=_error(span),
        hard_failure=failed if isinstance(failed, bool) else None,
        variables=_variables(said),
        input=content_of(said, is_input=True),
        output=output_text(messages),
    )


def outcome_of(span: Span, said: Generation, *, name: str, version: int, digest: str) -> Outcome:
    """Return the outcome that a span of this version of a prompt is."""
    return Outcome(
        id=span_outcome_id(span.trace_id, span.span_id),
        prompt=name,
        version=version,
        digest=digest,
        subject=said.subject,
        rollout_id=said.rollout_id,
        arm=said.arm,
        at=utc(span.end_ns or span.start_ns),
        model=said.model_answering or said.model_asked,
        latency_s=said.latency_s if span.end_ns > span.start_ns else None,
        input_tokens=said.input_tokens,
        output_tokens=said.output_tokens,
        cost_usd=said.cost_usd,
        finish_reason=said.finish_reason,
        error=said.error,
        hard_failure=said.hard_failure,
        features=_features(said),
        inputs=said.variables,
        output=said.output,
        trace_id=span.trace_id,
        span_id=span.span_id,
    )


def exposure_of(outcome: Outcome, reason: str) -> Exposure | None:
    """Return the exposure that an outcome of a rollout proves; the client gives it the same id."""
    if outcome.rollout_id is None or outcome.arm is None or not outcome.subject:
        return None
    return Exposure(
        id=exposure_id(outcome.rollout_id, outcome.subject, outcome.arm),
        prompt=outcome.prompt,
        rollout_id=outcome.rollout_id,
        subject=outcome.subject,
        arm=outcome.arm,
        version=outcome.version,
        digest=outcome.digest,
        reason=reason or "split",
        at=outcome.at,
    )


def utc(at_ns: int) -> str:
    """Write nanoseconds since 1970 as ISO 8601, UTC."""
    return (_EPOCH + timedelta(microseconds=at_ns // 1_000)).isoformat(timespec="microseconds")


def _first(attributes: Mapping[str, Json], wanted: names.Names) -> Json:
    for name in wanted:
        value = attributes.get(name)
        if value is not None and value != "":
            return value
    return None


def _text(value: Json) -> str:
    """Return a short text, or a number as one; anything else says nothing."""
    if isinstance(value, str):
        return value[:1_000]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _arm(said: Mapping[str, Json]) -> tuple[str | None, Arm | None]:
    rollout_id = usable_name(said.get(names.ROLLOUT_ID))
    arm = _ARMS.get(_text(said.get(names.ARM)))
    if not rollout_id or arm is None:
        return None, None
    return rollout_id, arm


def _amount(*values: Json) -> float | None:
    for value in values:
        if isinstance(value, int | float) and not isinstance(value, bool):
            number = float(value) if abs(value) <= _MOST else math.inf
            return number if math.isfinite(number) and number >= 0 else None
    return None


def _whole(*values: Json) -> int | None:
    number = _amount(*values)
    return None if number is None else int(number)


def _finish(said: Mapping[str, Json], messages: Json) -> str:
    found = _first(said, names.FINISH)
    several = as_list(found)
    if several is not None:
        found = several[0] if several else None
    return _text(found) or finish_of_messages(messages)


def _error(span: Span) -> str:
    kind = _text(_first(span.attributes, names.ERROR))
    if not kind and span.status != "error":
        return ""
    told = ": ".join(part for part in (kind, span.status_message) if part)
    return told[:MAX_ERROR_CHARS] or "error"


def _variables(said: Mapping[str, Json]) -> Mapping[str, Json] | None:
    start = len(names.PROMPT_VARIABLE)
    found = {
        name[start:]: value
        for name, value in said.items()
        if name.startswith(names.PROMPT_VARIABLE) and len(name) > start
    }
    return found or as_object(json_of(_first(said, names.VARIABLES)))


def _features(said: Generation) -> dict[str, float | str]:
    features: dict[str, float | str] = {}
    if said.variables is not None:
        texts = (value for value in said.variables.values() if isinstance(value, str))
        features["input_chars"] = sum(map(len, texts))
    if said.output is not None:
        features["output_chars"] = len(said.output)
        features["output_words"] = sum(1 for _ in _WORD.finditer(said.output))
    return features
