"""What the real services refuse of an output schema, written down apart from our own rules.

The checks follow the services' documentation and their error messages, so that a schema that the
code under test sends in the wrong way becomes the 400 that a user would see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias, cast

Fields: TypeAlias = dict[str, Any]

REFUSED_BY_BOTH = {
    *("oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas"),
    *("patternProperties", "propertyNames", "unevaluatedProperties", "prefixItems"),
    *("contains", "minContains", "maxContains", "minProperties", "maxProperties", "uniqueItems"),
    *("minLength", "maxLength"),
}
STRICT_REFUSED = REFUSED_BY_BOTH | {"allOf", "default"}
FORMAT_REFUSED = REFUSED_BY_BOTH | {
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "maxItems"),
}
STRING_FORMATS = {
    *("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"),
}


def strict_chat_refusal(schema: Any) -> str | None:
    """Say why chat completions refuse a schema with `strict: true`, or None."""
    if (fields_of(schema) or {}).get("type") != "object":
        return "schema must be a JSON Schema of 'type: \"object\"'"
    for path, node in walk(schema):
        if said := strict_node_refusal(node):
            return f"In context={path}, {said}"
    return None


def strict_node_refusal(node: Fields | None) -> str | None:
    if node is None:
        return "schema must be an object"
    if refused := sorted(set(node) & STRICT_REFUSED):
        return f"'{refused[0]}' is not permitted"
    if "$ref" in node and set(node) - {"$ref", "$defs", "definitions"}:
        return "$ref cannot have keywords beside it"
    if not set(node) & {"type", "$ref", "anyOf"}:
        return "schema must have a 'type' key"
    if "object" in types(node) or "properties" in node:
        if node.get("additionalProperties") is not False:
            return "'additionalProperties' is required to be supplied and to be false"
        if sorted(node.get("required", [])) != sorted(node.get("properties", {})):
            return "'required' is required to include every key in properties"
    return None


def messages_format_refusal(schema: Any) -> str | None:
    """Say why `output_config.format` refuses a schema, or None."""
    nodes = [node for _, node in walk(schema)]
    for node in nodes:
        if said := format_node_refusal(node):
            return said
    known = [node for node in nodes if node is not None]
    if has_circle(schema):
        return "Too many recursive definitions in schema"
    n_unions = sum("anyOf" in node or len(types(node)) > 1 for node in known)
    if n_unions > 16:
        return f"Schemas contains too many parameters with union types ({n_unions}, limit: 16)"
    n_optional = sum(
        len(set(node.get("properties", {})) - set(node.get("required", []))) for node in known
    )
    if n_optional > 24:
        return f"Schemas contains too many optional parameters ({n_optional}, limit: 24)"
    return None


def format_node_refusal(node: Fields | None) -> str | None:
    if node is None:
        return "Input should be a valid dictionary"
    kind = node.get("type")
    if refused := sorted(set(node) & FORMAT_REFUSED):
        return f"For '{kind}' type, property '{refused[0]}' is not supported"
    if "object" in types(node) and node.get("additionalProperties") is not False:
        return "For 'object' type, 'additionalProperties' must be explicitly set to false"
    if node.get("minItems", 0) > 1:
        return "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
    if "format" in node and node["format"] not in STRING_FORMATS:
        return f"For 'string' type, format '{node['format']}' is not supported"
    if re.search(r"\(\?|\\b", str(node.get("pattern", ""))):
        return "pattern: lookaround and word boundaries are not supported"
    if any(isinstance(value, dict | list) for value in node.get("enum", [])):
        return "enum: complex types are not supported"
    return None


def walk(
    schema: Any, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Fields | None]]:
    """Yield every schema within a schema with its path; None for one that is no object."""
    node = fields_of(schema)
    yield path, node
    if node is None:
        return
    for key in ("properties", "$defs", "definitions"):
        for name, child in node.get(key, {}).items():
            yield from walk(child, (*path, key, name))
    for key in ("anyOf", "allOf"):
        for number, child in enumerate(node.get(key, [])):
            yield from walk(child, (*path, key, str(number)))
    if "items" in node:
        yield from walk(node["items"], (*path, "items"))


def fields_of(value: Any) -> Fields | None:
    """Return a JSON object as such, None for any other value."""
    return cast("Fields", value) if isinstance(value, dict) else None


def types(node: Fields) -> list[str]:
    """Return the types of a schema as a list."""
    given = node.get("type")
    return cast("list[str]", given) if isinstance(given, list) else [str(given)]


def has_circle(root: Fields) -> bool:
    """Follow every reference from every definition; tell whether one comes back."""

    def resolve(ref: str) -> Any:
        node: Any = root
        for key in ref.removeprefix("#").strip("/").split("/"):
            node = node[key] if key else node
        return node

    def refs_in(schema: Any) -> set[str]:
        return {node["$ref"] for _, node in walk(schema) if node is not None and "$ref" in node}

    def comes_back(ref: str, seen: tuple[str, ...]) -> bool:
        if ref in seen:
            return True
        return any(comes_back(inner, (*seen, ref)) for inner in refs_in(resolve(ref)))

    return any(comes_back(ref, ()) for ref in refs_in(root))
