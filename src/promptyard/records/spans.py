"""Spans: what an application's telemetry says of one piece of its work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import ConfigDict, Field

from promptyard.records.attribute_names import OUTCOME_ID, RESPONSE_ID
from promptyard.records.base import Json, Record

MAX_NAME_CHARS = 200
"""Longest id that the store holds."""

SpanKind: TypeAlias = Literal["internal", "server", "client", "producer", "consumer"]
SpanStatus: TypeAlias = Literal["unset", "ok", "error"]
TraceId: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
SpanId: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class SpanEvent(Record):
    """Something that happened at one moment of a span."""

    model_config = ConfigDict(ser_json_inf_nan="constants")

    name: str
    at_ns: int = Field(ge=0)
    attributes: Mapping[str, Json] = Field(default_factory=dict)


class Span(Record):
    """One span as it was sent: names and attributes are those of its sender.

    Times are nanoseconds since 1970, UTC, by the sender's clock. `service` is the sender's
    `service.name`. `prompt` and `version` are set where the span names a version that the registry
    has, and only then.
    """

    # So that its own JSON, which is twice as fast as that of a dump, keeps infinities.
    model_config = ConfigDict(ser_json_inf_nan="constants")

    trace_id: TraceId
    span_id: SpanId
    parent_span_id: str = ""
    name: str = ""
    kind: SpanKind = "internal"
    start_ns: int = Field(default=0, ge=0)
    end_ns: int = Field(default=0, ge=0)
    status: SpanStatus = "unset"
    status_message: str = ""
    service: str = ""
    scope: str = ""
    attributes: Mapping[str, Json] = Field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()
    prompt: str | None = None
    version: int | None = None

    @property
    def duration_s(self) -> float:
        """How long it took, in seconds; 0 where its end is before its start."""
        return max(0, self.end_ns - self.start_ns) / 1e9


class StoredSpan(Record):
    """A span with the number under which the store holds it; numbers ascend."""

    seq: int
    stored_at: str
    span: Span


class Ingested(Record):
    """What storing some spans and live events did; the rest had been there before."""

    n_new_spans: int
    n_new_events: int


def span_outcome_id(trace_id: str, span_id: str) -> str:
    """Return the id of the outcome that a span is."""
    return f"s-{trace_id}-{span_id}"


def own_outcome_id(span: Span) -> str:
    """Return the id of the outcome that the sender recorded itself, empty where it did not."""
    return usable_name(span.attributes.get(OUTCOME_ID))


def outcome_id_of(span: Span) -> str:
    """Return the id of the outcome of a span: the sender's own, else the one that it is."""
    return own_outcome_id(span) or span_outcome_id(span.trace_id, span.span_id)


def response_id_of(span: Span) -> str:
    """Return the id that the model's server gave its answer, empty where there is none."""
    return usable_name(span.attributes.get(RESPONSE_ID))


def response_outcome_id(response_id: str) -> str:
    """Return what feedback on an answer refers to as long as the span of the answer is unknown."""
    return f"r-{response_id}"


def usable_name(value: Json) -> str:
    """Return a text that the store can hold as a name or id, else an empty one."""
    if isinstance(value, str) and 0 < len(value) <= MAX_NAME_CHARS - 2 and value.isprintable():
        return value
    return ""
