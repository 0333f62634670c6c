"""What is reserved for a call is never less than it can cost, and no multiple of it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.providers.chat_wire import chat_body
from promptyard.providers.messages_wire import messages_body
from promptyard.records.messages import ImagePart, Message, Request, TextPart
from promptyard.runner.estimate import DEFAULT_MAX_TOKENS, IMAGE_TOKENS, upper_usage


def _request(*urls: str, text: str = "what is it?", **params: Any) -> Request:
    parts = (TextPart(text=text), *(ImagePart(url=url) for url in urls))
    return Request(messages=(Message(role="user", parts=parts),), params=params)


def test_the_longest_answer_counts() -> None:
    assert upper_usage(chat_body("m", _request())).output_tokens == DEFAULT_MAX_TOKENS
    assert upper_usage(chat_body("m", _request(max_tokens=7))).output_tokens == 7
    assert upper_usage(chat_body("m", _request(max_completion_tokens=9))).output_tokens == 9
    assert upper_usage(messages_body("m", _request(max_tokens=7))).output_tokens == 7


def test_an_image_counts_as_one_however_many_bytes_it_has() -> None:
    small, large = (f"data:image/png;base64,{'A' * n}" for n in (4, 4_000_000))
    for body in (chat_body, messages_body):
        few, many = (upper_usage(body("m", _request(url))).input_tokens for url in (small, large))
        assert abs(few - many) <= 1
        assert IMAGE_TOKENS < few < IMAGE_TOKENS + 200
        both = upper_usage(body("m", _request(small, "https://h/a.png"))).input_tokens
        assert 2 * IMAGE_TOKENS < both < 2 * IMAGE_TOKENS + 300


def test_text_that_looks_like_an_image_counts_as_text() -> None:
    text = "data:image/png;base64," + "A" * 100_000
    for body in (chat_body, messages_body):
        assert upper_usage(body("m", _request(text=text))).input_tokens > 50_000


@settings(deadline=None)
@given(text=st.text(max_size=300))
def test_a_token_is_at_least_two_characters(text: str) -> None:
    assert upper_usage(chat_body("m", _request(text=text))).input_tokens >= len(text) // 2


def test_a_body_of_any_shape_is_estimated() -> None:
    for messages in (None, "x", [None, {"content": [None, {"type": "image"}]}]):
        assert upper_usage({"messages": messages}).input_tokens >= 0
