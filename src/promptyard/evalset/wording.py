"""How errors speak of words that a user wrote: always on one line, never at length."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MAX_SHOWN = 60


def one_line(text: str) -> str:
    r"""Write a text as part of a line: line ends and the like as `\n`, cut after 60 characters."""
    shown = repr(text)[1:-1]
    return shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}..."


def nearest(word: str, known: Iterable[str]) -> str:
    """Write how an error about an unknown word ends: the nearest known one, else all."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f"; did you mean '{one_line(close[0])}'?"
    return f"; known: {', '.join(one_line(name) for name in names) or 'none'}"


def some(names: Iterable[str], most: int = 5) -> str:
    """Write a few names of many, and how many more there are."""
    shown = [one_line(name) for name in names]
    rest = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + rest


def listed(names: Iterable[str]) -> str:
    """Write all names, of which there is one or more, as a sentence has them: `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
