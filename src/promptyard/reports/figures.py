"""Writes numbers for people: percent, points, milliseconds, dollars, counts, durations.

A missing number is a dash, never a zero.
"""

from __future__ import annotations

import math
from datetime import datetime

from promptyard.records.scores import Interval

MISSING = "–"
QUANTITIES = ("latency_s", "tokens", "cost_usd")
"""Dimensions that are no scores in [0, 1]."""

NAMES = {"latency_s": "Latency", "tokens": "Tokens", "cost_usd": "Cost"}


def is_share(dimension: str) -> bool:
    """Say whether a dimension is a score in [0, 1]."""
    return dimension not in QUANTITIES


def dimension_name(dimension: str) -> str:
    """Return the name that a table shows for a dimension."""
    return NAMES.get(dimension, dimension.replace("_", " ").capitalize())


def amount(dimension: str, value: float | None) -> str:
    """Write a value of a dimension with its unit: percent, ms, tokens or USD."""
    if value is None or not math.isfinite(value):
        return MISSING
    if dimension == "latency_s":
        return f"{_milliseconds(value)} ms"
    if dimension == "tokens":
        return f"{value:,.0f}"
    return usd(value) if dimension == "cost_usd" else percent(value)


def change(dimension: str, value: float | None) -> str:
    """Write a difference in a dimension with sign and unit."""
    if value is None or not math.isfinite(value):
        return MISSING
    if is_share(dimension):
        return f"{points(value)} points"
    sign = "-" if value < 0 else "+" if value > 0 else ""
    return sign + amount(dimension, abs(value))


def change_range(dimension: str, interval: Interval | None) -> str:
    """Write the two ends of an interval of a difference; the unit is that of the difference."""
    if interval is None or not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return MISSING
    if is_share(dimension):
        return f"{points(interval.low)} to {points(interval.high)}"
    return f"{change(dimension, interval.low)} to {change(dimension, interval.high)}"


def percent(value: float | None) -> str:
    """Write a fraction as percent with one decimal."""
    return MISSING if value is None or not math.isfinite(value) else f"{100 * value:.1f} %"


def share_of(part: int, whole: int) -> str:
    """Write a part of a whole in percent, with a decimal below one percent."""
    if not whole:
        return MISSING
    share = 100 * part / whole
    return f"{share:.0f} %" if share >= 1 or not part else f"{share:.1f} %"


def points(value: float | None) -> str:
    """Write a difference of fractions in points, with sign and one decimal."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{100 * value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def usd(value: float | None) -> str:
    """Write an amount of dollars: cents from one dollar on, else two significant digits."""
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0 or abs(value) >= 0.995:
        return f"${value:,.2f}"
    decimals = max(2, 1 - math.floor(math.log10(abs(value))))
    return f"${value:.{decimals}f}"


def count(value: int) -> str:
    """Write a whole number with thousands separated."""
    return f"{value:,}"


def counted(n: int, noun: str) -> str:
    """Write a number with its noun, in the plural unless it is one."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def duration(seconds: float) -> str:
    """Write seconds as a person says them: 0.8 s, 42 s, 4 min 12 s, 1 h 3 min."""
    if not math.isfinite(seconds):
        return MISSING
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"


def moment(text: str) -> str:
    """Write an ISO 8601 time to the minute; any other text stays as it is."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    zone = "" if time.tzinfo is None else f" {time.tzname()}"
    return f"{time:%Y-%m-%d %H:%M}{zone}"


def _milliseconds(seconds: float) -> str:
    value = 1000 * seconds
    decimals = 0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.95 else 2
    return f"{value:,.{decimals}f}"
