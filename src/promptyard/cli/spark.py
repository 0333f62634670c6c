"""Draws a row of numbers as a row of bars, one character each."""

from __future__ import annotations

import sys
from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
PLAIN_BARS = "_.-:=+*#"
"""Bars for terminals that cannot show the others."""


def spark(values: Sequence[float | None], most: int = 40) -> str:
    """Draw the last `most` numbers between their smallest and largest; a gap where one is None.

    Equal numbers are drawn in the middle; fewer than two numbers are no picture.
    """
    shown = values[-most:]
    known = [value for value in shown if value is not None]
    if len(known) < 2:
        return ""
    low, high = min(known), max(known)
    bars = BARS if (sys.stdout.encoding or "").lower().replace("-", "") == "utf8" else PLAIN_BARS

    def bar(value: float | None) -> str:
        if value is None:
            return " "
        if high == low:
            return bars[len(bars) // 2]
        return bars[round((value - low) / (high - low) * (len(bars) - 1))]

    return "".join(bar(value) for value in shown)
