"""Reasons that differ in particulars only have one shape."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.signals.fingerprint import MAX_CHARS, shape


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("The date 2024-05-01 is not in ticket #4711.", "the date <date> is not in ticket <id>"),
        ("the date May 3rd, 2023 is not in ticket #12", "the date <date> is not in ticket <id>"),
        ("The date 1.5.2024 is  not in\nticket T-88!", "the date <date> is not in ticket <id>"),
        ("at 2024-05-01T10:00:00Z it failed", "at <date> it failed"),
        ('Claims "refund in 5 days"', "claims <quote>"),
        ("Claims 'next week' although it doesn't know", "claims <quote> although it doesn't know"),
        ("Claims “a”, «b» and `c`", "claims <quote>"),
        ("1, 2 and 35.5 are below 40 %", "<number> are below <number>"),
        ("user 550e8400-e29b-41d4-a716-446655440000 is unknown", "user <id> is unknown"),
        ("see https://example.com/a?b=1 or mail a.b@example.org", "see <url> or mail <email>"),
        ("No number at all", "no number at all"),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_particulars_are_taken_out(reason: str, expected: str) -> None:
    assert shape(reason) == expected


def test_other_words_are_another_shape() -> None:
    assert shape("the refund is missing") != shape("the date is missing")


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_numbers_do_not_part_shapes(one: int, other: int) -> None:
    assert shape(f"row {one} is wrong") == shape(f"row {other} is wrong") == "row <number> is wrong"


@given(st.text())
def test_any_text_has_a_short_shape_on_one_line(reason: str) -> None:
    found = shape(reason)
    assert len(found) <= MAX_CHARS
    assert "\n" not in found


def test_a_huge_reason_costs_no_more_than_its_beginning() -> None:
    assert shape("-" * 2_000_000 + "1a") == "-" * MAX_CHARS
