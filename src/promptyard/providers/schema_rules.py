"""Which JSON Schemas a service can force on an answer, and why it cannot force another one.

Services compile a schema into a grammar and take only a part of JSON Schema for it; a schema
outside of that part is a 400. So it is told beforehand, and the protocols then send the schema in
another way. Where services differ over time or between hosts, the tighter rule is kept: being
wrong there costs the guarantee, not the call. Pure.

Sources: the services' pages on structured outputs, the schema transformations of their Python
clients, and the errors that they return.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from promptyard.records.base import Json, as_object

_SHAPE = frozenset(
    {"type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "const"}
    | {"$ref", "$defs", "definitions", "$schema", "title", "description", "format", "pattern"}
)
_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)
_NUMBERS = frozenset({"multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
_HARD_PATTERN = re.compile(r"\(\?|\\[bB1-9]")  # lookaround, word boundary, backreference
_NAMED_SCHEMAS = ("properties", "$defs", "definitions")
_LISTED_SCHEMAS = ("anyOf", "allOf")


@dataclass(frozen=True)
class SchemaRules:
    """What one service takes. None means that it sets no limit.

    `all_required`: every property of an object must be required. `all_typed`: a value needs a type
    beside its `enum` or `const`. `object_root`: the schema itself must describe an object and be
    no union. `bare_refs`: nothing may stand beside a `$ref`.
    """

    keywords: frozenset[str]
    formats: frozenset[str]
    all_required: bool = False
    all_typed: bool = False
    object_root: bool = False
    bare_refs: bool = False
    recursion: bool = False
    max_levels: int | None = None
    max_properties: int | None = None
    max_enum_values: int | None = None
    max_optional: int | None = None
    max_unions: int | None = None


STRICT_CHAT = SchemaRules(
    keywords=_SHAPE | _NUMBERS | {"minItems", "maxItems"},
    formats=_FORMATS,
    all_required=True,
    all_typed=True,
    object_root=True,
    bare_refs=True,
    recursion=True,
    max_levels=5,
    max_properties=100,
    max_enum_values=500,
)
"""`strict: true` of chat completions, with the limits of the hosts that were not raised."""

MESSAGES_FORMAT = SchemaRules(
    keywords=_SHAPE | {"allOf", "default", "minItems"},
    formats=_FORMATS | {"uri"},
    max_optional=24,
    max_unions=16,
)
"""`output_config.format` of the messages protocol."""


def misfit(schema: Json, rules: SchemaRules) -> str | None:
    """Return the first thing in a schema that a service would refuse, or None: it can force it.

    The reason names keyword and place: "`minLength` at items[].title".
    """
    try:
        return _known_misfit(json.dumps(schema), rules)
    except (TypeError, ValueError, RecursionError):  # no JSON, or too deep for its parser
        return _misfit(schema, rules)


@lru_cache(maxsize=256)
def _known_misfit(text: str, rules: SchemaRules) -> str | None:
    """Look once at the schema that all requests of a prompt share: 30 µs a request saved."""
    return _misfit(json.loads(text), rules)


def _misfit(schema: Json, rules: SchemaRules) -> str | None:
    root = as_object(schema)
    if root is None:
        return "a schema that is no object"
    if rules.object_root and (root.get("type") != "object" or "anyOf" in root):
        return "a schema whose own type is not `object`"
    nodes = list(_nodes(root))
    for node in nodes:
        if reason := _node_misfit(node.schema, rules):
            return f"{reason} at {node.path}" if node.path else reason
    if not rules.recursion and _is_recursive(root):
        return "a schema that refers to itself"
    return _too_much(nodes, rules)


@dataclass(frozen=True)
class _Node:
    schema: Json
    path: str
    level: int


def _nodes(root: Mapping[str, Json]) -> Iterator[_Node]:
    """Yield every schema within a schema, itself first. Does not recurse, so none is too deep."""
    pending = [_Node(root, "", 1)]
    while pending:
        node = pending.pop()
        yield node
        fields = as_object(node.schema)
        if fields is None:
            continue
        dot = f"{node.path}." if node.path else ""
        children: list[_Node] = []
        for key in _NAMED_SCHEMAS:
            for name, child in (as_object(fields.get(key)) or {}).items():
                step = 1 if key == "properties" else 0
                children.append(_Node(child, f"{dot}{name}", node.level + step))
        for key in _LISTED_SCHEMAS:
            children += [_Node(child, node.path, node.level) for child in _items(fields.get(key))]
        if "items" in fields:
            children.append(_Node(fields["items"], f"{node.path}[]", node.level + 1))
        pending.extend(reversed(children))


def _node_misfit(schema: Json, rules: SchemaRules) -> str | None:
    fields = as_object(schema)
    if fields is None:
        return "a schema that is no object"
    for key in fields:
        if key not in rules.keywords:
            return f"`{key}`"
    if "$ref" in fields:
        return _ref_misfit(fields, rules)
    if not any(key in fields for key in ("type", "anyOf", "allOf")) and (
        rules.all_typed or not any(key in fields for key in ("enum", "const"))
    ):
        return "a value without a type"
    return _object_misfit(fields, rules) or _value_misfit(fields, rules)


def _ref_misfit(fields: Mapping[str, Json], rules: SchemaRules) -> str | None:
    target = fields["$ref"]
    if not isinstance(target, str) or not re.fullmatch(r"#|#/(\$defs|definitions)/[^/]+", target):
        return "a `$ref` that is not to `#/$defs/...`"
    beside = set(fields) - {"$ref", "$defs", "definitions", "$schema"}
    return "keywords beside a `$ref`" if rules.bare_refs and beside else None


def _object_misfit(fields: Mapping[str, Json], rules: SchemaRules) -> str | None:
    if "properties" not in fields and "object" not in _types(fields):
        return None
    if fields.get("additionalProperties") is not False:
        return "an object without `additionalProperties: false`"
    properties = as_object(fields.get("properties", {})) or {}
    if rules.all_required and _required(fields) != set(properties):
        return "an object that does not require all its properties"
    return None


def _value_misfit(fields: Mapping[str, Json], rules: SchemaRules) -> str | None:
    if any(isinstance(value, (Mapping, list)) for value in _items(fields.get("enum"))):
        return "an `enum` of objects or lists"
    if "format" in fields and str(fields["format"]) not in rules.formats:
        return f"the format `{fields['format']}`"
    pattern = fields.get("pattern")
    if isinstance(pattern, str) and _HARD_PATTERN.search(pattern):
        return "a `pattern` with lookaround, word boundary or backreference"
    if "maxItems" not in rules.keywords and fields.get("minItems", 0) not in (0, 1):
        return "`minItems` above 1"
    if any("$ref" in (as_object(part) or {}) for part in _items(fields.get("allOf"))):
        return "`allOf` with a `$ref`"
    return None


def _too_much(nodes: Sequence[_Node], rules: SchemaRules) -> str | None:
    """Check what is limited over the whole schema."""
    schemas = [fields for node in nodes if (fields := as_object(node.schema)) is not None]
    n_optional = sum(
        len(set(as_object(item.get("properties")) or {}) - _required(item)) for item in schemas
    )
    n_unions = sum("anyOf" in item or len(_types(item)) > 1 for item in schemas)
    counts = (
        ("levels", max(node.level for node in nodes), rules.max_levels),
        (
            "properties",
            sum(len(as_object(i.get("properties")) or {}) for i in schemas),
            rules.max_properties,
        ),
        ("enum values", sum(len(_items(i.get("enum"))) for i in schemas), rules.max_enum_values),
        ("optional properties", n_optional, rules.max_optional),
        ("values of several types", n_unions, rules.max_unions),
    )
    for what, count, most in counts:
        if most is not None and count > most:
            return f"{count} {what}, more than {most}"
    return None


def _is_recursive(root: Mapping[str, Json]) -> bool:
    """Tell whether following the references of a schema leads back to where one was."""
    targets = {"#": root}
    for key in ("$defs", "definitions"):
        for name, schema in (as_object(root.get(key)) or {}).items():
            if (fields := as_object(schema)) is not None:
                targets[f"#/{key}/{name}"] = fields
    bare_root = {key: value for key, value in root.items() if key not in ("$defs", "definitions")}
    edges = {
        name: _references(bare_root if name == "#" else schema) for name, schema in targets.items()
    }
    # What refers to nothing unfinished is no part of a circle; what is left leads into one.
    while done := [name for name, to in edges.items() if not to & set(edges)]:
        for name in done:
            del edges[name]
    return bool(edges)


def _references(schema: Mapping[str, Json]) -> set[str]:
    found = (as_object(node.schema) or {} for node in _nodes(schema))
    return {str(fields["$ref"]) for fields in found if "$ref" in fields}


def _required(fields: Mapping[str, Json]) -> set[str]:
    return {str(name) for name in _items(fields.get("required"))}


def _types(fields: Mapping[str, Json]) -> Sequence[Json]:
    given = fields.get("type")
    return _items(given) if isinstance(given, list) else [given]


def _items(value: Json) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []
