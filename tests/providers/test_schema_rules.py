"""Our rules against those of the services, which the test servers hold apart from ours."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.providers.schema_rules import MESSAGES_FORMAT, STRICT_CHAT, misfit
from promptyard.records.base import Json
from support.service_schemas import messages_format_refusal, strict_chat_refusal


def _object(*, closed: bool = True, required: list[str] | None = None, **properties: Json) -> Json:
    return _object_of(properties, closed=closed, required=required)


def _object_of(
    properties: dict[str, Json], *, closed: bool = True, required: list[str] | None = None
) -> Json:
    schema: dict[str, Json] = {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
    }
    return schema | {"additionalProperties": False} if closed else schema


TEXT = {"type": "string"}
NODE = _object(value=TEXT, next={"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]})


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (_object(a=TEXT), None),
        (_object(a=_object(b={"type": ["string", "null"]})), None),
        (_object(a={"type": "integer", "minimum": 1}), None),
        (_object(a={"$ref": "#/$defs/x"}) | {"$defs": {"x": TEXT}}, None),
        (NODE | {"$defs": {"node": NODE}}, None),
        (_object(a=TEXT, closed=False), "an object without `additionalProperties: false`"),
        (_object(a=TEXT, required=[]), "an object that does not require all its properties"),
        (_object(a={"type": "string", "minLength": 1}), "`minLength` at a"),
        (_object(a={"type": "array", "items": {"default": 1}}), "`default` at a[]"),
        (_object(a={"enum": ["x"]}), "a value without a type at a"),
        (_object(a={"type": "string", "format": "uri"}), "the format `uri` at a"),
        (_object(a=True), "a schema that is no object at a"),
        ({"type": "array", "items": TEXT}, "a schema whose own type is not `object`"),
        (_object(a={"$ref": "#/$defs/x", "title": "t"}), "keywords beside a `$ref` at a"),
        (_object(a={"$ref": "other.json"}), "a `$ref` that is not to `#/$defs/...` at a"),
        (_object_of({f"p{n}": TEXT for n in range(101)}), "101 properties, more than 100"),
        (
            _object(a={"type": "string", "enum": [str(n) for n in range(501)]}),
            "501 enum values, more than 500",
        ),
        (
            _object(a=_object(b=_object(c=_object(d=_object(e=TEXT))))),
            "6 levels, more than 5",
        ),
    ],
)
def test_what_strict_chat_takes(schema: Json, reason: str | None) -> None:
    assert misfit(schema, STRICT_CHAT) == reason


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (_object(a=TEXT), None),
        (_object(a=TEXT, required=[]), None),
        (_object(a={"enum": ["x", 1, None]}), None),
        (_object(a={"const": "x"}), None),
        (_object(a={"type": "string", "default": "x", "format": "uri"}), None),
        (_object(a={"type": "array", "items": TEXT, "minItems": 1}), None),
        (_object(a={"type": "string", "pattern": r"^[a-z]{2}\d+$"}), None),
        ({"type": "array", "items": TEXT}, None),
        (_object(a={"$ref": "#/$defs/x", "title": "t"}) | {"$defs": {"x": TEXT}}, None),
        (
            _object(a=_object(b=TEXT, closed=False)),
            "an object without `additionalProperties: false` at a",
        ),
        (_object(a={"type": "integer", "minimum": 1}), "`minimum` at a"),
        (_object(a={"oneOf": [TEXT]}), "`oneOf` at a"),
        (_object(a={"type": "array", "items": TEXT, "minItems": 2}), "`minItems` above 1 at a"),
        (_object(a={"enum": [{"b": 1}]}), "an `enum` of objects or lists at a"),
        (_object(a={}), "a value without a type at a"),
        (
            _object(a={"allOf": [{"$ref": "#/$defs/x"}]}) | {"$defs": {"x": TEXT}},
            "`allOf` with a `$ref` at a",
        ),
        (
            _object(a={"type": "string", "pattern": r"^(?!x)"}),
            "a `pattern` with lookaround, word boundary or backreference at a",
        ),
        (NODE | {"$defs": {"node": NODE}}, "a schema that refers to itself"),
        (_object(a={"anyOf": [{"$ref": "#"}, {"type": "null"}]}), "a schema that refers to itself"),
        (
            _object_of({f"p{n}": TEXT for n in range(25)}, required=[]),
            "25 optional properties, more than 24",
        ),
        (
            _object_of({f"p{n}": {"type": ["string", "null"]} for n in range(17)}),
            "17 values of several types, more than 16",
        ),
    ],
)
def test_what_the_format_of_messages_takes(schema: Json, reason: str | None) -> None:
    assert misfit(schema, MESSAGES_FORMAT) == reason


@pytest.mark.parametrize("schema", [None, True, [], "x", {"properties": 3}, {"items": None}])
@pytest.mark.parametrize("rules", [STRICT_CHAT, MESSAGES_FORMAT])
def test_a_malformed_schema_is_told_and_breaks_nothing(schema: Any, rules: Any) -> None:
    assert misfit(schema, rules)


def test_a_schema_of_any_depth_is_read() -> None:
    schema: Json = TEXT
    for _ in range(5000):
        schema = {"type": "array", "items": schema}
    assert misfit(schema, MESSAGES_FORMAT) is None
    assert misfit(_object(a=schema), STRICT_CHAT) == "5002 levels, more than 5"


KEYWORDS = {
    "minLength": 1,
    "minimum": 0,
    "minItems": 1,
    "maxItems": 2,
    "default": "x",
    "format": "date",
    "pattern": "^a$",
    "uniqueItems": True,
    "description": "d",
    "oneOf": [{"type": "string"}],
}


def _nodes(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    some = st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    objects = st.builds(_some_object, some, st.booleans(), st.booleans())
    return objects | st.builds(_array, inner) | st.builds(_union, st.lists(inner, max_size=2))


def _some_object(properties: dict[str, Json], closed: bool, required: bool) -> Json:
    return _object_of(properties, closed=closed, required=None if required else [])


def _array(item: Json) -> Json:
    return {"type": "array", "items": item}


def _union(items: list[Json]) -> Json:
    return {"anyOf": items}


def _with_shared(properties: dict[str, Json], shared: Json) -> Json:
    return _object_of(properties) | {"$defs": {"shared": shared}}


def _leaf(kind: str, extra: list[str]) -> Json:
    return {"type": kind} | {key: KEYWORDS[key] for key in extra}


LEAVES: st.SearchStrategy[Json] = (
    st.builds(
        _leaf,
        st.sampled_from(["string", "integer", "boolean", "null"]),
        st.lists(st.sampled_from(list(KEYWORDS)), max_size=1),
    )
    | st.just({"enum": ["x", "y"]})
    | st.just({"$ref": "#/$defs/shared"})
)
SCHEMAS = st.builds(
    _with_shared,
    st.dictionaries(st.sampled_from("abc"), st.recursive(LEAVES, _nodes, max_leaves=8), max_size=3),
    LEAVES,
)


@settings(deadline=None, max_examples=300)
@given(schema=SCHEMAS)
def test_what_we_send_as_forced_no_service_refuses(schema: Json) -> None:
    if misfit(schema, STRICT_CHAT) is None:
        assert strict_chat_refusal(schema) is None
    if misfit(schema, MESSAGES_FORMAT) is None:
        assert messages_format_refusal(schema) is None


@settings(deadline=None, max_examples=300)
@given(schema=SCHEMAS)
def test_what_the_format_of_messages_takes_is_forced_by_it(schema: Json) -> None:
    if messages_format_refusal(schema) is None:
        assert misfit(schema, MESSAGES_FORMAT) is None
