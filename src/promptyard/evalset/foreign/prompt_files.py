"""Writes the messages of another tool's prompt as the text of a prompt file of ours."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.errors import PromptError
from promptyard.evalset.foreign.checks import Unsupported
from promptyard.records.prompt_writing import ROLES, Turn, literal, write_messages

__all__ = ["ROLES", "Turn", "literal", "prompt_text"]


def prompt_text(turns: Sequence[Turn]) -> str:
    """Write messages, whose contents are templates of ours, as a prompt file, and read it back.

    Raises Unsupported for a role that we do not have, and where the file would not give the same
    messages (white space around them apart).
    """
    try:
        return write_messages(turns)
    except PromptError as error:
        raise Unsupported(str(error)) from None
