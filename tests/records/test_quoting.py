"""Quoted data stay data: one line, no tags, nothing hidden, read back as they were."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.records.quoting import fresh_nonce, quoted

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_a_quoted_value_reads_back_and_is_one_visible_line_without_brackets(value: object) -> None:
    text = quoted(value)
    assert json.loads(text) == value
    assert "<" not in text
    assert ">" not in text
    assert "\n" not in text
    assert len(text.splitlines()) == 1
    text.encode("utf-8")


@pytest.mark.parametrize(
    "hidden",
    ["\u200b", "\u202e", "\u2066", "\ufeff", "\u00ad", "\U000e0041", "\ufe0f", "\u2028", "\ud800",
     "\U000e0101", "\u3164", "\x85"],
)  # fmt: skip
def test_a_hidden_character_is_written_out(hidden: str) -> None:
    assert hidden not in quoted(f"a{hidden}b")
    assert json.loads(quoted(f"a{hidden}b")) == f"a{hidden}b"


def test_letters_of_any_script_and_pictures_stay_as_they_are() -> None:
    text = "naïve Ωmega Привет مرحبا 日本語 🧪"
    assert quoted(text) == f'"{text}"'


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        quoted(float("nan"))


def test_a_nonce_never_occurs_in_what_it_fences() -> None:
    nonce = fresh_nonce("payload", 1)
    again = fresh_nonce("payload", 1)
    assert nonce == again
    assert nonce != fresh_nonce("payload", 2)
    assert fresh_nonce(f"payload {nonce}", 1) not in f"payload {nonce}"
