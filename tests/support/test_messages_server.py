"""The messages server itself, spoken to without any of our own client code."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from support.messages_server import KEY, MessagesServer
from support.model_server import Fault
from support.service_images import PIXEL_URL

HEADERS = {"x-api-key": KEY, "anthropic-version": "2026-10-21"}
USER: dict[str, Any] = {"role": "user", "content": "one two"}
CALL: dict[str, Any] = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "r"}
TOOL = {"name": "f", "input_schema": {"type": "object"}}
CLOSED: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
PNG = {"type": "base64", "media_type": "image/png", "data": PIXEL_URL.partition(",")[2]}


def _post(server: MessagesServer, body: Any, headers: Any = HEADERS) -> tuple[int, Any, Any]:
    connection = http.client.HTTPConnection(urlsplit(server.base_url).netloc, timeout=10)
    try:
        connection.request("POST", "/v1/messages", json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read()), response.headers
    finally:
        connection.close()


def _body(**fields: Any) -> dict[str, Any]:
    return {"model": "m1", "max_tokens": 5, "messages": [USER]} | fields


def _turns(*turns: tuple[str, Any]) -> dict[str, Any]:
    return _body(messages=[{"role": role, "content": content} for role, content in turns])


def test_it_answers_in_the_wire_format() -> None:
    with MessagesServer(lambda body: body["messages"][0]["content"].upper()) as server:
        status, document, headers = _post(server, _body())
    assert status == 200
    assert document["type"] == "message"
    assert document["content"][-1] == {"type": "text", "text": "ONE TWO"}
    assert document["stop_reason"] == "end_turn"
    assert document["usage"]["output_tokens"] == 2
    assert headers["request-id"] == "req-0"


def test_a_forced_tool_is_called_with_the_answer() -> None:
    body = _body(tools=[TOOL], tool_choice={"type": "tool", "name": "f"})
    with MessagesServer(lambda _: '{"a": 1}') as server:
        document = _post(server, body)[1]
    assert document["content"][-1]["input"] == {"a": 1}
    assert document["stop_reason"] == "tool_use"


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [
        ({}, 401, "authentication_error"),
        ({"x-api-key": "wrong"}, 401, "authentication_error"),
        ({"x-api-key": KEY}, 400, "invalid_request_error"),
        ({"x-api-key": KEY, "anthropic-version": "1"}, 400, "invalid_request_error"),
    ],
)
def test_key_and_version_are_required(headers: Any, status: int, kind: str) -> None:
    with MessagesServer() as server:
        got, document, _ = _post(server, _body(), headers)
    assert (got, document["type"], document["error"]["type"]) == (status, "error", kind)


@pytest.mark.parametrize(
    "body",
    [
        _turns(("user", "a"), ("assistant", [CALL]), ("user", [RESULT])) | {"tools": [TOOL]},
        _turns(("user", [{"type": "image", "source": PNG}, {"type": "text", "text": "a"}])),
        _turns(("user", "a"), ("user", "b"), ("assistant", "c")),
        _body(system=[{"type": "text", "text": "a"}], stop_sequences=["x"]),
        _body(output_config={"format": {"type": "json_schema", "schema": CLOSED}, "effort": "low"}),
        _body(output_config={"format": None}),
    ],
)
def test_what_the_service_takes_is_taken(body: Any) -> None:
    with MessagesServer() as server:
        status, document, _ = _post(server, body)
    assert status == 200, document


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"model": "m1", "messages": [USER]}, "max_tokens: Field required"),
        (_body(max_tokens=0), "max_tokens: Input"),
        (_body(messages=[]), "at least one message"),
        (_body(temperature=1.0), "temperature: Extra inputs are not permitted"),
        (_body(seed=1), "seed: Extra inputs are not permitted"),
        (_body(stop_sequences=[" "]), "non-whitespace"),
        (_body(system=[{"type": "text", "text": ""}]), "non-empty"),
        (_body(system=[{"type": "image", "source": PNG}]), "not allowed for role 'system'"),
        (_turns(("assistant", "a")), 'must use the "user" role'),
        (_turns(("user", "")), "non-empty content"),
        (_turns(("user", [{"type": "text", "text": ""}])), "must be non-empty"),
        (_turns(("user", "a"), ("system", "b")), "role 'system' is not supported"),
        (_turns(("user", "a"), ("assistant", [CALL])), "without `tool_result`"),
        (_turns(("user", "a"), ("assistant", [CALL]), ("user", "b")), "without `tool_result`"),
        (_turns(("user", [RESULT])), "unexpected `tool_use_id`"),
        (
            _turns(
                ("user", "a"),
                ("assistant", [CALL]),
                ("user", [{"type": "text", "text": "b"}, RESULT]),
            ),
            "must come first",
        ),
        (_turns(("user", [CALL])), "not allowed for role 'user'"),
        (_turns(("assistant", [{"type": "image", "source": PNG}])), "first message"),
        (_turns(("user", [{"type": "image", "source": PNG | {"data": "?"}}])), "invalid base64"),
        (
            _turns(("user", [{"type": "image", "source": PNG | {"media_type": "image/gif"}}])),
            "does not match",
        ),
        (
            _turns(("user", [{"type": "image", "source": PNG | {"media_type": "image/bmp"}}])),
            "Input should be one of",
        ),
        (
            _turns(("user", [{"type": "image", "source": {"type": "url", "url": "http://h/a"}}])),
            "Only HTTPS",
        ),
        (_body(tools=[{"name": "f"}]), "input_schema.type"),
        (_body(tools=[TOOL, TOOL]), "must be unique"),
        (_body(tool_choice={"type": "any"}), "while providing tools"),
        (_body(tools=[TOOL], tool_choice={"type": "tool", "name": "g"}), "'g' not found"),
        (_body(output_config={"format": {"type": "json_object"}}), "json_schema"),
        (
            _body(output_config={"format": {"type": "json_schema", "schema": {"type": "object"}}}),
            "'additionalProperties' must be explicitly set to false",
        ),
        (
            _turns(("user", "a"), ("assistant", "{"))
            | {"output_config": {"format": {"type": "json_schema", "schema": CLOSED}}},
            "prefill is not supported",
        ),
    ],
)
def test_what_the_service_refuses_is_refused(body: Any, said: str) -> None:
    with MessagesServer() as server:
        status, document, _ = _post(server, body)
    assert status == 400
    assert said in document["error"]["message"]


def test_a_scripted_error_has_the_kind_of_its_status() -> None:
    with MessagesServer(faults=lambda _i, _b: Fault.status(529)) as server:
        status, document, _ = _post(server, _body())
    assert (status, document["error"]["type"]) == (529, "overloaded_error")


def test_a_fault_of_another_protocol_comes_out() -> None:
    server = MessagesServer(faults=lambda _i, _b: Fault("no_choices")).__enter__()
    assert _post(server, _body())[0] == 500
    with pytest.raises(ValueError, match="no fault 'no_choices'"):
        server.__exit__(None, None, None)
