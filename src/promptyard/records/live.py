"""What live traffic did: who was shown which version, what came of it, what was said of it later.

An application writes these through the client; the release station reads them. Content (inputs and
outputs) is absent unless its owner switched it on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from promptyard.records.base import Json, Record
from promptyard.records.pseudonym import pseudonym as pseudonym  # noqa: PLC0414 - belongs to these

Arm: TypeAlias = Literal["control", "treatment"]
LiveScore: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Amount: TypeAlias = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
FeedbackSource: TypeAlias = Literal["user", "judge", "check"]


class Exposure(Record):
    """A subject of a rollout met an arm for the first time in a process.

    `subject` is a pseudonym (`pseudonym`). `at` is the client's clock, UTC, ISO 8601: it is shown,
    and decides nothing.
    """

    kind: Literal["exposure"] = "exposure"
    id: str
    prompt: str
    rollout_id: str
    subject: str
    arm: Arm
    version: int
    digest: str
    reason: str
    at: str


class Outcome(Record):
    """One answered (or failed) request of an application with one version of a prompt.

    `scores` are in [0, 1], higher is better; `score` among them is the overall one. `hard_failure`
    says that the answer was unusable (schema, refusal, leak, error); None where nobody looked. Both
    outcomes of a shadow pair carry the same `pair`. `features` are numbers and short words about
    the content (`input_chars`, `output_chars`, `language`) that say nothing of what it says.
    """

    kind: Literal["outcome"] = "outcome"
    id: str
    prompt: str
    version: int
    digest: str
    subject: str = ""
    rollout_id: str | None = None
    arm: Arm | None = None
    pair: str | None = None
    at: str
    model: str = ""
    latency_s: Amount | None = None
    input_tokens: int | None = Field(default=None, ge=0)
    output_tokens: int | None = Field(default=None, ge=0)
    cost_usd: Amount | None = None
    finish_reason: str = ""
    error: str = ""
    scores: Mapping[str, LiveScore] = Field(default_factory=dict)
    hard_failure: bool | None = None
    features: Mapping[str, float | str] = Field(default_factory=dict)
    inputs: Mapping[str, Json] | None = None
    output: str | None = None
    trace_id: str = ""
    span_id: str = ""


class Feedback(Record):
    """A later word on an outcome: of a user, of a sampled judge, of a check run on stored content.

    Its scores join those of the outcome; of the same name the latest counts.
    """

    kind: Literal["feedback"] = "feedback"
    id: str
    prompt: str
    outcome_id: str
    at: str
    source: FeedbackSource = "user"
    scores: Mapping[str, LiveScore] = Field(default_factory=dict)
    hard_failure: bool | None = None
    comment: str = ""


LiveEvent: TypeAlias = Annotated[Exposure | Outcome | Feedback, Field(discriminator="kind")]


class StoredEvent(Record):
    """A live event with the number under which the store holds it; numbers ascend."""

    seq: int
    stored_at: str
    event: LiveEvent
