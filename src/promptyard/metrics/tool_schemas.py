"""The tools that an answer may call, and the schemas of their arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from promptyard.errors import ConfigError
from promptyard.metrics.json_schema import schema_validator
from promptyard.metrics.json_text import InvalidJson, as_array, parse_json, shorten
from promptyard.records.base import Json, as_object
from promptyard.records.messages import Tool

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

TYPE_NAMES: Mapping[str, str | None] = {
    "dict": "object",
    "hashmap": "object",
    "float": "number",
    "double": "number",
    "int": "integer",
    "long": "integer",
    "str": "string",
    "char": "string",
    "bool": "boolean",
    "list": "array",
    "tuple": "array",
    "arraylist": "array",
    "any": None,
}
"""What the type names of programming languages, as in BFCL, are in JSON Schema."""

MAX_SCHEMA_DEPTH = 100

_ONE_SCHEMA = frozenset(
    {"items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else"}
)
_NAMED_SCHEMAS = frozenset({"properties", "patternProperties", "$defs", "definitions"})
_LISTED_SCHEMAS = frozenset({"anyOf", "allOf", "oneOf", "prefixItems"})
_PARAMETER_KEYS = ("parameters", "input_schema", "inputSchema")


class ToolShape(NamedTuple):
    """One tool, compiled: what its arguments must meet, and their names."""

    validator: Draft202012Validator
    names: frozenset[str]


def tool_shapes(check: str, value: Json) -> dict[str, ToolShape]:
    """Compile tools: a list of them, one of them, or the JSON text of either.

    A tool is `{"name", "parameters"}` (or `input_schema`), or that in the wrapper
    `{"type": "function", "function": {...}}`. Raises ConfigError in one line.
    """
    if isinstance(value, str):
        try:
            value = parse_json(value)
        except InvalidJson as error:
            raise ConfigError(f"check '{check}': the tools are not JSON: {error}") from None
    items = (value,) if as_object(value) is not None else as_array(value)
    if not items:
        raise ConfigError(f"check '{check}': the tools must be a list; got {shorten(value)}")
    shapes: dict[str, ToolShape] = {}
    for item in items:
        name, parameters = _named(check, item)
        if name in shapes:
            raise ConfigError(f"check '{check}': two tools have the name '{name}'")
        shapes[name] = _shape(f"{check}: {name}", parameters)
    return shapes


def prompt_tool_shapes(check: str, tools: Sequence[Tool]) -> dict[str, ToolShape]:
    """Compile the tools of a prompt. Raises ConfigError where a schema is not valid."""
    return {tool.name: _shape(f"{check}: {tool.name}", tool.parameters) for tool in tools}


def _named(check: str, item: Json) -> tuple[str, Mapping[str, Json]]:
    entry = as_object(item)
    inner = as_object(entry.get("function")) if entry is not None else None
    entry = inner if inner is not None else entry
    name = entry.get("name") if entry is not None else None
    if entry is None or not isinstance(name, str) or not name:
        raise ConfigError(f"check '{check}': a tool needs a 'name'; got {shorten(item)}")
    key = next((key for key in _PARAMETER_KEYS if entry.get(key) is not None), None)
    if key is None:
        return name, {}
    parameters = as_object(entry[key])
    if parameters is None:
        raise ConfigError(f"check '{check}': '{key}' of the tool '{name}' must be a JSON Schema")
    return name, parameters


def _shape(check: str, parameters: Mapping[str, Json]) -> ToolShape:
    schema = json_schema_of(parameters)
    names = as_object(schema.get("properties")) or {}
    return ToolShape(schema_validator(check, schema), frozenset(names))


def json_schema_of(schema: Mapping[str, Json], depth: int = 0) -> dict[str, Json]:
    """Translate type names of programming languages (`dict`, `float`, `any`) to JSON Schema's.

    Raises ConfigError where the schema nests deeper than `MAX_SCHEMA_DEPTH`.
    """
    if depth > MAX_SCHEMA_DEPTH:
        raise ConfigError(f"a tool's schema nests deeper than {MAX_SCHEMA_DEPTH} levels")

    def inner(value: Json) -> Json:
        found = as_object(value)
        return value if found is None else json_schema_of(found, depth + 1)

    out: dict[str, Json] = {}
    for key, value in schema.items():
        if key == "type" and isinstance(value, str):
            name = TYPE_NAMES.get(value.lower(), value)
            if name is not None:
                out[key] = name
        elif key in _ONE_SCHEMA:
            out[key] = inner(value)
        elif key in _NAMED_SCHEMAS and (named := as_object(value)) is not None:
            out[key] = {name: inner(item) for name, item in named.items()}
        elif key in _LISTED_SCHEMAS and (listed := as_array(value)) is not None:
            out[key] = [inner(item) for item in listed]
        else:
            out[key] = value
    return out
