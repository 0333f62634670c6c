"""JSON as an eval set may hold it: finite numbers, no key twice, text that can be encoded.

The standard parser takes NaN, keeps the last of two equal keys and lets unpaired surrogates pass.
Each would change what is measured without a word, or break only when the case is stored.
"""

from __future__ import annotations

import json
import math
import re
from typing import NamedTuple, cast

from promptyard.evalset.wording import one_line
from promptyard.records.base import Json

MAX_DEPTH = 100  # records are written by pydantic, which stops at about 255 levels
NEAR = 25  # signs shown on either side of a mistake
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLANK = re.compile(r"[ \t\r\n]*")


class JsonFault(ValueError):
    """A text that is not JSON as we take it. `syntax` is False where plain JSON would allow it."""

    def __init__(self, reason: str, *, syntax: bool = False, position: int | None = None) -> None:
        super().__init__(reason)
        self.syntax = syntax
        self.position = position


class ValueFault(NamedTuple):
    """Where in a value something cannot stay, and why: `input.price`, `non-finite number`."""

    path: str
    reason: str


def parse_json(text: str) -> Json:
    """Parse one JSON value. Raises JsonFault, whose message fits behind `file:line: `."""
    value, end = decode_at(text, 0)
    if (rest := skip_blanks(text, end)) < len(text):
        raise syntax_fault("more text behind the value", text, rest)
    return value


def decode_at(text: str, start: int) -> tuple[Json, int]:
    """Parse the JSON value at or after `start`; returns it and the offset behind it."""
    try:
        return _DECODER.raw_decode(text, skip_blanks(text, start))
    except json.JSONDecodeError as error:
        raise syntax_fault(error.msg, text, error.pos) from None
    except JsonFault:
        raise
    except RecursionError:
        raise JsonFault(f"nested deeper than {MAX_DEPTH} levels") from None
    except ValueError:  # int() refuses more than 4,300 digits
        raise JsonFault("a number with too many digits; write it as text") from None


def syntax_fault(reason: str, text: str, position: int) -> JsonFault:
    """Build the fault of a text that is not JSON: why, the column in its line, what stands there.

    Blanks and line ends at the end of the text are no place: a text that ends too early is at fault
    where its last sign stands.
    """
    end = len(text.rstrip(" \t\r\n"))
    at = min(position, end)
    first = text.rfind("\n", 0, at) + 1
    behind = text[at : at + NEAR].partition("\n")[0].rstrip()
    shown = one_line(text[max(first, at - NEAR) : at] + behind)
    where = f"column {at - first + 1}"
    where += ", where the text ends" if at == end else ""
    where += f", near `{shown}`" if shown else ""
    return JsonFault(
        f"not JSON: {reason} ({where}); check quotes, commas and brackets",
        syntax=True,
        position=at,
    )


def skip_blanks(text: str, start: int) -> int:
    """Return the offset of the first character from `start` on that is not JSON white space."""
    match = _BLANK.match(text, start)
    return match.end() if match else start


def find_fault(value: Json, path: str = "") -> ValueFault | None:
    """Return the first thing in a value that is not plain JSON data, or None.

    Looks for NaN and infinities, unpaired surrogates, keys that are not text, types that JSON does
    not have, and nesting beyond `MAX_DEPTH`. Does not recurse, so that no value can break it.
    """
    pending: list[tuple[Json, str, int]] = [(value, path, 0)]
    while pending:
        item, where, depth = pending.pop()
        if depth > MAX_DEPTH:
            return ValueFault(one_line(where), f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(item, dict):
            for key, inner in reversed(list(cast("dict[Json, Json]", item).items())):
                if not isinstance(key, str):
                    reason = f"the key {one_line(str(key))} is not text; put it in quotes"
                    return ValueFault(one_line(where), reason)
                if _SURROGATE.search(key):
                    return ValueFault(one_line(where), _UNPAIRED)
                pending.append((inner, f"{where}.{key}" if where else key, depth + 1))
        elif isinstance(item, list | tuple):
            elements = list(enumerate(cast("list[Json]", item)))
            pending += [(inner, f"{where}[{n}]", depth + 1) for n, inner in reversed(elements)]
        elif reason := _scalar_fault(item):
            return ValueFault(one_line(where), reason)
    return None


_UNPAIRED = "an unpaired surrogate, which is no character; remove it"


def _scalar_fault(value: Json) -> str | None:
    if isinstance(value, str):
        return _UNPAIRED if _SURROGATE.search(value) else None
    if isinstance(value, float):
        return None if math.isfinite(value) else "non-finite number; leave it out or write null"
    if value is None or isinstance(value, bool | int):
        return None
    return f"{type(value).__name__} is not JSON data; use text, numbers, lists and dicts"


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise JsonFault(f"the key '{one_line(key)}' stands twice in one object; keep one")
            seen.add(key)
    return found


def _constant(name: str) -> Json:
    raise JsonFault(f"non-finite number {name}; leave it out or write null")


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise JsonFault(f"non-finite number {digits[:20]}; leave it out or write null")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
