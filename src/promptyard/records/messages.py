"""What goes to a model and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from promptyard.records.base import Json, Record

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
CallRole: TypeAlias = Literal["task", "optimizer", "judge"]
FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "other"]

CLEAN_FINISHES: frozenset[str] = frozenset({"stop", "tool_calls"})
"""Finish reasons of answers that other runs may reuse (DESIGN rule 4)."""


class TextPart(Record):
    """Plain text."""

    kind: Literal["text"] = "text"
    text: str


class ImagePart(Record):
    """An image by URL; a `data:` URL carries the bytes themselves."""

    kind: Literal["image"] = "image"
    url: str


class ToolCallPart(Record):
    """The model asks for a tool. `arguments` is the raw JSON text as the model wrote it."""

    kind: Literal["tool_call"] = "tool_call"
    id: str
    name: str
    arguments: str


class ToolResultPart(Record):
    """What a tool answered to the call `id`."""

    kind: Literal["tool_result"] = "tool_result"
    id: str
    text: str


Part: TypeAlias = Annotated[
    TextPart | ImagePart | ToolCallPart | ToolResultPart, Field(discriminator="kind")
]


class Message(Record):
    """One turn of a chat: a role and its parts."""

    role: Role
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, role: Role, text: str) -> Message:
        """Build a message of one text part."""
        return cls(role=role, parts=(TextPart(text=text),))

    @property
    def text(self) -> str:
        """All text parts, joined without a separator."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))


class Tool(Record):
    """A function that the model may ask for; `parameters` is a JSON Schema."""

    name: str
    description: str = ""
    parameters: Mapping[str, Json] = Field(default_factory=dict)


class OutputContract(Record):
    """What the answer must look like: free text, one label of a set, or JSON by a schema."""

    format: Literal["text", "label", "json"] = "text"
    labels: tuple[str, ...] = ()
    schema_: Mapping[str, Json] | None = Field(default=None, alias="schema")

    model_config = Record.model_config | {"populate_by_name": True}


class Request(Record):
    """One call as a workflow step asks for it, before a provider gives it its wire form."""

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    params: Mapping[str, Json] = Field(default_factory=dict)
    output: OutputContract = OutputContract()


class Usage(Record):
    """Tokens by kind; `input_tokens` includes those of the provider's cache.

    `cached_input_tokens` were read out of it, `cache_write_tokens` put into it.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens


class Completion(Record):
    """One answer of a model.

    `latency_s` and `cost_usd`, at least 0, are those of the original call, also when `cached` says
    that the answer came out of the store. `cost_usd` is None where no price is known.
    """

    text: str
    tool_calls: tuple[ToolCallPart, ...] = ()
    finish_reason: FinishReason = "stop"
    usage: Usage = Usage()
    latency_s: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    cost_usd: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    model: str = ""
    request_id: str | None = None
    cached: bool = False
