from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.errors import BadResponse
from promptyard.providers.chat_answer import read_answer
from promptyard.providers.model_answer import ModelAnswer
from promptyard.records.messages import FinishReason, ToolCallPart, Usage


def _read(message: Any, finish_reason: Any = "stop", **fields: Any) -> ModelAnswer:
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return read_answer(json.dumps({"choices": [choice]} | fields).encode())


def test_a_normal_answer_is_read_whole() -> None:
    answer = _read(
        {"role": "assistant", "content": "yes"},
        id="chatcmpl-1",
        model="m1-2026",
        usage={
            "prompt_tokens": 12,
            "completion_tokens": 3,
            "prompt_tokens_details": {"cached_tokens": 8},
        },
    )
    assert answer == ModelAnswer(
        text="yes",
        tool_calls=(),
        finish_reason="stop",
        usage=Usage(input_tokens=12, output_tokens=3, cached_input_tokens=8),
        model="m1-2026",
        response_id="chatcmpl-1",
    )


@pytest.mark.parametrize(
    ("given_reason", "expected"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("abort", "other"),
        (None, "other"),
        (7, "other"),
    ],
)
def test_finish_reasons_are_mapped(given_reason: Any, expected: FinishReason) -> None:
    assert _read({"content": "a"}, given_reason).finish_reason == expected


def test_content_parts_are_joined_and_thinking_is_left_out() -> None:
    parts = [
        {"type": "thinking", "thinking": "hm", "text": "hm"},
        {"type": "text", "text": "one "},
        {"type": "output_text", "text": "two"},
        " three",
    ]
    assert _read({"content": parts}).text == "one two three"


@pytest.mark.parametrize("content", [7, {"text": "a"}, [7], True])
def test_content_of_another_kind_is_no_answer(content: Any) -> None:
    with pytest.raises(BadResponse):
        _read({"content": content})


def test_an_empty_text_is_an_answer() -> None:
    assert _read({"content": ""}).text == ""


@pytest.mark.parametrize("message", [{"content": None}, {}, {"content": None, "refusal": ""}])
def test_no_content_and_no_reason_is_no_answer(message: Any) -> None:
    with pytest.raises(BadResponse, match="neither content nor tool calls"):
        _read(message)


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_no_content_with_a_reason_is_an_empty_answer(reason: str) -> None:
    answer = _read({"content": None}, reason)
    assert (answer.text, answer.finish_reason) == ("", reason)


def test_a_filtered_choice_may_lack_its_message() -> None:
    assert _read(None, "content_filter").text == ""
    with pytest.raises(BadResponse, match="no message"):
        _read(None, "stop")


def test_a_refusal_is_the_text_of_a_filtered_answer() -> None:
    answer = _read({"content": None, "refusal": "I cannot help with that."})
    assert answer.text == "I cannot help with that."
    assert answer.finish_reason == "content_filter"


def test_tool_calls_are_read() -> None:
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
        {"function": {"name": "g", "arguments": {"b": "é"}}},
        {"id": "c3", "function": {"name": "h"}},
    ]
    answer = _read({"content": None, "tool_calls": calls}, "tool_calls")
    assert answer.text == ""
    assert answer.tool_calls == (
        ToolCallPart(id="c1", name="f", arguments='{"a":1}'),
        ToolCallPart(id="call_1", name="g", arguments='{"b": "é"}'),
        ToolCallPart(id="c3", name="h", arguments=""),
    )


def test_the_older_function_call_is_read() -> None:
    call = {"name": "f", "arguments": "{}"}
    answer = _read({"content": None, "function_call": call}, "function_call")
    assert answer.tool_calls == (ToolCallPart(id="function_call", name="f", arguments="{}"),)


@pytest.mark.parametrize("calls", [[{}], [{"function": {}}], "f()", [7], {"a": 1}])
def test_malformed_tool_calls_are_no_answer(calls: Any) -> None:
    with pytest.raises(BadResponse):
        _read({"content": None, "tool_calls": calls})


