from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.errors import PromptError
from promptyard.providers.messages_wire import (
    ANSWER_TOOL,
    DEFAULT_MAX_TOKENS,
    forced_tool_reason,
    messages_body,
)
from promptyard.providers.wire_json import RESERVED_PARAMS, wire_bytes
from promptyard.records.base import Json
from promptyard.records.messages import (
    ImagePart,
    Message,
    OutputContract,
    Part,
    Request,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)

ASK = (Message.of("user", "a"),)
CLOSED: dict[str, Json] = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "verdict": {"enum": ["pass", "fail"]}},
    "required": ["reason", "verdict"],
    "additionalProperties": False,
}
OPEN: dict[str, Json] = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 0}}}


def _body(*messages: Message, **fields: Any) -> dict[str, Json]:
    return messages_body("m1", Request(messages=messages or ASK, **fields))


def _user(*parts: Part) -> Message:
    return Message(role="user", parts=parts)


def _source(url: str) -> Json:
    return _body(_user(ImagePart(url=url)))["messages"][0]["content"][0]["source"]


def test_a_plain_request_is_model_limit_system_and_messages() -> None:
    assert _body(Message.of("system", "be brief"), *ASK) == {
        "model": "m1",
        "max_tokens": DEFAULT_MAX_TOKENS,
        "system": "be brief",
        "messages": [{"role": "user", "content": "a"}],
    }


def test_several_system_messages_at_the_start_are_blocks_of_one() -> None:
    body = _body(Message.of("system", "one"), Message.of("system", "two"), *ASK)
    assert body["system"] == [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]


def test_a_later_system_message_keeps_its_place() -> None:
    body = _body(*ASK, Message.of("system", "now in French"))
    assert "system" not in body
    assert body["messages"][1] == {"role": "system", "content": "now in French"}


def test_neighbours_of_one_role_become_one_message() -> None:
    body = _body(
        *ASK, Message.of("user", "b"), Message.of("assistant", "c"), Message.of("user", "d")
    )
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": "c"},
        {"role": "user", "content": "d"},
    ]


def test_empty_texts_are_left_out_because_the_protocol_refuses_them() -> None:
    body = _body(Message.of("system", ""), _user(TextPart(text=""), TextPart(text="a")))
    assert "system" not in body
    assert body["messages"] == [{"role": "user", "content": "a"}]
    assert _body(Message.of("user", ""))["messages"] == [{"role": "user", "content": ""}]


def test_tool_calls_and_results_have_their_wire_form() -> None:
    calls = (
        TextPart(text="let me see"),
        ToolCallPart(id="c1", name="search", arguments='{"q": 1}'),
        ToolCallPart(id="c2", name="now", arguments=""),
    )
    results = [Message(role="tool", parts=(ToolResultPart(id=i, text=i),)) for i in ("c1", "c2")]
    body = _body(*ASK, Message(role="assistant", parts=calls), *results, Message.of("user", "so?"))
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "let me see"},
                {"type": "tool_use", "id": "c1", "name": "search", "input": {"q": 1}},
                {"type": "tool_use", "id": "c2", "name": "now", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "c1"},
                {"type": "tool_result", "tool_use_id": "c2", "content": "c2"},
                {"type": "text", "text": "so?"},
            ],
        },
    ]


@pytest.mark.parametrize("arguments", ["{", "[1]", "7", "[" * 100_000])
def test_tool_arguments_that_are_no_object_are_an_error(arguments: str) -> None:
    call = ToolCallPart(id="c1", name="f", arguments=arguments)
    with pytest.raises(PromptError, match="tool call 'c1' are no JSON object") as caught:
        _body(*ASK, Message(role="assistant", parts=(call,)))
    assert len(str(caught.value)) < 200


def test_tools_are_sent_with_their_schema() -> None:
    schema: dict[str, Json] = {"type": "object", "properties": {"q": {"type": "string"}}}
    tools = (Tool(name="search", description="looks up", parameters=schema), Tool(name="now"))
    assert _body(tools=tools)["tools"] == [
        {"name": "search", "description": "looks up", "input_schema": schema},
        {"name": "now", "input_schema": {"type": "object", "properties": {}}},
    ]


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("https://h/a.png", {"type": "url", "url": "https://h/a.png"}),
        ("HTTP://h/a.png", {"type": "url", "url": "HTTP://h/a.png"}),
        (
            "data:image/png;base64,AAEC",
            {"type": "base64", "media_type": "image/png", "data": "AAEC"},
        ),
        (
            "data:image/png;name=x;BASE64,AA\n EC",
            {"type": "base64", "media_type": "image/png", "data": "AAEC"},
        ),
        (
            "data:image/JPG;base64,/9j/",
            {"type": "base64", "media_type": "image/jpeg", "data": "/9j/"},
        ),
        (
            "data:image/gif,GIF89a%00,x",
            {
                "type": "base64",
                "media_type": "image/gif",
                "data": base64.b64encode(b"GIF89a\x00,x").decode(),
            },
        ),
    ],
)
def test_images_are_sent_by_address_or_as_their_bytes(url: str, source: Json) -> None:
    assert _source(url) == source


@pytest.mark.parametrize("url", ["picture.png", "file:///etc/passwd", "data:image/png", ""])
def test_an_image_that_is_no_url_is_an_error(url: str) -> None:
    with pytest.raises(PromptError, match=r"must be an http\(s\) or data: URL"):
        _source(url)


