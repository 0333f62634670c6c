"""The models of a world inside the process, as `promptyard.protocols.Model` wants them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptyard.providers.chat_wire import chat_body
from promptyard.records.base import Json
from promptyard.records.messages import Completion, Request, Usage
from search_worlds.service import Role, Service


class WorldModel:
    """One role of a service; bodies are those that the server gets, answers take no time."""

    base_url = "world:"

    def __init__(self, service: Service, role: Role) -> None:
        self.name = f"world/{role}"
        self._role = role
        self._service = service

    def body(self, request: Request) -> Mapping[str, Json]:
        """The chat-completions body."""
        return chat_body(self._role, request)

    async def send(self, body: Mapping[str, Any], *, timeout_s: float) -> Completion:
        """Answer at once."""
        del timeout_s
        answered = self._service.answer(body)
        text, finish_reason = answered.choices[0]
        return Completion(
            text=text,
            finish_reason=finish_reason,
            usage=Usage(
                input_tokens=answered.prompt_tokens, output_tokens=answered.completion_tokens
            ),
            model=self._role,
        )

    def cost_usd(self, usage: Usage) -> float | None:
        """None: nothing here has a price."""
        del usage

    async def close(self) -> None:
        """Nothing to give back."""
