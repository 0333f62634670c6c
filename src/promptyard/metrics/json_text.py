"""Reads JSON strictly out of an answer, finds values in it and shows them in a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from pydantic_core import from_json, to_json

from promptyard.records.base import Json, as_object

MAX_DEPTH = 200
"""Deeper nesting is refused (RFC 8259, section 9 permits it): no check may run out of stack."""

PathPart: TypeAlias = str | int

ABSENT: Final = object()
"""What `lookup` gives where there is no value. Absent, null and "" are three different things."""

MAX_TEXT = 1_000_000
MAX_BROKEN = 10_000

_SHOWN = json.JSONEncoder(ensure_ascii=False, default=str)
_ARRAYS = (list, tuple)
_BRACKET = re.compile(r"[{\[]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MAYBE_SURROGATE = re.compile("\\\\u[dD][89a-fA-F]|[\ud800-\udfff]")
_MESSAGES = {"Extra data": "text after the JSON value"}


class TooMuchText(ValueError):
    """Looking for JSON in the text would take too long; `str(error)` says why."""


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
    value = _plainly(body)
    return _strictly(body) if value is _UNSURE else value


class LastParsed:
    """Parses as `parse_json` and remembers the last answer, since several checks look into it.

    What it returns is shared: it must not be changed.
    """

    def __init__(self) -> None:
        self._last: tuple[str, bool, Json] = ("null", False, None)

    def parse(self, text: str, allow_fence: bool) -> Json:
        """Parse a text, unless it is the very one that was parsed last. Raises InvalidJson."""
        last_text, last_fence, value = self._last
        if last_text is not text or last_fence is not allow_fence:
            value = parse_json(text, allow_fence=allow_fence)
            self._last = (text, allow_fence, value)
        return value


_UNSURE: Final = object()


def _plainly(body: str) -> Json:
    """Parse what is plainly strict JSON, three times faster; `_UNSURE` for all the rest."""
    if "\\" in body and "\\u" in body:  # one sign is found far faster than two
        return _UNSURE
    if len(body) > 2 * MAX_DEPTH and body.count("[") + body.count("{") > MAX_DEPTH:
        return _UNSURE  # this parser allows one level more
    try:
        value: Json = from_json(body, allow_inf_nan=False)
        written = to_json(value)
    except (ValueError, TypeError):  # the strict parser says what is wrong, if anything is
        return _UNSURE
    # Each pair of an object has its colon: one that was dropped because its key stands twice is
    # missed here. A number that is too large is written as a word.
    if written.count(b":") != body.count(":"):
        return _UNSURE
    return _UNSURE if b"I" in written and b"Infinity" in written else value


def _strictly(body: str) -> Json:
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


def json_within(text: str) -> Iterator[Json]:
    """Yield the JSON objects and arrays that stand in a text, by the rules of `parse_json`.

    From left to right; where a value breaks, reading goes on at the break, so that no part of a
    broken value is yielded.

    Raises TooMuchText for more than a million characters or 10,000 broken values.
    """
    if len(text) > MAX_TEXT:
        raise TooMuchText(f"{len(text):,} characters are too many to look for JSON in")
    n_broken = 0
    start = _BRACKET.search(text)
    while start is not None:
        at = start.start()
        end = _value_end(text, at)
        try:
            yield parse_json(text[at:end])
        except InvalidJson:
            n_broken += 1
            if n_broken > MAX_BROKEN:
                raise TooMuchText(f"there are more than {MAX_BROKEN:,} broken values") from None
        start = _BRACKET.search(text, max(end, at + 1))


def path_parts(value: Json, dotted: str) -> tuple[PathPart, ...]:
    """Split `a.0.b` into its parts; a key of `value` that is spelt with the dots wins."""
    if "." not in dotted:
        return (dotted,)
    whole = as_object(value)
    return (dotted,) if whole is not None and dotted in whole else tuple(dotted.split("."))


def lookup(value: Json, parts: Sequence[PathPart]) -> Json:
    """Return the value at a path, or `ABSENT`. In arrays a part is an index from 0."""
    for part in parts:
        found = as_object(value)
        items = as_array(value) if found is None else None
        if found is not None and part in found:
            value = found[part]  # pyright: ignore[reportArgumentType] (it is in it, so it is a text)
        elif items is not None and _is_index(part) and int(part) < len(items):
            value = items[int(part)]
        else:
            return ABSENT
    return value


def find(value: Json, dotted: str) -> Json:
    """Return the value at a dotted path, or `ABSENT`: `lookup` by `path_parts`."""
    if isinstance(value, dict) and dotted in value:
        return value[dotted]  # pyright: ignore[reportUnknownVariableType] (a cast is a call)
    return lookup(value, path_parts(value, dotted))


def pointer(parts: Sequence[PathPart]) -> str:
    """Write a path as a JSON Pointer (RFC 6901); the whole document is the empty text."""
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return clean("".join(f"/{part}" for part in escaped))


def field_name(parts: Sequence[PathPart]) -> str | None:
    """Write a path as a field name without array indexes, so that failures group by field."""
    return clean(".".join(part for part in parts if isinstance(part, str))) or None


def as_array(value: Json) -> Sequence[Json] | None:
    """Return a JSON array as such, or None for any other value."""
    return value if isinstance(value, _ARRAYS) else None  # pyright: ignore[reportUnknownVariableType] (a cast is a call)


def shorten(value: Json, limit: int = 80) -> str:
    """Write a value as JSON in one line of at most about `limit` characters."""
    known = value[: limit + 1] if isinstance(value, str) else value
    text = clean(_SHOWN.encode(known))
    return text if len(text) <= limit + 2 else text[:limit] + "…"


def clean(text: str) -> str:
    """Replace unpaired surrogates, which no file or database takes, by their escapes."""
    if text.isascii() or _SURROGATE.search(text) is None:
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


def _value_end(text: str, start: int) -> int:
    """Return where the value that begins at `start` ends, or where it breaks."""
    try:
        return _LENIENT.raw_decode(text, start)[1]
    except json.JSONDecodeError as error:
        return error.pos
    except RecursionError:
        return start + MAX_DEPTH  # far too deep; so is every value that begins before that


_LENIENT = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
"""Finds the end of what looks like JSON; numbers are not converted, so none is too long."""


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
