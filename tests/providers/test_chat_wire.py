from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.errors import PromptError
from promptyard.providers.chat_wire import chat_body
from promptyard.providers.wire_json import RESERVED_PARAMS, wire_bytes
from promptyard.records.base import Json, content_hash
from promptyard.records.messages import (
    ImagePart,
    Message,
    OutputContract,
    Request,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)

ASK = (Message.of("user", "a"),)

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates too

STRICT_SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {
        "reasoning": {"type": "string"},
        "answer": {"type": "string", "enum": ["yes", "no"]},
    },
    "required": ["reasoning", "answer"],
    "additionalProperties": False,
}


def _strict(schema: Mapping[str, Json]) -> bool:
    output = OutputContract(format="json", schema=schema)
    return chat_body("m", Request(messages=ASK, output=output))["response_format"]["json_schema"][
        "strict"
    ]


def test_text_is_sent_as_a_plain_string() -> None:
    parts = (TextPart(text="a"), TextPart(text="b"))
    request = Request(
        messages=(Message.of("system", "be brief"), Message(role="user", parts=parts))
    )
    assert chat_body("m1", request) == {
        "model": "m1",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "ab"},
        ],
    }


def test_images_make_the_content_a_list_of_parts() -> None:
    parts = (TextPart(text="what is it?"), ImagePart(url="data:image/png;base64,AA=="))
    body = chat_body("m", Request(messages=(Message(role="user", parts=parts),)))
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "what is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
    ]


def test_tool_calls_and_results_have_their_wire_form() -> None:
    call = ToolCallPart(id="c1", name="search", arguments='{"q": 1}')
    results = (ToolResultPart(id="c1", text="one"), ToolResultPart(id="c2", text="two"))
    messages = (Message(role="assistant", parts=(call,)), Message(role="tool", parts=results))
    assert chat_body("m", Request(messages=messages))["messages"] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "search", "arguments": '{"q": 1}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": "two"},
    ]


def test_text_beside_tool_calls_is_kept() -> None:
    call = ToolCallPart(id="c1", name="search", arguments="{}")
    message = Message(role="assistant", parts=(TextPart(text="let me see"), call))
    sent = chat_body("m", Request(messages=(message,)))["messages"]
    assert sent[0]["content"] == "let me see"
    assert len(sent[0]["tool_calls"]) == 1


def test_a_message_without_parts_is_sent_empty() -> None:
    body = chat_body("m", Request(messages=(Message(role="user", parts=()),)))
    assert body["messages"] == [{"role": "user", "content": ""}]


def test_tools_are_sent_as_functions() -> None:
    schema: dict[str, Json] = {"type": "object", "properties": {"q": {"type": "string"}}}
    tools = (Tool(name="search", description="looks up", parameters=schema), Tool(name="now"))
    assert chat_body("m", Request(messages=ASK, tools=tools))["tools"] == [
        {
            "type": "function",
            "function": {"name": "search", "description": "looks up", "parameters": schema},
        },
        {
            "type": "function",
            "function": {"name": "now", "parameters": {"type": "object", "properties": {}}},
        },
    ]


def test_any_parameter_is_passed_through_whatever_the_order_given() -> None:
    params: dict[str, Json] = {
        "temperature": 0.2,
        "max_tokens": 5,
        "stop": ["a"],
        "logit_bias": {"1": 2},
    }
    body = chat_body("m", Request(messages=ASK, params=params))
    assert {key: body[key] for key in params} == params
    backwards = Request(messages=ASK, params=dict(reversed(params.items())))
    assert wire_bytes(chat_body("m", backwards)) == wire_bytes(body)


@pytest.mark.parametrize("key", RESERVED_PARAMS)
def test_a_parameter_that_would_change_the_call_is_an_error(key: str) -> None:
    with pytest.raises(PromptError, match=f"Remove '{key}' from params"):
        chat_body("m", Request(messages=ASK, params={key: 1}))


def test_a_parameter_may_replace_the_response_format() -> None:
    output = OutputContract(format="json")
    params = {"response_format": {"type": "text"}}
    body = chat_body("m", Request(messages=ASK, output=output, params=params))
    assert body["response_format"] == {"type": "text"}


