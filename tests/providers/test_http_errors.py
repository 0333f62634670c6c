from __future__ import annotations

import json
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import InvalidURL
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.errors import (
    AuthFailed,
    InvalidRequest,
    ModelError,
    ModelTimeout,
    RateLimited,
    ServerError,
    Unreachable,
)
from promptyard.providers.http_errors import (
    one_line,
    retry_after_s,
    server_message,
    status_error,
    transport_error,
)

NOW = 1_800_000_000.0


def _error(status: int, raw: bytes = b"", **headers: str) -> ModelError:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return status_error(status, named, raw, where="p/m at http://h/v1", model="m", now=NOW)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, RateLimited),
        (500, ServerError),
        (502, ServerError),
        (503, ServerError),
        (529, ServerError),
        (401, AuthFailed),
        (402, AuthFailed),
        (403, AuthFailed),
        (408, ModelTimeout),
        (400, InvalidRequest),
        (404, InvalidRequest),
        (409, InvalidRequest),
        (413, InvalidRequest),
        (422, InvalidRequest),
        (301, InvalidRequest),
        (307, InvalidRequest),
    ],
)
def test_each_status_has_its_error(status: int, kind: type[ModelError]) -> None:
    error = _error(status, b'{"error": {"message": "no"}}', x_request_id="r1")
    assert type(error) is kind
    assert (error.status, error.request_id) == (status, "r1")
    assert str(error).startswith(f"p/m at http://h/v1 answered {status}: no")


def test_an_unknown_model_is_named_with_its_address() -> None:
    message = str(_error(404, b'{"error": "gone"}'))
    assert message == (
        "p/m at http://h/v1 answered 404: gone; check the model name 'm' and base_url"
    )


def test_only_errors_that_pass_carry_a_wait() -> None:
    assert _error(429, retry_after="3").retry_after_s == 3.0
    assert _error(503, retry_after="3").retry_after_s == 3.0
    assert _error(400, retry_after="3").retry_after_s is None


@pytest.mark.parametrize(
    "error",
    [
        {"code": "insufficient_quota"},
        {"type": "insufficient_quota", "code": None},
        {"type": "rate_limit_error", "details": {"error_code": "contract_spend_limit_reached"}},
    ],
)
def test_spent_money_is_no_rate_limit(error: dict[str, Any]) -> None:
    raised = _error(429, json.dumps({"error": error | {"message": "no"}}).encode(), retry_after="3")
    assert type(raised) is AuthFailed
    assert raised.retry_after_s is None
    assert "spend limit" in str(raised)


def test_the_limits_in_an_answer_do_not_say_when_a_server_error_ends() -> None:
    assert _error(500, x_ratelimit_reset_tokens="40s").retry_after_s is None
    assert _error(429, x_ratelimit_reset_tokens="40s").retry_after_s == 40.0


def test_an_address_that_only_the_client_finds_wrong_is_unreachable() -> None:
    error = transport_error(InvalidURL("http://h"), where="p/m at http://h")
    assert type(error) is Unreachable


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Retry-After": "2"}, 2.0),
        ({"RETRY-AFTER": " 1.5 "}, 1.5),
        ({"Retry-After": "-4"}, 0.0),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"Retry-After": formatdate(NOW - 30, usegmt=True)}, 0.0),
        ({"retry-after-ms": "250", "Retry-After": "1"}, 0.25),
        ({"x-ratelimit-reset-requests": "1s"}, 1.0),
        ({"x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        ({"x-ratelimit-reset-tokens": "20ms"}, 0.02),
        ({"x-ratelimit-reset-requests": "1h2m3.5s"}, 3723.5),
        ({"x-ratelimit-reset": "12"}, 12.0),
        ({"X-RateLimit-Reset": str(int(NOW) + 5)}, 5.0),
        ({"X-RateLimit-Reset": str((int(NOW) + 5) * 1000)}, 5.0),
        ({"x-ratelimit-reset-requests": "later"}, None),
        ({"Retry-After": "7", "x-ratelimit-reset-requests": "1s"}, 7.0),
        ({"anthropic-ratelimit-requests-reset": "2027-01-15T08:00:30Z"}, 30.0),
        ({"anthropic-ratelimit-tokens-reset": "2027-01-15T10:00:30.5+02:00"}, 30.5),
        ({"anthropic-ratelimit-tokens-reset": "2020-01-01T00:00:00Z"}, 0.0),
        ({"anthropic-ratelimit-tokens-reset": "2027-01-15T08:00:30"}, None),
        ({"anthropic-ratelimit-unified-reset": str(int(NOW) + 9)}, 9.0),
        ({"anthropic-ratelimit-tokens-limit": "5"}, None),
    ],
)
def test_the_wait_is_read_in_every_usual_form(
    headers: dict[str, str], expected: float | None
) -> None:
    wait_s = retry_after_s(headers, NOW)
    assert wait_s == (None if expected is None else pytest.approx(expected))


