"""How values become text and come back."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.errors import StorageError
from promptyard.records.cases import Case
from promptyard.records.messages import Completion
from promptyard.records.scores import Interval
from promptyard.storage.stored_text import (
    MAX_NAME_LENGTH,
    check_names,
    from_text,
    json_text,
    shown_text,
    to_text,
)

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner),
    max_leaves=8,
)


@given(JSON_VALUES)
def test_json_values_come_back_equal_in_text_that_databases_hold(value: object) -> None:
    text = json_text(value)
    assert "\x00" not in text
    text.encode("utf-8")
    assert json.loads(text) == value


@given(ANY_TEXT, JSON_VALUES)
def test_records_come_back_equal(text: str, value: object) -> None:
    for record in (Completion(text=text), Case(id="c", input={"any": value}, expected=text)):
        assert from_text(type(record), to_text(record)) == record


def test_infinite_ends_of_an_interval_come_back() -> None:
    interval = Interval(low=-math.inf, high=math.inf, method="exact")
    assert from_text(Interval, to_text(interval)) == interval


@given(ANY_TEXT)
def test_shown_text_can_be_stored_and_keeps_its_length(text: str) -> None:
    shown = shown_text(text)
    assert "\x00" not in shown
    shown.encode("utf-8")
    assert len(shown) == len(text)


def test_text_that_can_be_stored_is_shown_as_it_is() -> None:
    assert shown_text("naïve 🧪\n") == "naïve 🧪\n"


@pytest.mark.parametrize("name", ["", "support", "日本語 🧪", "a" * MAX_NAME_LENGTH])
def test_ordinary_names_pass(name: str) -> None:
    check_names(prompt=name)


@pytest.mark.parametrize("name", ["a\x00", "\udfff", "a" * (MAX_NAME_LENGTH + 1)])
def test_a_name_that_cannot_be_stored_says_which(name: str) -> None:
    with pytest.raises(StorageError, match="The run id '") as caught:
        check_names(prompt="support", run_id=name)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
