"""Code fences: inside them there are no headings and no role lines."""

from __future__ import annotations

import re

FENCE_LINE = re.compile(r"[ \t]{0,3}(```+|~~~+)")


def fence_after(line: str, fence: str | None) -> str | None:
    """Return the fence that is open behind a line; one with words behind it closes nothing."""
    mark = FENCE_LINE.match(line)
    if mark is None:
        return fence
    if fence is None:
        return mark.group(1)
    is_end = mark.group(1).startswith(fence) and line.strip() == mark.group(1)
    return None if is_end else fence


def open_fence(text: str) -> str | None:
    """Return the fence that is still open at the end of a text, None where all are closed."""
    fence: str | None = None
    for line in text.split("\n"):
        fence = fence_after(line, fence)
    return fence
