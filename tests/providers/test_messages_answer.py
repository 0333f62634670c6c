from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.errors import BadResponse
from promptyard.providers.messages_answer import read_message
from promptyard.providers.messages_wire import ANSWER_TOOL
from promptyard.providers.model_answer import ModelAnswer
from promptyard.records.messages import FinishReason, ToolCallPart, Usage

THINKING = {"type": "thinking", "thinking": "", "signature": "c2ln"}


def _text(text: Any) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _call(name: str, given: Any, call_id: Any = "toolu_1") -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": given}


def _read(content: Any, stop_reason: Any = "end_turn", **fields: Any) -> ModelAnswer:
    document = {"type": "message", "content": content, "stop_reason": stop_reason} | fields
    return read_message(json.dumps(document).encode())


def test_a_normal_answer_is_read_whole() -> None:
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 400,
        "cache_creation_input_tokens": 90,
        "output_tokens": 3,
    }
    answer = _read([THINKING, _text("yes")], id="msg_1", model="m1-2026", usage=usage)
    assert answer == ModelAnswer(
        text="yes",
        tool_calls=(),
        finish_reason="stop",
        usage=Usage(
            input_tokens=500, output_tokens=3, cached_input_tokens=400, cache_write_tokens=90
        ),
        model="m1-2026",
        response_id="msg_1",
    )


@pytest.mark.parametrize(
    ("stop_reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "other"),
        ("something_new", "other"),
        (None, "other"),
        (7, "other"),
    ],
)
def test_stop_reasons_are_mapped(stop_reason: Any, expected: FinishReason) -> None:
    assert _read([_text("a")], stop_reason).finish_reason == expected


def test_texts_are_joined_and_what_is_no_text_is_left_out() -> None:
    server_tool: dict[str, Any] = {
        "type": "server_tool_use",
        "id": "s",
        "name": "web_search",
        "input": {},
    }
    assert _read([_text("a"), THINKING, server_tool, _text("b")]).text == "ab"


def test_tool_calls_are_read_with_their_arguments_as_text() -> None:
    answer = _read([_text("let me see"), _call("f", {"q": "é"}), _call("g", {})], "tool_use")
    assert answer.text == "let me see"
    assert answer.finish_reason == "tool_calls"
    assert answer.tool_calls == (
        ToolCallPart(id="toolu_1", name="f", arguments='{"q": "é"}'),
        ToolCallPart(id="toolu_1", name="g", arguments="{}"),
    )


def test_the_input_of_the_answer_tool_is_the_answer() -> None:
    answer = _read([_text("Here:"), _call(ANSWER_TOOL, {"n": 1, "t": "é"})], "tool_use")
    assert (answer.text, answer.tool_calls) == ('{"n": 1, "t": "é"}', ())
    assert answer.finish_reason == "stop"


def test_a_cut_answer_tool_is_a_cut_answer() -> None:
    answer = _read([_call(ANSWER_TOOL, {})], "max_tokens")
    assert (answer.text, answer.finish_reason) == ("{}", "length")


def test_an_answer_beside_other_calls_leaves_them_open() -> None:
    answer = _read([_call("search", {}), _call(ANSWER_TOOL, {"n": 1})], "tool_use")
    assert answer.finish_reason == "tool_calls"
    assert [call.name for call in answer.tool_calls] == ["search"]


def test_a_refusal_is_read_with_its_explanation() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "not here"}
    answer = _read([], "refusal", stop_details=details)
    assert (answer.text, answer.finish_reason) == ("not here", "content_filter")
    assert _read([], "refusal", stop_details=None).text == ""
    assert _read([_text("no")], "refusal", stop_details=details).text == "no"


def test_an_answer_that_ran_out_of_tokens_while_thinking_is_a_cut_one() -> None:
    answer = _read([THINKING], "max_tokens")
    assert (answer.text, answer.finish_reason) == ("", "length")


@pytest.mark.parametrize(
    "content",
    [
        None,
        "text",
        [],
        [THINKING],
        [None],
        ["a"],
        [{"type": "text"}],
        [_text(None)],
        [_call("f", {}, call_id=None)],
        [_call("", {})],
        [{"type": "tool_use", "id": "c", "input": {}}],
    ],
)
def test_what_holds_no_answer_is_no_answer(content: Any) -> None:
    with pytest.raises(BadResponse):
        _read(content)


def test_an_error_that_is_dressed_as_a_success_is_quoted() -> None:
    raw = b'{"type": "error", "error": {"type": "api_error", "message": "upstream is down"}}'
    with pytest.raises(BadResponse, match="upstream is down"):
        read_message(raw)


@pytest.mark.parametrize("raw", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000, b"<html></html>"])
def test_what_is_no_object_is_no_answer(raw: bytes) -> None:
    with pytest.raises(BadResponse):
        read_message(raw)


@pytest.mark.parametrize("usage", [None, {}, [], "3"])
def test_missing_usage_is_told_apart_from_zero(usage: Any) -> None:
    assert _read([_text("a")], usage=usage).usage is None
    counted = _read([_text("a")], usage={"input_tokens": 0, "output_tokens": 0})
    assert counted.usage == Usage()


def test_lone_surrogates_are_replaced() -> None:
    answer = _read([_text("a\ud83e")], model="m\ud83e", id="i\ud83e")
    for text in (answer.text, answer.model, answer.response_id or ""):
        text.encode()


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
BLOCKS: st.SearchStrategy[Any] = st.lists(
    st.builds(
        dict[str, Any],
        type=st.sampled_from(["text", "tool_use", "thinking", "new"]),
        text=JSON_VALUES,
        id=JSON_VALUES,
        name=JSON_VALUES,
        input=JSON_VALUES,
    ),
    max_size=3,
)


@settings(deadline=None)
@given(content=BLOCKS | JSON_VALUES, stop_reason=JSON_VALUES, usage=JSON_VALUES)
def test_any_document_is_an_answer_or_a_bad_response(
    content: Any, stop_reason: Any, usage: Any
) -> None:
    try:
        answer = _read(content, stop_reason, usage=usage)
    except BadResponse:
        return
    assert answer.finish_reason in get_args(FinishReason)
    answer.text.encode()
