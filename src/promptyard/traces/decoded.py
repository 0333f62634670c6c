"""What was read out of a request of telemetry: what can be used, and what cannot, with reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from promptyard.records.base import Json
from promptyard.records.spans import Span, SpanKind, SpanStatus

Encoding: TypeAlias = Literal["protobuf", "json"]

KINDS: tuple[SpanKind, ...] = ("internal", "internal", "server", "client", "producer", "consumer")
"""The kinds of spans by their numbers in OTLP; 0 says nothing."""
STATUSES: tuple[SpanStatus, ...] = ("unset", "ok", "error")

MAX_ATTRIBUTES = 1_024
"""Attributes of a span or of one of its events; with more it is rejected."""
MAX_EVENTS = 1_024
"""Events of a span; with more it is rejected."""
MAX_DEPTH = 16
"""How deep lists and objects in an attribute may be nested."""
MAX_TEXT_CHARS = 256 * 1_024
"""A longer text is left out whole, and a note of its length stands in its place: half of a JSON
text is none, and half of a secret is not recognised."""
MAX_REASONS = 5


class Hiding(Protocol):
    """Takes out what must not be stored, before there is a record of it."""

    def attributes(self, attributes: dict[str, Json]) -> None:
        """Change attributes in place."""
        ...

    def text(self, text: str) -> str:
        """Return a text that may repeat content, such as the message of an error, without it."""
        ...


class NotUsable(Exception):
    """Says why one span or log is rejected."""


@dataclass(slots=True)
class Rejections:
    """How many items were rejected, and the first reasons."""

    n: int = 0
    reasons: list[str] = field(default_factory=list[str])

    def add(self, reason: str) -> None:
        """Count one more."""
        self.n += 1
        if len(self.reasons) < MAX_REASONS:
            self.reasons.append(reason)

    @property
    def message(self) -> str:
        """One line for the sender, empty where nothing was rejected."""
        more = f"; and {self.n - len(self.reasons)} more" if self.n > len(self.reasons) else ""
        return "; ".join(self.reasons) + more


@dataclass(slots=True)
class DecodedSpans:
    """The spans of a request."""

    spans: list[Span] = field(default_factory=list[Span])
    rejected: Rejections = field(default_factory=Rejections)


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A log record that is an event of interest. Ids are empty where it has no span."""

    name: str
    at_ns: int
    trace_id: str
    span_id: str
    attributes: Mapping[str, Json]


@dataclass(slots=True)
class DecodedLogs:
    """The events of a request of logs that were asked for; `n_others` is how many were not."""

    events: list[LogEvent] = field(default_factory=list[LogEvent])
    n_others: int = 0
    rejected: Rejections = field(default_factory=Rejections)


def check_ids(trace_id: bytes, span_id: bytes) -> None:
    """Raise NotUsable for ids that are all zeros or have a wrong length."""
    _check_id("trace_id", trace_id, 16)
    _check_id("span_id", span_id, 8)


def check_parent(span_id: bytes) -> None:
    """Raise NotUsable for the id of a parent that has a wrong length; none at all is fine."""
    if len(span_id) not in (0, 8):
        raise NotUsable(f"parent_span_id has {len(span_id)} bytes, not 8")


def check_counts(n_attributes: int, n_events: int = 0) -> None:
    """Raise NotUsable for too many attributes or events."""
    if n_attributes > MAX_ATTRIBUTES:
        raise NotUsable(f"{n_attributes:,} attributes; {MAX_ATTRIBUTES:,} at most")
    if n_events > MAX_EVENTS:
        raise NotUsable(f"{n_events:,} events; a span has {MAX_EVENTS:,} at most")


def inside(depth: int) -> int:
    """Return the depth of what is in a list or an object. Raises NotUsable for too deep."""
    if depth >= MAX_DEPTH:
        raise NotUsable(f"an attribute is nested deeper than {MAX_DEPTH} levels")
    return depth + 1


def shortened(text: str) -> str:
    """Return a text, or the note that stands in its place where it is too long."""
    if len(text) <= MAX_TEXT_CHARS:
        return text
    return f"[left out: {len(text):,} characters]"


def finite(number: float) -> float | str:
    """Return a number, or the word that OTLP's JSON has for it where it is none of JSON's."""
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def _check_id(name: str, value: bytes, size: int) -> None:
    if len(value) != size:
        raise NotUsable(f"{name} has {len(value)} bytes, not {size}")
    if not any(value):
        raise NotUsable(f"{name} is all zeros")
