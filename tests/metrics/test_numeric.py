from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.errors import ConfigError
from promptyard.records.base import Json

from .grading import grade


@pytest.mark.parametrize(
    ("options", "expected", "output", "reason"),
    [
        ({}, 42, "43", "expected 42, got 43"),
        ({}, {"any_of": [1, 2]}, "3", 'expected one of ["1", "2"], got 3'),
        ({}, {"min": 1, "max": 2}, "3", "expected at least 1 and at most 2, got 3"),
        ({}, {"max": 2}, "3", "expected at most 2, got 3"),
        ({}, 42, "many", 'the output is no number; got "many"'),
        ({"extract": "last"}, 4, "x", 'the output is no number (extract: last); got "x"'),
        (
            {"extract": r"= (\d+)"},
            4,
            "x",
            r'the output holds nothing that matches (extract: = (\d+)); got "x"',
        ),
    ],
)
def test_a_reason_says_what_was_expected_and_what_came(
    options: Mapping[str, Json], expected: Json, output: str, reason: str
) -> None:
    (score,) = grade("numeric", output, expected=expected, options=options)
    assert score.reason == reason


def test_a_misspelt_way_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="cannot be lasst; did you mean 'last'"):
        grade("numeric", "1", expected=1, options={"extract": "lasst"})


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_equals_itself(number: float) -> None:
    for check in ("numeric", "numeric_diff"):
        (score,) = grade(check, repr(number), expected=number)
        assert score.value == 1.0 or abs(number) < 1e-300  # subnormal numbers are none


@settings(deadline=None)
@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_the_difference_is_symmetric_and_in_range(one: int, other: int) -> None:
    (there,) = grade("numeric_diff", str(one), expected=other)
    (back,) = grade("numeric_diff", str(other), expected=one)
    assert there.value == pytest.approx(back.value)
    assert 0.0 <= there.value <= 1.0
    assert (there.value == 1.0) == (one == other)


def test_the_field_is_named_with_both_numbers() -> None:
    (score,) = grade(
        "field_numeric", '{"x": {"a": 2}}', expected={"x": {"a": 1}}, options={"field": "x.a"}
    )
    assert (score.field, score.path) == ("x.a", "/x/a")
    assert score.reason == "the field 'x.a' should be 1, is 2"


def test_an_unknown_scale_lists_the_known_ones() -> None:
    (score,) = grade(
        "field_numeric",
        '{"a": 2, "s": 3}',
        expected={"a": 1},
        options={"field": "a", "scale": "s"},
    )
    assert "unknown scale in 's'; known: percent, hundred, thousand" in score.reason
