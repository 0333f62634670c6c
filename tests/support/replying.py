"""A bench whose optimizer is a function, for generators that ask for whole texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from promptyard.records.base import Json
from promptyard.records.messages import Completion, Message
from promptyard.records.prompts import Program
from promptyard.records.scores import Report


class ReplyBench:
    """Answers optimizer calls by a function of the request's text; runs no programs.

    Attributes:
        requests: the text of each request, all its messages joined, in order.
    """

    def __init__(self, reply: Callable[[str], str]) -> None:
        self._reply = reply
        self.requests: list[str] = []
        self.replicates: list[int] = []

    async def complete(
        self,
        role: Literal["optimizer", "judge"],
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Json] | None = None,
        replicate: int = 0,
    ) -> Completion:
        """Answer, and keep the request."""
        assert role == "optimizer"
        assert schema is None
        request = "\n\n".join(message.text for message in messages)
        self.requests.append(request)
        self.replicates.append(replicate)
        return Completion(text=self._reply(request))

    async def run(
        self, program: Program, train_case_ids: Sequence[str], replicate: int = 0
    ) -> Report:
        """Refuse: these generators run nothing."""
        raise AssertionError(f"{program.id} {train_case_ids} {replicate}")


def nonce_of(request: str) -> str:
    """Return the nonce of the first request in a text."""
    found = re.search(r"````new-([0-9a-f]{8})|end in -([0-9a-f]{8})", request)
    assert found is not None, request
    return found[1] or found[2]


def fenced(request: str, text: str, why: str = "") -> str:
    """Return a reply to a request for a whole text."""
    return f"{why}\n\n````new-{nonce_of(request)}\n{text}\n````"
