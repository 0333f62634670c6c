"""Picoschema and Prompty's properties as JSON Schema."""

from __future__ import annotations

import pytest

from promptyard.errors import PromptError
from promptyard.records.base import Json
from promptyard.registry.exchange.prompt_schema import picoschema, property_schema


def test_picoschema_becomes_the_json_schema_of_its_reference() -> None:
    assert picoschema(
        {
            "id": "string, what it is",
            "note?": "string",
            "price": "number",
            "kind(enum, which one)": ["A", "B"],
            "state?(enum)": ["on"],
            "tags(array, words)": "string",
            "more?(object, anything)": {"(*)": "any, whatever"},
            "parts(array)": {"url": "string"},
        },
        "output.schema",
    ) == {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "price", "kind", "tags", "parts"],
        "properties": {
            "id": {"type": "string", "description": "what it is"},
            "note": {"type": ["string", "null"]},
            "price": {"type": "number"},
            "kind": {"enum": ["A", "B"], "description": "which one"},
            "state": {"enum": ["on", None]},
            "tags": {"type": "array", "items": {"type": "string"}, "description": "words"},
            "more": {
                "type": ["object", "null"],
                "properties": {},
                "additionalProperties": {"description": "whatever"},
                "description": "anything",
            },
            "parts": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"url": {"type": "string"}},
                    "additionalProperties": False,
                    "required": ["url"],
                },
            },
        },
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "string"}}},
        {"type": "array", "items": {"type": "string"}},
    ],
)
def test_json_schema_stays_as_it_is(schema: Json) -> None:
    assert picoschema(schema, "s") == schema
    assert picoschema({"properties": {}}, "s") == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("Invoice", "'Invoice' names a schema"),
        ({"a": {"b": "Invoice"}}, "s.a.b: 'Invoice'"),
        ({"a": 3}, "s.a: a schema is text"),
        ({"a(tuple)": "string"}, "'tuple' is no array"),
        (None, "a schema is text"),
    ],
)
def test_what_is_no_picoschema_is_refused_with_its_place(schema: Json, words: str) -> None:
    with pytest.raises(PromptError, match=words.replace("(", r"\(")):
        picoschema(schema, "s")


def test_a_schema_without_end_is_refused() -> None:
    deep: Json = "string"
    for _ in range(200):
        deep = {"a": deep}
    with pytest.raises(PromptError, match="nested deeper"):
        picoschema(deep, "s")


def test_promptys_properties_become_an_object_whether_listed_or_keyed() -> None:
    listed = [
        {"name": "city", "kind": "string", "description": "Which.", "required": True},
        {"name": "scale", "kind": "string", "enumValues": ["C", "F"]},
        {"name": "days", "kind": "array", "items": {"kind": "float"}},
    ]
    keyed = {str(item["name"]): {k: v for k, v in item.items() if k != "name"} for item in listed}
    expected = {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Which."},
            "scale": {"type": "string", "enum": ["C", "F"]},
            "days": {"type": "array", "items": {"type": "number"}},
        },
        "required": ["city"],
    }
    for form in (listed, keyed, {"properties": listed}):
        assert property_schema(form, "outputs") == expected
    with pytest.raises(PromptError, match=r"outputs\.a: the kind 'thread'"):
        property_schema([{"name": "a", "kind": "thread"}], "outputs")
