"""Requests and replies as texts, for generators that ask for whole texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from promptyard.records.messages import Message
from promptyard.testing import ReplyingBench
from promptyard.testing.replying_bench import Reply


def to_text(reply: Callable[[str], str]) -> Reply:
    """Answer by the text of a request, all its messages joined."""
    return lambda messages: reply(_joined(messages))


def texts_of(bench: ReplyingBench) -> list[str]:
    """Return the text of each request in order; whole texts are asked for without a schema."""
    assert not any(bench.schemas)
    return list(map(_joined, bench.requests))


def _joined(messages: Sequence[Message]) -> str:
    return "\n\n".join(message.text for message in messages)


def nonce_of(request: str) -> str:
    """Return the nonce of the first request in a text."""
    found = re.search(r"````new-([0-9a-f]{8})|end in -([0-9a-f]{8})", request)
    assert found is not None, request
    return found[1] or found[2]


def fenced(request: str, text: str, why: str = "") -> str:
    """Return a reply to a request for a whole text."""
    return f"{why}\n\n````new-{nonce_of(request)}\n{text}\n````"
