from __future__ import annotations

from collections.abc import Mapping

import pytest

from promptyard.errors import ConfigError
from promptyard.records.base import Json
from promptyard.records.cases import CheckSpec

from .grading import PASS, Outcome, assert_outcome, grade

ABSENT = ("missing_required_field",)
NULL = ("wrong_type",)
EMPTY = ("constraint_violation",)
FIELD: Mapping[str, Json] = {"fields": ["a"]}

ROWS: list[tuple[Mapping[str, Json], str, Outcome]] = [
    (FIELD, '{"a": 1}', PASS),
    (FIELD, '{"a": 0}', PASS),
    (FIELD, '{"a": false}', PASS),
    (FIELD, '{"a": []}', PASS),
    (FIELD, '{"a": " "}', PASS),
    (FIELD, "{}", ABSENT),
    (FIELD, '{"A": 1}', ABSENT),
    (FIELD, '{"a": null}', NULL),
    (FIELD, '{"a": ""}', EMPTY),
    (FIELD | {"allow_null": True}, '{"a": null}', PASS),
    (FIELD | {"allow_null": True}, '{"a": ""}', EMPTY),
    (FIELD | {"allow_null": True}, "{}", ABSENT),
    (FIELD | {"allow_empty": True}, '{"a": ""}', PASS),
    (FIELD | {"allow_empty": True}, '{"a": null}', NULL),
    (FIELD, "[1]", ABSENT),
    (FIELD, '"a"', ABSENT),
    (FIELD, "a: 1", ("invalid_json",)),
    (FIELD, "", ("empty_output", "invalid_json")),
    (FIELD, '```json\n{"a": 1}\n```', ("invalid_json",)),
    (FIELD | {"allow_fence": True}, '```json\n{"a": 1}\n```', PASS),
    ({"fields": ["x.0.y"]}, '{"x": [{"y": 1}]}', PASS),
    ({"fields": ["x.1.y"]}, '{"x": [{"y": 1}]}', ABSENT),
    ({"fields": ["x.-1"]}, '{"x": [1]}', ABSENT),
    ({"fields": ["x.y"]}, '{"x.y": 1}', PASS),
    ({}, "{}", ConfigError),
    ({"fields": "a"}, "{}", ConfigError),
    ({"fields": []}, "{}", ConfigError),
    (FIELD | {"allow_nul": True}, "{}", ConfigError),
]


@pytest.mark.parametrize(("options", "output", "outcome"), ROWS)
def test_required_fields(options: Mapping[str, Json], output: str, outcome: Outcome) -> None:
    assert_outcome("required_fields", options, None, output, outcome)


def test_there_is_one_finding_for_each_field_and_they_share_the_weight() -> None:
    spec = CheckSpec(type="required_fields", weight=3.0, options={"fields": ["a", "x.0.b", "c"]})
    scores = grade(spec, '{"a": 1, "x": [{"b": null}]}')
    assert [(s.field, s.path, s.tags) for s in scores] == [
        ("x.0.b", "/x/0/b", ("wrong_type",)),
        ("c", "/c", ("missing_required_field",)),
    ]
    assert sum(score.weight for score in scores) == pytest.approx(3.0)
    assert scores[0].reason == "the field 'x.0.b' is null; expected a value"
