"""Turns the short schemas of other tools into JSON Schema: Picoschema, and Prompty's properties.

Sources: google.github.io/dotprompt/reference/picoschema; Prompty's runtime specification, 2.6 and
2.7. A schema that is named only stands in an application's code and cannot be had.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from promptyard.errors import PromptError
from promptyard.records.base import Json, as_list, as_object

SCALARS = ("any", "boolean", "integer", "null", "number", "string")
KINDS: Mapping[str, str] = {
    "string": "string",
    "integer": "integer",
    "float": "number",
    "number": "number",
    "boolean": "boolean",
    "array": "array",
    "list": "array",
    "object": "object",
}
WILDCARD = "(*)"
MAX_DEPTH = 50


def picoschema(schema: Json, where: str) -> Mapping[str, Json]:
    """Return the JSON Schema of a schema in Picoschema or JSON Schema. Raises PromptError."""
    whole = as_object(schema)
    if whole is not None and whole.get("type") in (*SCALARS, "object", "array"):
        return dict(whole)
    if whole is not None and as_object(whole.get("properties")) is not None:
        return {**whole, "type": "object"}
    return _pico(schema, where, 0)


def property_schema(properties: Json, where: str) -> Mapping[str, Json]:
    """Return the JSON Schema of an object out of Prompty's list (or mapping) of properties."""
    return _properties(properties, where, 0)


def _pico(schema: Json, where: str, depth: int) -> dict[str, Json]:
    if depth > MAX_DEPTH:
        raise PromptError(f"{where}: nested deeper than {MAX_DEPTH} levels")
    if isinstance(schema, str):
        kind, _, description = (part.strip() for part in schema.partition(","))
        if kind not in SCALARS:
            raise PromptError(
                f"{where}: '{kind}' names a schema that is not in the file; write it in place"
            )
        typed: dict[str, Json] = {} if kind == "any" else {"type": kind}
        return {**typed, "description": description} if description else typed
    fields = as_object(schema)
    if fields is None:
        raise PromptError(f"{where}: a schema is text or keys and values, not {schema!r}")
    found: dict[str, Json] = {"type": "object", "properties": {}, "additionalProperties": False}
    required: list[str] = []
    for key, value in fields.items():
        if key == WILDCARD:
            found["additionalProperties"] = _pico(value, f"{where}.{key}", depth + 1)
            continue
        name, is_optional, entry = _field(key, value, where, depth)
        found["properties"][name] = entry
        if not is_optional:
            required.append(name)
    return {**found, "required": required} if required else found


def _field(key: str, value: Json, where: str, depth: int) -> tuple[str, bool, dict[str, Json]]:
    """Read one field: `name`, `name?`, `name(array, what it is)`."""
    name, _, behind = key.partition("(")
    is_optional = name.endswith("?")
    name = name.removesuffix("?")
    kind, _, description = (part.strip() for part in behind.removesuffix(")").partition(","))
    inner = f"{where}.{name}"
    entry: dict[str, Json]
    if not kind:
        entry = _pico(value, inner, depth + 1)
    elif kind == "array":
        entry = {"type": "array", "items": _pico(value, inner, depth + 1)}
    elif kind == "object":
        entry = _pico(value, inner, depth + 1)
    elif kind == "enum" and (values := as_list(value)) is not None:
        entry = {"enum": [*values, None] if is_optional and None not in values else values}
    else:
        raise PromptError(f"{inner}: '{kind}' is no array, object or enum")
    if is_optional and isinstance(entry.get("type"), str):
        entry["type"] = [entry["type"], "null"]
    return name, is_optional, {**entry, "description": description} if description else entry


def _properties(properties: Json, where: str, depth: int) -> dict[str, Json]:
    if depth > MAX_DEPTH:
        raise PromptError(f"{where}: nested deeper than {MAX_DEPTH} levels")
    given = as_object(properties)
    if given is not None and as_list(given.get("properties")) is not None:
        given, properties = None, given["properties"]
    entries: list[tuple[Json, Json]] = (
        list(given.items())
        if given is not None
        else [((as_object(item) or {}).get("name"), item) for item in as_list(properties) or ()]
    )
    found: dict[str, Json] = {}
    required: list[str] = []
    for name, value in entries:
        if not isinstance(name, str) or not name:
            raise PromptError(f"{where}: a property without a name")
        found[name] = _property(value, f"{where}.{name}", depth)
        if (as_object(value) or {}).get("required") is True:
            required.append(name)
    schema: dict[str, Json] = {"type": "object", "properties": found}
    return {**schema, "required": required} if required else schema


def _property(value: Json, where: str, depth: int) -> dict[str, Json]:
    given = as_object(value)
    kind = (given or {}).get("kind", (given or {}).get("type"))
    if given is None or kind not in KINDS:
        raise PromptError(f"{where}: the kind {kind!r} has no JSON Schema")
    made: dict[str, Json] = {"type": KINDS[cast("str", kind)]}
    if "properties" in given:
        made = _properties(given["properties"], where, depth + 1)
    if "items" in given:
        made["items"] = _property(given["items"], f"{where}[]", depth + 1)
    if isinstance(given.get("description"), str):
        made["description"] = given["description"]
    if (values := as_list(given.get("enumValues", given.get("enum")))) is not None:
        made["enum"] = values
    return made