def test_text_around_an_image_keeps_its_order() -> None:
    image = ImagePart(url="https://h/a.png")
    content = _body(_user(TextPart(text="before"), image, TextPart(text="after")))["messages"][0]
    assert [block["type"] for block in content["content"]] == ["text", "image", "text"]


def test_parameters_are_sent_as_given_but_synonyms_get_their_name() -> None:
    params: dict[str, Json] = {
        "max_completion_tokens": 5,
        "stop": ["x"],
        "seed": 1,
        "frequency_penalty": 0.5,
        "thinking": {"type": "adaptive"},
    }
    body = _body(params=params)
    assert body["max_tokens"] == 5
    assert body["stop_sequences"] == ["x"]
    assert {"stop", "max_completion_tokens"}.isdisjoint(body)
    assert {key: body[key] for key in ("seed", "frequency_penalty", "thinking")} == {
        "seed": 1,
        "frequency_penalty": 0.5,
        "thinking": {"type": "adaptive"},
    }
    backwards = Request(messages=ASK, params=dict(reversed(params.items())))
    assert wire_bytes(messages_body("m1", backwards)) == wire_bytes(body)


def test_a_bare_stop_text_becomes_the_list_that_the_protocol_wants() -> None:
    assert _body(params={"stop": "END"})["stop_sequences"] == ["END"]


@pytest.mark.parametrize("key", [*RESERVED_PARAMS, "system"])
def test_a_parameter_that_would_change_the_call_is_an_error(key: str) -> None:
    with pytest.raises(PromptError, match=f"Remove '{key}' from params"):
        _body(params={key: 1})


def test_a_schema_is_forced_as_the_format_of_the_answer() -> None:
    body = _body(output=OutputContract(format="json", schema=CLOSED))
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": CLOSED}}
    assert "tools" not in body
    sent = json.loads(wire_bytes(body))["output_config"]["format"]["schema"]
    assert list(sent["properties"]) == ["reason", "verdict"]


def test_a_schema_that_no_format_takes_is_forced_as_that_of_a_tool() -> None:
    body = _body(output=OutputContract(format="json", schema=OPEN))
    assert "output_config" not in body
    (tool,) = body["tools"]
    assert (tool["name"], tool["input_schema"]) == (ANSWER_TOOL, OPEN)
    assert body["tool_choice"] == {
        "type": "tool",
        "name": ANSWER_TOOL,
        "disable_parallel_tool_use": True,
    }
    assert forced_tool_reason(body) == "an object without `additionalProperties: false`"
    assert forced_tool_reason(_body()) is None


def test_beside_tools_of_the_prompt_any_of_them_may_come_first() -> None:
    output = OutputContract(format="json", schema=OPEN)
    body = _body(output=output, tools=(Tool(name="search"),))
    assert [tool["name"] for tool in body["tools"]] == ["search", ANSWER_TOOL]
    assert body["tool_choice"] == {"type": "any"}


def test_a_schema_that_nothing_can_force_is_an_error() -> None:
    schema = {"type": "array", "items": {"type": "string"}, "maxItems": 3}
    with pytest.raises(PromptError, match=r"it has `maxItems`, and only a schema of type `object`"):
        _body(output=OutputContract(format="json", schema=schema))


def test_a_tool_cannot_take_the_name_of_the_answer() -> None:
    with pytest.raises(PromptError, match="rename it"):
        _body(tools=(Tool(name=ANSWER_TOOL),))


@pytest.mark.parametrize(
    "output",
    [
        OutputContract(),
        OutputContract(format="label", labels=("yes", "no")),
        OutputContract(format="json"),
    ],
)
def test_without_a_schema_nothing_is_forced(output: OutputContract) -> None:
    assert _body(output=output).keys() == {"model", "max_tokens", "messages"}


def test_effort_stands_beside_the_format_and_a_format_of_ones_own_replaces_it() -> None:
    output = OutputContract(format="json", schema=CLOSED)
    effort = _body(output=output, params={"output_config": {"effort": "low"}})
    assert effort["output_config"] == {
        "format": {"type": "json_schema", "schema": CLOSED},
        "effort": "low",
    }
    free = _body(output=output, params={"output_config": {"format": None}})
    assert free["output_config"] == {"format": None}


@settings(deadline=None)
@given(texts=st.lists(st.text(st.characters(exclude_categories=())), min_size=1, max_size=4))
def test_every_text_reaches_the_wire_once_and_in_order(texts: list[str]) -> None:
    body = json.loads(wire_bytes(_body(*(Message.of("user", text) for text in texts))))
    (message,) = body["messages"]
    content = message["content"]
    sent = [content] if isinstance(content, str) else [block["text"] for block in content]
    kept = [text for text in texts if text] or [""]
    assert sent == json.loads(json.dumps(kept))


def test_the_form_on_the_wire_is_pinned() -> None:
    raw = wire_bytes(_body(Message.of("user", "é"), params={"stop": ["x"], "max_tokens": 3}))
    assert raw.decode() == (
        '{"model":"m1","max_tokens":3,"messages":[{"role":"user","content":"é"}],'
        '"stop_sequences":["x"]}'
    )
