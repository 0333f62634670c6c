"""Cuts a file into the YAML at its top and the template below it."""

from __future__ import annotations

import re
from typing import NamedTuple

from promptyard.errors import PromptError

_FENCE = re.compile(r"^(?:---|\+\+\+)[ \t]*\r?$", re.MULTILINE)
_BEFORE = re.compile(r"(?:(?:#[^\n]*|[ \t\r]*)\n)*[ \t]*(?=(?:---|\+\+\+)[ \t]*\r?\n)")


class Parts(NamedTuple):
    """The YAML with the line (from 1) that it begins on, the template with the one of its own."""

    yaml: str
    yaml_line: int
    body: str
    body_line: int


def split_front_matter(text: str) -> Parts:
    """Cut a text; blank lines and comments may stand before the first fence.

    Raises PromptError when the front matter is never closed.
    """
    text = text.removeprefix("\ufeff")
    before = _BEFORE.match(text)
    if before is None:
        return Parts("", 1, text, 1)
    start = text.index("\n", before.end()) + 1
    closing = _FENCE.search(text, start)
    if closing is None:
        line = text.count("\n", 0, before.end()) + 1
        raise PromptError(
            f"line {line}: the front matter is opened and never closed; add a '---' line"
        )
    end = min(closing.end() + 1, len(text))
    return Parts(
        yaml=text[start : closing.start()],
        yaml_line=text.count("\n", 0, start) + 1,
        body=text[end:],
        body_line=text.count("\n", 0, end) + 1,
    )