@pytest.mark.parametrize("usage", [None, {}, [], "3"])
def test_missing_usage_is_told_apart_from_zero(usage: Any) -> None:
    assert _read({"content": "a"}, usage=usage).usage is None
    counted = _read({"content": "a"}, usage={"prompt_tokens": 0, "completion_tokens": 0})
    assert counted.usage == Usage()


@pytest.mark.parametrize("count", [None, "3", -1, True, 1e400, [1]])
def test_nonsense_counts_are_zero(count: Any) -> None:
    usage = {"prompt_tokens": count, "completion_tokens": 2}
    assert _read({"content": "a"}, usage=usage).usage == Usage(output_tokens=2)


def test_tokens_written_to_a_cache_are_read_where_a_gateway_tells_them() -> None:
    details = {"cached_tokens": 3, "cache_write_tokens": 9}
    usage = {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": details}
    read = _read({"content": "a"}, usage=usage).usage
    assert read == Usage(
        input_tokens=10, output_tokens=1, cached_input_tokens=3, cache_write_tokens=7
    )


def test_cached_tokens_never_exceed_the_input() -> None:
    details = {"cached_tokens": 10**30}
    usage = {"prompt_tokens": 5.0, "completion_tokens": 1, "prompt_tokens_details": details}
    read = _read({"content": "a"}, usage=usage).usage
    assert read == Usage(input_tokens=5, output_tokens=1, cached_input_tokens=5)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"choices": [',
        b"\xff\xfe\xfd",
        b"[" * 100_000,
        b"<html></html>",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"choices": null}',
        b'{"choices": []}',
        b'{"choices": {}}',
        b'{"choices": [null]}',
        b'{"choices": ["yes"]}',
        b'{"choices": [{}]}',
        b'{"choices": [{"message": "yes"}]}',
    ],
)
def test_what_is_no_completion_is_no_answer(raw: bytes) -> None:
    with pytest.raises(BadResponse):
        read_answer(raw)


def test_an_error_dressed_as_a_success_is_no_answer_and_is_quoted() -> None:
    with pytest.raises(BadResponse, match="has no choices: upstream is down"):
        read_answer(b'{"error": {"message": "upstream is down", "code": 502}}')
    with pytest.raises(BadResponse, match="broke off the answer: upstream is down"):
        _read({"content": "The answ"}, "error", choices=[_broken_choice()])


def _broken_choice() -> dict[str, Any]:
    return {
        "message": {"content": "The answ"},
        "finish_reason": "error",
        "error": {"message": "upstream is down"},
    }


def test_a_character_cut_in_half_is_replaced() -> None:
    answer = read_answer(
        b'{"choices": [{"message": {"content": "ok \\ud83e"}, "finish_reason": "length"}]}'
    )
    assert answer.text == "ok \ufffd"


MESSAGE_KEYS = ("content", "tool_calls", "function", "name", "arguments", "text", "type", "refusal")
USAGE_KEYS = ("prompt_tokens", "completion_tokens", "prompt_tokens_details", "cached_tokens")
KEYS = st.sampled_from(MESSAGE_KEYS + USAGE_KEYS)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(message=JSON_VALUES, finish_reason=JSON_VALUES, usage=JSON_VALUES)
def test_whatever_the_server_says_it_is_an_answer_or_a_bad_response(
    message: Any, finish_reason: Any, usage: Any
) -> None:
    try:
        answer = _read(message, finish_reason, usage=usage)
    except BadResponse:
        return
    answer.text.encode()
    assert answer.finish_reason in get_args(FinishReason)
    assert answer.usage is None or answer.usage.total_tokens >= 0


@settings(deadline=None)
@given(raw=st.binary(max_size=50))
def test_random_bytes_are_never_an_answer(raw: bytes) -> None:
    with pytest.raises(BadResponse):
        read_answer(raw)
