"""Checks what an application records, at once: a wrong number is its mistake, and named."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from typing import Any

SCORE = "score"
"""The overall score among the scores."""
MOST_WHOLE = 2**53
MOST_CHARS = 10_000
MOST_NAME_CHARS = 200
MOST_SCORES = 100
_NO_NAME = re.compile("[\0\ud800-\udfff]")


def amount(value: Any, field: str) -> float | None:
    """Return a finite number from 0 on, or None. Raises ValueError naming the field."""
    if value is None:
        return None
    number = _number(value, field)
    if number < 0.0:
        raise ValueError(f"{field} is at least 0, got {value!r}")
    return number


def whole(value: Any, field: str) -> int | None:
    """Return a whole number from 0 on, or None. Raises ValueError naming the field."""
    number = amount(value, field)
    if number is None:
        return None
    if number != int(number) or number >= MOST_WHOLE:
        raise ValueError(f"{field} is a whole number, got {value!r}")
    return int(value)


def score_of(value: Any, field: str) -> float:
    """Return a score in [0, 1]; True is 1. Raises ValueError naming the score."""
    number = _number(value, field)
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"{field} is in [0, 1], got {value!r}")
    return number


def scores_of(scores: Mapping[str, Any] | None, score: Any = None) -> dict[str, float]:
    """Return named scores, with the overall one among them. Raises ValueError naming the score."""
    given = scores or {}
    if len(given) > MOST_SCORES:
        raise ValueError(f"scores has {len(given):,} names, at most {MOST_SCORES}")
    checked = {
        name(key, "a name in scores"): score_of(value, f"scores[{key!r}]")
        for key, value in given.items()
    }
    if score is not None:
        if SCORE in checked:
            raise ValueError("score is given twice: as score and in scores")
        checked[SCORE] = score_of(score, SCORE)
    return checked


def flag(value: Any, field: str) -> bool | None:
    """Return True, False or None. Raises ValueError naming the field."""
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{field} is True, False or None, got {value!r}")
    return value


def text(value: Any, field: str, most_chars: int = MOST_CHARS) -> str:
    """Return a text that is no document. Raises ValueError naming the field."""
    if not isinstance(value, str):
        raise ValueError(f"{field} is a text, got {type(value).__name__}")  # noqa: TRY004 - as above
    if len(value) > most_chars:
        raise ValueError(f"{field} has {len(value):,} characters, at most {most_chars:,}")
    return value


def name(value: Any, field: str) -> str:
    """Return a name or an id, as a store can hold it. Raises ValueError naming the field."""
    found = text(value, field, MOST_NAME_CHARS)
    if not found or _NO_NAME.search(found):
        raise ValueError(f"{field} is empty or has NUL or a lone surrogate in it: {value!r}")
    return found


def content(value: Any, field: str) -> str:
    """Return a text of any length. Raises ValueError naming the field."""
    return text(value, field, sys.maxsize)


def _number(value: Any, field: str) -> float:
    if isinstance(value, str | bytes):
        raise ValueError(f"{field} is a number, got {value!r}")  # noqa: TRY004 - as above
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{field} is a number, got {type(value).__name__}") from None
    if not math.isfinite(number):
        raise ValueError(f"{field} is finite, got {value!r}")
    return number
