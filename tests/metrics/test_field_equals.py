from __future__ import annotations

from collections.abc import Mapping

import pytest

from promptyard.errors import ConfigError, MetricError
from promptyard.records.base import Json

from .grading import PASS, Outcome, assert_outcome, grade

WRONG = ("wrong_value",)
FIELD: Mapping[str, Json] = {"field": "a"}

ROWS: list[tuple[Mapping[str, Json], Json, str, Outcome]] = [
    (FIELD, {"a": "x"}, '{"a": "x", "b": 1}', PASS),
    (FIELD, {"a": "x"}, '{"a": " x "}', PASS),
    (FIELD, {"a": "x"}, '{"a": "X"}', WRONG),
    (FIELD | {"normalize": "casefold"}, {"a": "x"}, '{"a": "X"}', PASS),
    (FIELD | {"normalize": "none"}, {"a": "x"}, '{"a": "x "}', WRONG),
    (FIELD, {"a": 1}, '{"a": 1.0}', PASS),
    (FIELD, {"a": 1}, '{"a": "1"}', WRONG),
    (FIELD, {"a": 1}, '{"a": true}', WRONG),
    (FIELD, {"a": None}, '{"a": null}', PASS),
    (FIELD, {"a": None}, '{"a": ""}', WRONG),
    (FIELD, {"a": None}, "{}", ("missing_required_field", "wrong_value")),
    (FIELD, {"a": ["x", "y"]}, '{"a": ["x", "y"]}', PASS),
    (FIELD, {"a": ["x", "y"]}, '{"a": ["y", "x"]}', WRONG),
    (FIELD, {"a": {"any_of": ["x", "y"]}}, '{"a": "y"}', PASS),
    (FIELD, {"a": {"any_of": ["x", "y"]}}, '{"a": "z"}', WRONG),
    (FIELD, {"a": {"any_of": ["x"], "b": 1}}, '{"a": "x"}', WRONG),
    (FIELD, {"a": "x"}, "x", ("invalid_json",)),
    (FIELD, {"a": "x"}, '{"a": "x"} ok', ("invalid_json",)),
    (FIELD, {"a": "x"}, "", ("empty_output", "invalid_json")),
    (FIELD, {"a": "x"}, '"x"', ("missing_required_field", "wrong_value")),
    (FIELD | {"allow_fence": True}, {"a": "x"}, '```json\n{"a": "x"}\n```', PASS),
    ({"field": "a.b.0"}, {"a": {"b": [1]}}, '{"a": {"b": [1, 2]}}', PASS),
    ({"field": "a.b"}, {"a.b": 1}, '{"a": {"b": 1}}', PASS),
    (FIELD | {"value": "x"}, None, '{"a": "x"}', PASS),
    (FIELD | {"value": "x"}, {"a": "y"}, '{"a": "y"}', WRONG),
    (FIELD | {"value": None}, None, '{"a": null}', PASS),
    (FIELD, None, '{"a": "x"}', MetricError),
    (FIELD, {"b": "x"}, '{"a": "x"}', MetricError),
    (FIELD, {"b": "x"}, "not JSON", MetricError),
    (FIELD, "x", '{"a": "x"}', MetricError),
    (FIELD, {"a": {"any_of": []}}, '{"a": "x"}', MetricError),
    (FIELD | {"value": {"any_of": []}}, None, '{"a": "x"}', ConfigError),
    ({}, {"a": "x"}, '{"a": "x"}', ConfigError),
    ({"field": 1}, {"a": "x"}, '{"a": "x"}', ConfigError),
    ({"field": "a", "normalise": "none"}, {"a": "x"}, '{"a": "x"}', ConfigError),
]


@pytest.mark.parametrize(("options", "expected", "output", "outcome"), ROWS)
def test_field_equals(
    options: Mapping[str, Json], expected: Json, output: str, outcome: Outcome
) -> None:
    assert_outcome("field_equals", options, expected, output, outcome)


def test_the_finding_names_the_field_and_both_values() -> None:
    (score,) = grade(
        "field_equals",
        '{"a/b": {"c": "got"}}',
        expected={"a/b": {"c": "gold"}},
        options={"field": "a/b.c"},
    )
    assert (score.field, score.path, score.label) == ("a/b.c", "/a~1b/c", "got")
    assert score.reason == 'the field \'a/b.c\': expected "gold", got "got"'
    assert (score.severity, score.dimension) == ("soft", "accuracy")


def test_an_answer_that_is_no_json_is_not_filed_under_the_field() -> None:
    (score,) = grade("field_equals", "x", expected={"a": "x"}, options=FIELD)
    assert score.field is None
