"""Reads JSON strictly out of an answer, finds values in it and shows them in a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final, TypeAlias, cast

from promptyard.records.base import Json, as_object

MAX_DEPTH = 200
"""Deeper nesting is refused (RFC 8259, section 9 permits it): no check may run out of stack."""

PathPart: TypeAlias = str | int

ABSENT: Final = object()
"""What `lookup` gives where there is no value. Absent, null and "" are three different things."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_MAYBE_SURROGATE = re.compile("\\\\u[dD][89a-fA-F]|[\ud800-\udfff]")
_MESSAGES = {"Extra data": "text after the JSON value"}


class InvalidJson(ValueError):
    """The text is not JSON; `str(error)` says why and where."""


def parse_json(text: str, *, allow_fence: bool = False) -> Json:
    """Parse exactly one JSON value by RFC 8259, with white space around it and nothing else.

    Refuses NaN and infinities, a key that occurs twice in an object, text before or after the
    value, numbers out of the range of a double (or of more than 4,300 digits) and nesting deeper
    than `MAX_DEPTH`. With `allow_fence` one Markdown fence around the whole text is taken off.
    Unpaired surrogates are kept as their written escape, so that every text can be stored.

    Raises InvalidJson.
    """
    body = _without_fence(text) if allow_fence else text
    _check_depth(body)
    try:
        value: Json = _DECODER.decode(body)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidJson(f"{_MESSAGES.get(error.msg, error.msg)} at {place}") from None
    except InvalidJson:
        raise
    except ValueError:
        raise InvalidJson("a number is out of range") from None
    return _escape_surrogates(value) if _MAYBE_SURROGATE.search(body) else value


def path_parts(value: Json, dotted: str) -> tuple[PathPart, ...]:
    """Split `a.0.b` into its parts; a key of `value` that is spelt with the dots wins."""
    whole = as_object(value)
    return (dotted,) if whole is not None and dotted in whole else tuple(dotted.split("."))


def lookup(value: Json, parts: Sequence[PathPart]) -> Json:
    """Return the value at a path, or `ABSENT`. In arrays a part is an index from 0."""
    for part in parts:
        found = as_object(value)
        items = as_array(value)
        if found is not None and part in found:
            value = found[cast("str", part)]
        elif items is not None and _is_index(part) and int(part) < len(items):
            value = items[int(part)]
        else:
            return ABSENT
    return value


def pointer(parts: Sequence[PathPart]) -> str:
    """Write a path as a JSON Pointer (RFC 6901); the whole document is the empty text."""
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return clean("".join(f"/{part}" for part in escaped))


def field_name(parts: Sequence[PathPart]) -> str | None:
    """Write a path as a field name without array indexes, so that failures group by field."""
    return clean(".".join(part for part in parts if isinstance(part, str))) or None


def as_array(value: Json) -> Sequence[Json] | None:
    """Return a JSON array as such, or None for any other value."""
    return cast("Sequence[Json]", value) if isinstance(value, list | tuple) else None


def shorten(value: Json, limit: int = 80) -> str:
    """Write a value as JSON in one line of at most about `limit` characters."""
    known = value[: limit + 1] if isinstance(value, str) else value
    text = clean(json.dumps(known, ensure_ascii=False, default=str))
    return text if len(text) <= limit + 2 else text[:limit] + "…"


def clean(text: str) -> str:
    """Replace unpaired surrogates, which no file or database takes, by their escapes."""
    if _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _unique_keys(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for index, key in enumerate(keys) if key in keys[:index])
        raise InvalidJson(f"the key {shorten(twice)} occurs twice in one object")
    return found


def _refuse_constant(name: str) -> Json:
    raise InvalidJson(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise InvalidJson(f"the number {shorten(text)} is out of range")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_keys, parse_constant=_refuse_constant, parse_float=_finite
)


def _without_fence(text: str) -> str:
    body = text.strip()
    first_line, newline, rest = body.partition("\n")
    if not newline or not body.startswith("```") or not rest.endswith("```"):
        return text
    return rest[:-3] if first_line[3:].strip().lower() in {"", "json"} else text


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    in_string = escaped = False
    for char in text:
        if in_string:
            in_string = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise InvalidJson(f"nested deeper than {MAX_DEPTH} levels")
        elif char in "]}":
            depth -= 1


def _escape_surrogates(value: Json) -> Json:
    if isinstance(value, str):
        return clean(value)
    found = as_object(value)
    if found is not None:
        return {clean(key): _escape_surrogates(item) for key, item in found.items()}
    items = as_array(value)
    return value if items is None else [_escape_surrogates(item) for item in items]


def _is_index(part: PathPart) -> bool:
    return isinstance(part, int) or (part.isascii() and part.isdigit())
