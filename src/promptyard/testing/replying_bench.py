"""A Bench without models: functions of the messages answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from promptyard.records.base import Json
from promptyard.records.messages import Completion, Message
from promptyard.records.prompts import Program
from promptyard.records.scores import Report

Reply: TypeAlias = Callable[[Sequence[Message]], str]
"""What a model answers to messages. What it raises is raised by the call."""


def not_asked(messages: Sequence[Message]) -> str:
    """Fail: this model is not to be asked."""
    raise AssertionError(f"asked what nobody answers: {messages[-1].text[:200]}")


class ReplyingBench:
    """Answers with `reply` for the optimizer and `judge` for the judge. It runs no programs.

    Attributes:
        requests: the messages of every call, in order.
        replicates: the replicate of every call.
        schemas: the schema of every call, None where it had none.
    """

    def __init__(self, reply: Reply = not_asked, *, judge: Reply = not_asked) -> None:
        self._answers: Mapping[str, Reply] = {"optimizer": reply, "judge": judge}
        self.requests: list[Sequence[Message]] = []
        self.replicates: list[int] = []
        self.schemas: list[Mapping[str, Json] | None] = []

    async def complete(
        self,
        role: Literal["optimizer", "judge"],
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Json] | None = None,
        replicate: int = 0,
    ) -> Completion:
        """Answer, and keep what was asked."""
        self.requests.append(messages)
        self.replicates.append(replicate)
        self.schemas.append(schema)
        return Completion(text=self._answers[role](messages))

    async def run(
        self, program: Program, train_case_ids: Sequence[str], replicate: int = 0
    ) -> Report:
        """Fail: a subclass runs programs."""
        raise AssertionError(f"this bench runs no programs: {program.id} {train_case_ids}")
