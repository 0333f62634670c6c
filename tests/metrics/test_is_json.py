from __future__ import annotations

from collections.abc import Mapping

import pytest

from promptyard.errors import ConfigError
from promptyard.records.base import Json
from promptyard.records.cases import CheckSpec

from .grading import PASS, Outcome, assert_outcome, grade

INVALID = ("invalid_json",)

ROWS: list[tuple[Mapping[str, Json], str, Outcome]] = [
    ({}, '{"a": [1, null, true, "x"]}', PASS),
    ({}, ' \n"text"\t', PASS),
    ({}, "-0.5e+3", PASS),
    ({}, "1" * 400, PASS),
    ({}, '"\\ud83d\\ude00"', PASS),
    ({}, '"\\ud800"', PASS),
    ({}, "[" * 200 + "]" * 200, PASS),
    ({}, '"' + "[" * 300 + '\\""', PASS),
    ({}, "[" * 201 + "]" * 201, INVALID),
    ({}, "{a: 1}", INVALID),
    ({}, "{'a': 1}", INVALID),
    ({}, '{"a": 1,}', INVALID),
    ({}, "NaN", INVALID),
    ({}, '{"a": -Infinity}', INVALID),
    ({}, "1e999", INVALID),
    ({}, "9" * 5000, INVALID),
    ({}, "01", INVALID),
    ({}, "+1", INVALID),
    ({}, '{"a": 1, "a": 2}', INVALID),
    ({}, '{"x": {"a": 1, "b": 2, "a": 1}}', INVALID),
    ({}, '{"a": 1} done', INVALID),
    ({}, 'Here: {"a": 1}', INVALID),
    ({}, '{"a": 1}{"a": 1}', INVALID),
    ({}, '"line\nbreak"', INVALID),
    ({}, "\ufeff{}", INVALID),
    ({}, "\u00a0{}", INVALID),
    ({}, "", ("empty_output", "invalid_json")),
    ({}, "```json\n{}\n```", INVALID),
    ({"allow_fence": True}, "```json\n{}\n```", PASS),
    ({"allow_fence": True}, "\n```\n[1]```\n", PASS),
    ({"allow_fence": True}, "{}", PASS),
    ({"allow_fence": True}, "```JSON \r\n{}\r\n```", PASS),
    ({"allow_fence": True}, "Sure:\n```json\n{}\n```", INVALID),
    ({"allow_fence": True}, "```python\n{}\n```", INVALID),
    ({"allow_fence": True}, "```json\n{}", INVALID),
    ({"allow_fence": True}, "```", INVALID),
    ({"allow_fence": True}, "```json\n```json\n{}\n```\n```", INVALID),
    ({"allow_fence": 1}, "{}", ConfigError),
    ({"allow_fences": True}, "{}", ConfigError),
    ({"schema": {}}, "{}", ConfigError),
]


@pytest.mark.parametrize(("options", "output", "outcome"), ROWS)
def test_is_json(options: Mapping[str, Json], output: str, outcome: Outcome) -> None:
    assert_outcome("is_json", options, None, output, outcome)


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