def test_of_two_limits_the_exhausted_one_counts() -> None:
    headers = {
        "x-ratelimit-reset-requests": "24h",
        "x-ratelimit-remaining-requests": "900",
        "x-ratelimit-reset-tokens": "3s",
        "x-ratelimit-remaining-tokens": "0",
    }
    assert retry_after_s(headers, NOW) == 3.0
    assert retry_after_s(headers | {"x-ratelimit-remaining-requests": "0"}, NOW) == 86400.0
    assert retry_after_s(headers | {"x-ratelimit-remaining-tokens": "10"}, NOW) == 3.0
    named = {
        "anthropic-ratelimit-requests-reset": "2027-01-15T08:00:01Z",
        "anthropic-ratelimit-input-tokens-reset": "2027-01-15T08:00:50Z",
        "anthropic-ratelimit-input-tokens-remaining": "0",
    }
    assert retry_after_s(named, NOW) == 50.0


@settings(deadline=None)
@given(value=st.text(max_size=30))
def test_a_wait_is_never_negative_and_reading_it_never_fails(value: str) -> None:
    for name in (
        "Retry-After",
        "retry-after-ms",
        "x-ratelimit-reset-tokens",
        "anthropic-ratelimit-tokens-reset",
    ):
        wait_s = retry_after_s({name: value}, NOW)
        assert wait_s is None or 0 <= wait_s < float("inf")


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"error": {"message": "a"}}, "a"),
        ({"error": "a"}, "a"),
        ({"message": "a"}, "a"),
        ({"detail": "a"}, "a"),
        ([{"error": {"message": "a"}}], "a"),
        ({"error": {"code": 3}}, '{"code": 3}'),
        ({"detail": [{"loc": ["body"]}]}, '[{"loc": ["body"]}]'),
        ({}, ""),
        (None, ""),
    ],
)
def test_the_server_message_is_found_in_every_usual_shape(document: Any, expected: str) -> None:
    assert server_message(document) == expected


def test_a_page_instead_of_json_is_quoted_in_one_short_line() -> None:
    message = str(_error(502, b"<html>\n<body>\r\n\x1b[31mBad\tGateway" + b"!" * 1000))
    assert "\n" not in message
    assert "\x1b" not in message
    assert message.endswith("…")
    assert len(message) < 300 + 60


def test_a_secret_is_blotted_out_before_the_text_is_shortened() -> None:
    key = "sk-" + "x" * 40
    line = one_line("a" * 280 + key, [key])
    assert "sk-x" not in line
    assert "[redacted]" in line


@settings(deadline=None)
@given(text=st.text(max_size=500), secret=st.text(min_size=1, max_size=8))
def test_no_text_carries_a_secret_beyond_one_line(text: str, secret: str) -> None:
    line = one_line(text + secret + text, [secret])
    assert len(line) <= 300
    assert line.isprintable()
    if not set(secret) & set("[redacted]… "):
        assert secret not in line


@settings(deadline=None)
@given(document=st.recursive(st.none() | st.text(max_size=9), lambda x: st.lists(x, max_size=2)))
def test_any_error_document_can_be_read(document: Any) -> None:
    assert isinstance(_error(500, json.dumps({"error": document}).encode()), ServerError)
