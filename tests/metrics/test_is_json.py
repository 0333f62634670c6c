from __future__ import annotations

import pytest

from promptyard.records.cases import CheckSpec

from .grading import PASS, Outcome, assert_outcome, grade

INVALID = ("invalid_json",)


@pytest.mark.parametrize(
    ("output", "outcome"),
    [
        ("1" * 400, PASS),
        ("9" * 5000, INVALID),
        ("[" * 200 + "]" * 200, PASS),
        ("[" * 201 + "]" * 201, INVALID),
        ('"' + "[" * 300 + '\\""', PASS),
    ],
)
def test_long_numbers_and_deep_nesting(output: str, outcome: Outcome) -> None:
    assert_outcome("is_json", {}, None, output, outcome)


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ('{"a": 1, "a": 2}', 'the key "a" occurs twice in one object'),
        ("NaN", "NaN is not JSON"),
        ('{"a": 1} x', "text after the JSON value at line 1, column 10"),
        ("9" * 5000, "a number is out of range"),
        ("1e999", 'the number "1e999" is out of range'),
        ("[" * 300, "nested deeper than 200 levels"),
    ],
)
def test_the_reason_says_why_it_is_not_json(output: str, why: str) -> None:
    (score,) = grade("is_json", output)
    assert f"the output is not JSON: {why}; got " in score.reason


def test_it_is_a_hard_check_of_validity() -> None:
    (score,) = grade("is_json", "no")
    assert (score.severity, score.dimension) == ("hard", "validity")


def test_a_tag_of_the_user_renames_its_finding() -> None:
    (score,) = grade(CheckSpec(type="is_json", tag="chatty"), "Sure! {}")
    assert score.tags == ("chatty",)
    (empty,) = grade(CheckSpec(type="is_json", tag="chatty"), "")
    assert empty.tags == ("empty_output", "chatty")
