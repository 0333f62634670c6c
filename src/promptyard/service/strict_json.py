"""JSON as the service takes it: what two readers could understand in two ways is refused."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence

import pydantic_core

from promptyard.records.base import Json, as_list, as_object

MAX_VALUES = 1_000_000
"""How many values a body may hold, by its commas and brackets: each takes memory, however short."""
_MAYBE_INFINITE = re.compile(rb"[eE]\+?[0-9]{3}|[0-9]{300}")


def strict_json(body: bytes) -> Json:
    """Read UTF-8 JSON. Raises ValueError saying what is wrong with it.

    Refused are NaN, infinities and what rounds to them (1e999), names that occur twice in an
    object, more than 200 levels, lone surrogates, a byte order mark.
    """
    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > MAX_VALUES:
        raise ValueError(f"it may hold more than {MAX_VALUES:,} values; send less at once")
    value = pydantic_core.from_json(body, allow_inf_nan=False)
    json.loads(body, object_pairs_hook=_unique)
    if _MAYBE_INFINITE.search(body) and _has_infinity(value):
        raise ValueError("a number is too large")
    return value


def _unique(pairs: Sequence[tuple[str, Json]]) -> None:
    """Look whether a name occurs twice; what is read this way is thrown away."""
    if len(pairs) > 1 and len({name for name, _ in pairs}) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name) is not None)
        raise ValueError(f"{twice[:100]!a} occurs twice in an object")


def _has_infinity(value: Json) -> bool:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, float):
            if not math.isfinite(item):
                return True
        elif (members := as_object(item)) is not None:
            waiting.extend(members.values())
        elif (items := as_list(item)) is not None:
            waiting.extend(items)
    return False
