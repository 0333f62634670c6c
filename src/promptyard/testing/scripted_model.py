"""A model for tests that says what the test tells it to, inside the process."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from promptyard.errors import InvalidRequest, ModelTimeout
from promptyard.records.base import Json
from promptyard.records.messages import Completion, Message, Request, TextPart, Usage

Reply: TypeAlias = str | Completion | Exception
"""What one call gives: a text, a whole completion, or an exception to raise."""


class ScriptedModel:
    """Answers from a function of the body, or from a list of replies in the order of the calls.

    Everything around the model stays real: pass it wherever a `Model` is expected. It has no
    price; a reply that needs one, tool calls or a finish reason is given as a Completion.

        model = ScriptedModel(lambda body: body["messages"][-1]["content"].upper())
        flaky = ScriptedModel([RateLimited("slow down", retry_after_s=0.01), "yes"])

    Attributes:
        requests: bodies that were sent, in order.
        max_in_flight: most calls that were under way at one time.
    """

    def __init__(
        self,
        reply: Callable[[Mapping[str, Json]], Reply] | Sequence[Reply],
        name: str = "scripted/model",
        latency_s: float = 0.0,
    ) -> None:
        """Describe the model.

        Args:
            reply: a function of the body, or replies in order (a single text is one reply).
            name: full name, `provider/model`.
            latency_s: seconds that every call takes, failures included.
        """
        self.name = name
        self.base_url = "scripted:"
        self.latency_s = latency_s
        self.requests: list[Mapping[str, Json]] = []
        self.max_in_flight = 0
        self._reply = [reply] if isinstance(reply, str) else reply
        self._n_in_flight = 0

    @property
    def n_requests(self) -> int:
        """How many calls were made, failed ones included."""
        return len(self.requests)

    def body(self, request: Request) -> Mapping[str, Json]:
        """Return model, messages, params, and tools and output contract where there are any.

        The content of a message is its text; with other parts than text, the list of its parts.
        """
        plain = request.model_dump(mode="json", by_alias=True)
        body: dict[str, Json] = {
            "model": self.name,
            "messages": [
                {"role": message.role, "content": _content(message)} for message in request.messages
            ],
            "params": plain["params"],
        }
        if request.tools:
            body["tools"] = plain["tools"]
        if request.output.format != "text":
            body["output"] = plain["output"]
        return body

    async def send(self, body: Mapping[str, Json], *, timeout_s: float) -> Completion:
        """Give the next reply. A text counts its words, and those asked, as tokens.

        Raises the exception that the script says, ModelTimeout when `latency_s` is longer than
        `timeout_s`, and InvalidRequest when a list of replies is used up.
        """
        index = len(self.requests)
        self.requests.append(body)
        self._n_in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self._n_in_flight)
        started = time.perf_counter()
        try:
            await asyncio.sleep(min(self.latency_s, timeout_s))
            if self.latency_s > timeout_s:
                raise ModelTimeout(f"{self.name} gave no answer within {timeout_s:g} s")
            reply = self._reply_to(index, body)
        finally:
            self._n_in_flight -= 1
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, Completion):
            return reply
        return Completion(
            text=reply,
            usage=Usage(
                input_tokens=len(json.dumps(body["messages"]).split()),
                output_tokens=len(reply.split()),
            ),
            latency_s=time.perf_counter() - started,
            model=self.name,
        )

    def cost_usd(self, usage: Usage) -> float | None:
        """Return None: a scripted answer has no price."""
        del usage

    async def close(self) -> None:
        """Do nothing: there is no connection."""

    def _reply_to(self, index: int, body: Mapping[str, Json]) -> Reply:
        if callable(self._reply):
            return self._reply(body)
        if index >= len(self._reply):
            raise InvalidRequest(
                f"{self.name} has {len(self._reply)} replies and was called "
                f"{index + 1} times; script more, or a function of the body"
            )
        return self._reply[index]


def _content(message: Message) -> Json:
    if all(isinstance(part, TextPart) for part in message.parts):
        return message.text
    return [part.model_dump(mode="json") for part in message.parts]
