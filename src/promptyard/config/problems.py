"""Words what is wrong with a configuration: where, expected what, got what, nearest known key."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from pydantic import BaseModel, ValidationError

from promptyard.config.yaml_file import Location, Place
from promptyard.errors import ConfigError
from promptyard.records.base import Json, as_list, as_object

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

ModelT = TypeVar("ModelT", bound=BaseModel)


class Problem(NamedTuple):
    """One thing that is wrong. Those of lower rank are the likelier cause and come first."""

    location: Location
    reason: str
    rank: int = 1


def validated(
    model: type[ModelT],
    data: Mapping[str, Json],
    place: Callable[[Location], Place],
    found: Iterable[Problem] = (),
) -> ModelT:
    """Validate plain data strictly (no text for a number); `found` are problems known before.

    Raises ConfigError with one line a problem, in the order of the file, likely causes first.
    """
    problems = list(found)
    result: ModelT | None = None
    try:
        # JSON mode: strict about scalars, while a list may still become a tuple.
        result = model.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        known = KnownKeys(model.model_json_schema(), data)
        known_before = {item.location for item in problems}
        more = problems_of(error.errors(), data, known)
        problems += [item for item in more if item.location not in known_before]
    if result is not None and not problems:
        return result
    problems.sort(key=lambda item: (item.rank, place(item.location).line))
    lines = [f"{place(item.location).text}: {item.reason}" for item in problems]
    raise ConfigError(lines[0], others=lines[1:])


def did_you_mean(word: str, known: Iterable[str], *, prefix: str = "") -> str:
    """Write how an error about an unknown word ends: the nearest one, else all.

    `prefix` stands before each known word when it is shown.
    """
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f"; did you mean '{prefix}{close[0]}'?"
    return f"; known: {', '.join(prefix + name for name in names) or 'none'}"


_SECRET_KEYS = frozenset({"api_key_env", "base_url", "store"})

_EXPECTED: Mapping[str, str] = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "keys and values",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "mapping_type": "keys and values",
    "model_attributes_type": "keys and values",
    "model_type": "keys and values",
    "none_required": "null",
    "string_type": "text",
    "tuple_type": "a list",
}

_TAGS = frozenset({"union_tag_invalid", "union_tag_not_found"})
"""What tells alternatives apart is wrong, or not there; the location is that of the tag."""

_LENGTHS: Mapping[str, tuple[str, str]] = {
    "string_too_long": ("at most {:,} characters", "max_length"),
    "string_too_short": ("at least {:,} characters", "min_length"),
    "too_long": ("at most {:,} items", "max_length"),
    "too_short": ("at least {:,} items", "min_length"),
}

_LIMITS: Mapping[str, tuple[str, str]] = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def problems_of(details: Sequence[ErrorDetails], data: Json, known: KnownKeys) -> Iterable[Problem]:
    """Word what pydantic found, but what is missing or empty by a slip only as the slip.

    The places of the errors (`loc`) are those in the data.
    """
    unknown = {item["loc"] for item in details if item["type"] == "extra_forbidden"}
    holders = {item["loc"][:n] for item in details for n in range(len(item["loc"]))}
    for item in details:
        if item["type"] == "too_short" and item["loc"] in holders:
            continue  # pydantic counts only the entries that hold
        slip = _sibling(item["loc"], data) if item["type"] == "missing" else None
        if slip is None or (*item["loc"][:-1], slip) not in unknown:
            yield worded(item, data, known)


def worded(error: ErrorDetails, data: Json, known: KnownKeys) -> Problem:
    """Word one error of pydantic, whose place (`loc`) is that in the data."""
    location: Location = error["loc"]
    kind = error["type"]
    if kind == "extra_forbidden":
        hint = did_you_mean(str(location[-1]), known.at(location[:-1]))
        return Problem(location, f"unknown key{hint}", rank=0)
    if kind == "missing":
        slip = _sibling(location, data)
        hint = f"; is '{slip}' a slip of '{location[-1]}'?" if slip else "; add it"
        return Problem(location, f"required key is missing{hint}", rank=2)
    context = cast("Mapping[str, Any]", error.get("ctx") or {})
    got = "" if location and location[-1] in _SECRET_KEYS else f", got {_shown(error['input'])}"
    if kind in _EXPECTED:
        reason = f"expected {_EXPECTED[kind]}{got}"
        if kind == "string_type" and isinstance(error["input"], bool | int | float):
            reason += "; put it in quotes"
    elif kind in _TAGS:
        location = (*location, str(context["discriminator"]).strip("'"))
        names = known.tags(location[:-1])
        given = (as_object(error["input"]) or {}).get(str(location[-1]))
        shown = f"expected {_listed(names)}, got {_shown(given)}{_near(given, names)}"
        missing = f"required key is missing; add it: {_listed(names)}"
        reason = shown if kind == "union_tag_invalid" else missing
    elif kind in _LIMITS:
        words, key = _LIMITS[kind]
        reason = f"must be {words} {context[key]:g}{got}"
    elif kind == "literal_error":
        allowed = str(context["expected"])
        names = [name.strip("'") for name in allowed.replace(" or ", ", ").split(", ")]
        reason = f"expected {allowed}{got}{_near(error['input'], names)}"
    elif kind in ("too_short", "string_too_short") and context.get("min_length", 1) == 1:
        reason = "must not be empty"
    elif kind in _LENGTHS:
        words, key = _LENGTHS[kind]
        reason = f"must have {words.format(context[key])}"
    elif kind == "string_pattern_mismatch":
        reason = f"must fit the pattern {context['pattern']}{got}"
    elif kind == "value_error":
        reason = str(context["error"])
    else:
        reason = error["msg"][:1].lower() + error["msg"][1:]
    return Problem(location, reason)


def _listed(names: Sequence[str]) -> str:
    *others, last = [f"'{name}'" for name in names]
    return f"{', '.join(others)} or {last}" if others else last


def _near(value: Json, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(str(value), names, n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _shown(value: Json) -> str:
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=repr)
    text = f"'{text[1:-1]}'" if isinstance(value, str) else text
    return text if len(text) <= 60 else f"{text[:60]}..."


def _sibling(location: Location, data: Json) -> str | None:
    """Return the key that stands where a missing one should, if one is near."""
    around: Json = data
    for part in location[:-1]:
        around = _inside(around, part)
    siblings = as_object(around) or {}
    close = difflib.get_close_matches(str(location[-1]), list(siblings), n=1)
    return close[0] if close else None


class KnownKeys:
    """The keys that a JSON Schema knows at a location; `data` tells apart what is tagged in it."""

    def __init__(self, schema: Json, data: Json) -> None:
        self._schema: Json = schema
        self._data: Json = data

    def at(self, location: Location) -> list[str]:
        """Return the keys of the object at a location; none where any key may stand."""
        choices = self._choices(*self._reached(location))
        return list(dict.fromkeys(name for node in choices for name in node.get("properties", {})))

    def tags(self, location: Location) -> list[str]:
        """Return the names by which the alternatives at a location are told apart."""
        nodes, _ = self._reached(location)
        return [name for node in nodes for name in node.get("discriminator", {}).get("mapping", {})]

    def _reached(self, location: Location) -> tuple[list[Json], Json]:
        nodes, value = [self._schema], self._data
        for part in location:
            choices = self._choices(nodes, value)
            nodes = [child for node in choices for child in self._child(node, part)]
            value = _inside(value, part)
        return nodes, value

    def _choices(self, nodes: list[Json], value: Json) -> list[Json]:
        """Follow references and alternatives."""
        plain: list[Json] = []
        pending = list(nodes)
        while pending:
            node = pending.pop()
            if "$ref" in node:
                pending.append(self._schema["$defs"][node["$ref"].rsplit("/", 1)[-1]])
            elif "anyOf" in node:
                pending += node["anyOf"]
            elif "oneOf" in node:
                tags = node.get("discriminator", {})
                tag = _inside(value, tags.get("propertyName", ""))
                chosen = tags.get("mapping", {}).get(tag) if isinstance(tag, str) else None
                pending += node["oneOf"] if chosen is None else [{"$ref": chosen}]
            else:
                plain.append(node)
        return plain

    @staticmethod
    def _child(node: Json, part: int | str) -> list[Json]:
        if isinstance(part, int):
            child = node.get("items")
        else:
            child = node.get("properties", {}).get(part) or node.get("additionalProperties")
        return [child] if isinstance(child, dict) else []


def _inside(value: Json, part: int | str) -> Json:
    """Return what stands at a key or number of a value; None where nothing does."""
    if isinstance(part, int):
        items = as_list(value) or []
        return items[part] if part < len(items) else None
    return (as_object(value) or {}).get(part)