@pytest.mark.parametrize(
    "output", [OutputContract(), OutputContract(format="label", labels=("yes", "no"))]
)
def test_text_and_labels_ask_for_no_format(output: OutputContract) -> None:
    assert "response_format" not in chat_body("m", Request(messages=ASK, output=output))


def test_json_without_a_schema_asks_for_any_object() -> None:
    body = chat_body("m", Request(messages=ASK, output=OutputContract(format="json")))
    assert body["response_format"] == {"type": "json_object"}


def test_json_with_a_complete_schema_is_strict() -> None:
    output = OutputContract(format="json", schema=STRICT_SCHEMA)
    assert chat_body("m", Request(messages=ASK, output=output))["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": STRICT_SCHEMA, "strict": True},
    }


NESTED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


@pytest.mark.parametrize(
    "change",
    [
        {"additionalProperties": True},
        {"required": ["answer"]},
        {"required": None},
        {"properties": {"reasoning": {}, "answer": {"type": "string"}}},
        {"properties": {"reasoning": NESTED, "answer": {"type": "string"}}},
        {
            "properties": {
                "reasoning": {"type": "array", "items": NESTED},
                "answer": {"type": "string"},
            }
        },
        {
            "properties": {
                "reasoning": {"anyOf": [NESTED, {"type": "null"}]},
                "answer": {"type": ["object", "null"]},
            }
        },
        {"$defs": {"other": NESTED}},
        {"allOf": [{"type": "object"}]},
        {"type": ["object", "null"]},
        {"anyOf": [{"type": "object"}]},
    ],
)
def test_a_schema_that_leaves_something_open_is_not_strict(change: dict[str, Json]) -> None:
    assert _strict(STRICT_SCHEMA)
    assert not _strict(STRICT_SCHEMA | change)


def test_closed_objects_at_depth_are_strict() -> None:
    closed = NESTED | {"additionalProperties": False}
    properties = {"items": {"type": "array", "items": closed}, "ref": {"$ref": "#/$defs/x"}}
    assert _strict(
        {
            "type": "object",
            "properties": properties,
            "required": ["ref", "items"],
            "additionalProperties": False,
            "$defs": {"x": {"anyOf": [closed, {"type": "null"}]}},
        }
    )


def test_properties_of_a_schema_keep_their_order_on_the_wire() -> None:
    output = OutputContract(format="json", schema=STRICT_SCHEMA)
    sent = json.loads(wire_bytes(chat_body("m", Request(messages=ASK, output=output))))
    properties = sent["response_format"]["json_schema"]["schema"]["properties"]
    assert list(properties) == ["reasoning", "answer"]


@settings(deadline=None)
@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=3), stop=st.lists(ANY_TEXT, max_size=2))
def test_what_is_sent_is_the_body_that_was_hashed(texts: list[str], stop: list[str]) -> None:
    messages = tuple(Message.of("user", text) for text in texts)
    body = chat_body("m", Request(messages=messages, params={"stop": stop}))
    received = json.loads(wire_bytes(body))
    # A pair of surrogates is one character to every JSON reader.
    joined = json.loads(json.dumps(body))
    assert received == joined
    assert content_hash(received) == content_hash(joined)


@settings(deadline=None)
@given(text=ANY_TEXT)
def test_the_wire_form_is_always_utf8(text: str) -> None:
    wire_bytes(chat_body("m", Request(messages=(Message.of("user", text),)))).decode("utf-8")


def test_unnormalised_text_is_sent_as_it_is() -> None:
    decomposed = "nai\u0308ve"
    body = chat_body("m", Request(messages=(Message.of("user", decomposed),)))
    assert json.loads(wire_bytes(body))["messages"][0]["content"] == decomposed


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_json_cannot_say_are_an_error(value: float) -> None:
    with pytest.raises(ValueError):
        wire_bytes(chat_body("m", Request(messages=ASK, params={"temperature": value})))


def test_the_form_on_the_wire_is_pinned() -> None:
    params: dict[str, Any] = {"temperature": 0, "max_tokens": 3}
    raw = wire_bytes(chat_body("m1", Request(messages=(Message.of("user", "é"),), params=params)))
    expected = (
        '{"model":"m1","messages":[{"role":"user","content":"é"}],"max_tokens":3,"temperature":0}'
    )
    assert raw == expected.encode()
