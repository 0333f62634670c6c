"""Words what is wrong with the values of a request: where, what was expected, what came.

In a body the place is a JSON pointer (RFC 6901), elsewhere the name of the parameter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from promptyard.config.problems import KnownKeys, Problem, did_you_mean, problems_of, worded
from promptyard.records.base import Json, as_list, as_object

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from promptyard.config.yaml_file import Location

MAX_LINES = 20
"""So many mistakes are told: whoever sends thousands learns that there are more."""
_MAX_PLACE = 200
_GOT = ", got "
_EXPECTED = "expected "


def wrong_body(details: Sequence[ErrorDetails], data: Json, schema: Json) -> list[str]:
    """Word the errors of a body, likely causes first: unknown keys, wrong values, missing keys."""
    told = details[:MAX_LINES]
    placed = [cast("ErrorDetails", {**item, "loc": _location(item, data)}) for item in told]
    problems = _merged(problems_of(placed, data, KnownKeys(schema, data)))
    problems.sort(key=lambda item: item.rank)
    lines = [f"{_pointer(item.location)}: {item.reason}" for item in problems]
    if len(details) > len(told):
        lines.append(f"and {len(details) - len(told):,} more")
    return lines


def wrong_parameters(details: Sequence[Mapping[str, Any]]) -> list[str]:
    """Word the errors of parameters of the path, the query and headers."""
    return [_wrong_parameter(item) for item in details[:MAX_LINES]]


def wrong_query(given: Sequence[str], known: Iterable[str]) -> list[str]:
    """Say which names of a query are unknown or stand in it more than once."""
    names = sorted(known)
    return [
        f"{_parameter('query', name)}: "
        + (
            f"is given {given.count(name):,} times; give it once"
            if name in names
            else f"unknown{did_you_mean(name[:_MAX_PLACE], names)}"
        )
        for name in list(dict.fromkeys(given))[:MAX_LINES]
        if name not in names or given.count(name) > 1
    ]


def _wrong_parameter(item: Mapping[str, Any]) -> str:
    kind, *names = item["loc"]
    place = _parameter(str(kind), str(names[0]) if names else "")
    if item["type"] == "missing":
        return f"{place}: is required; add it"
    error = cast("ErrorDetails", {**item, "loc": tuple(names)})
    return f"{place}: {worded(error, {}, KnownKeys({}, {})).reason}"


def _parameter(kind: str, name: str) -> str:
    return f"{kind} parameter '{name[:_MAX_PLACE]}'"


def _location(error: ErrorDetails, data: Json) -> Location:
    """Return the place in the data: pydantic names alternatives, too, that it has tried."""
    parts: list[int | str] = []
    value: Json = data
    *around, last = error["loc"] or ("",)
    for part in (*around, *(() if error["type"] == "missing" else (last,))):
        items, members = as_list(value), as_object(value)
        if isinstance(part, int) and items is not None and part < len(items):
            value = items[part]
        elif isinstance(part, str) and members is not None and part in members:
            value = members[part]
        else:
            continue
        parts.append(part)
    return (*parts, last) if error["type"] == "missing" else tuple(parts)


def _merged(problems: Iterable[Problem]) -> list[Problem]:
    """Make one of what several alternatives expect at one place."""
    found: dict[Location, Problem] = {}
    for item in problems:
        before = found.get(item.location)
        if before is None:
            found[item.location] = item
        elif before.reason.startswith(_EXPECTED) and item.reason.startswith(_EXPECTED):
            first, _, got = before.reason.partition(_GOT)
            more = item.reason.removeprefix(_EXPECTED).partition(_GOT)[0]
            if more not in first:
                found[item.location] = before._replace(reason=f"{first} or {more}{_GOT}{got}")
    return list(found.values())


def _pointer(location: Location) -> str:
    parts = [str(part).replace("~", "~0").replace("/", "~1") for part in location]
    return f"/{'/'.join(parts)}"[:_MAX_PLACE] if parts else "the body"
