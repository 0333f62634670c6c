from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from promptyard.errors import ConfigError, MetricError
from promptyard.records.base import Json
from promptyard.records.cases import CheckSpec

from .grading import Outcome, assert_outcome, grade

TICKET: Mapping[str, Json] = {
    "type": "object",
    "required": ["status"],
    "additionalProperties": False,
    "properties": {
        "status": {"type": "string", "enum": ["open", "pending", "closed"]},
        "version": {"const": 2},
        "priority": {"type": "integer", "minimum": 1, "maximum": 5},
        "code": {"type": "string", "pattern": "^[A-Z]+$", "maxLength": 4},
        "opened": {"type": "string", "format": "date"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "owner": {"oneOf": [{"type": "string"}, {"type": "object", "required": ["name"]}]},
        "tags": {"type": "array", "uniqueItems": True, "items": {"type": "string"}},
        "quotes": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["text"],
                "additionalProperties": False,
                "properties": {"text": {"$ref": "#/$defs/text"}},
            },
        },
        "secret": False,
    },
    "dependentRequired": {"code": ["opened"]},
    "$defs": {"text": {"type": "string", "minLength": 2}},
}

MISSING, ENUM, TYPE = ("missing_required_field",), ("invalid_enum",), ("wrong_type",)
EXTRA, CONSTRAINT = ("extra_field",), ("constraint_violation",)


@pytest.mark.parametrize(
    ("output", "outcome"),
    [
        ('{"status": "\\ud800"}', ENUM),
        ('{"status": "open", "priority": ' + "1" * 400 + "}", CONSTRAINT),
        ("[" * 200 + "]" * 200, TYPE),
    ],
)
def test_unusual_values_are_validated(output: str, outcome: Outcome) -> None:
    assert_outcome("json_schema", {"schema": TICKET}, None, output, outcome)


@pytest.mark.parametrize("options", [{}, {"schema": {"minimum": float("nan")}}])
def test_no_schema_or_one_that_json_cannot_say_is_an_error_at_once(
    options: Mapping[str, Json],
) -> None:
    assert_outcome("json_schema", options, None, "{}", ConfigError)


def test_there_is_one_finding_for_each_path() -> None:
    output = {"priority": 9, "mood": 1, "quotes": [{"text": "ok"}, {"text": "x", "by": 1}, 7]}
    spec = CheckSpec(type="json_schema", weight=2.0, options={"schema": TICKET})
    scores = grade(spec, json.dumps(output))
    found = {(score.path, score.field, score.tags) for score in scores}
    assert found == {
        ("/status", "status", MISSING),
        ("/priority", "priority", CONSTRAINT),
        ("/mood", "mood", EXTRA),
        ("/quotes/1/text", "quotes.text", CONSTRAINT),
        ("/quotes/1/by", "quotes.by", EXTRA),
        ("/quotes/2", "quotes", TYPE),
    }
    assert sum(score.weight for score in scores) == pytest.approx(2.0)
    assert {score.severity for score in scores} == {"hard"}
    assert {score.dimension for score in scores} == {"validity"}


def test_two_violations_at_one_path_are_one_finding_that_names_both() -> None:
    (score,) = grade("json_schema", '{"status": 7}', options={"schema": TICKET})
    assert score.reason == (
        "the field 'status' must be of type string and must be one of "
        '["open", "pending", "closed"]; got 7'
    )


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("{}", "the field 'status' is missing"),
        ("[]", "the output must be of type object; got []"),
        (
            '{"status": "open", "note": 5}',
            "the field 'note' must be of type string or must be of type null; got 5",
        ),
        ('{"status": "open", "mood": 1}', "the field 'mood' is not in the schema; got 1"),
        (
            '{"status": "open", "priority": 0}',
            "the field 'priority' is less than the minimum of 1; got 0",
        ),
        (
            '{"status": "open", "quotes": [{"text": "x"}]}',
            "the field 'quotes.0.text' is shorter than 2 characters; got \"x\"",
        ),
    ],
)
def test_a_reason_reads_as_a_sentence(output: str, reason: str) -> None:
    (score,) = grade("json_schema", output, options={"schema": TICKET})
    assert score.reason == reason


def test_a_fitting_branch_of_any_of_is_reported_by_what_is_wrong_in_it() -> None:
    schema: Json = {
        "anyOf": [
            {"type": "string"},
            {"type": "object", "required": ["a"], "properties": {"a": {"enum": [1]}}},
        ]
    }
    (score,) = grade("json_schema", '{"a": 2}', options={"schema": schema})
    assert (score.path, score.tags) == ("/a", ENUM)


def test_the_branch_of_the_right_type_is_reported_before_the_others() -> None:
    schema: Json = {"anyOf": [{"type": "null"}, {"type": "string", "enum": ["open", "closed"]}]}
    (score,) = grade("json_schema", '"VIP"', options={"schema": schema})
    assert score.tags == ENUM


@pytest.mark.parametrize(
    ("schema", "output", "path", "tags", "reason"),
    [
        (
            {"prefixItems": [True], "unevaluatedItems": False},
            "[1, 2]",
            "",
            CONSTRAINT,
            "breaks 'unevaluatedItems': Unevaluated items are not allowed (1 item)",
        ),
        (
            {"prefixItems": [True], "items": False},
            "[1, 2]",
            "/1",
            CONSTRAINT,
            "breaks 'falseSchema': False schema does not allow it",
        ),
        (
            {"properties": {"a": True}, "unevaluatedProperties": False},
            '{"b": 1}',
            "/b",
            EXTRA,
            "is not in the schema",
        ),
        (
            {"propertyNames": {"pattern": "^a"}},
            '{"b": 1}',
            "",
            CONSTRAINT,
            'breaks \'propertyNames\': "b" does not match "^a"',
        ),
        (
            {"not": {"type": "string"}},
            '"x"',
            "",
            CONSTRAINT,
            'breaks \'not\': {"type":"string"} is not allowed for it',
        ),
        (
            {"if": {"type": "object"}, "then": {"required": ["z"]}},
            "{}",
            "/z",
            MISSING,
            "is missing",
        ),
        ({"minItems": 2}, "[1]", "", CONSTRAINT, "has less than 2 items"),
        (
            {"contains": {"type": "string"}},
            "[1]",
            "",
            CONSTRAINT,
            "breaks 'contains': None of it are valid under the given schema",
        ),
    ],
)
def test_rarer_keywords(
    schema: Json, output: str, path: str, tags: tuple[str, ...], reason: str
) -> None:
    (score,) = grade("json_schema", output, options={"schema": schema})
    assert (score.path, score.tags) == (path, tags)
    assert reason in score.reason


def test_a_value_that_fits_two_branches_of_one_of_breaks_a_constraint() -> None:
    schema: Json = {"oneOf": [{"type": "integer"}, {"minimum": 0}]}
    (score,) = grade("json_schema", "5", options={"schema": schema})
    assert score.tags == CONSTRAINT


def test_a_flood_of_violations_is_cut_and_counted() -> None:
    schema: Json = {"items": {"type": "string"}}
    scores = grade("json_schema", json.dumps(list(range(200))), options={"schema": schema})
    assert len(scores) == 50
    assert scores[-1].reason.endswith("(and 150 more paths)")


def test_a_pattern_that_explodes_leaves_the_case_unscored() -> None:
    schema: Json = {"pattern": "^(a|a)+(?=b)$"}
    with pytest.raises(MetricError, match="make the pattern simpler"):
        grade("json_schema", json.dumps("a" * 40), options={"schema": schema})


def test_a_tag_of_the_user_names_every_finding_of_the_schema() -> None:
    spec = CheckSpec(type="json_schema", tag="bad_ticket", options={"schema": TICKET})
    assert {score.tags for score in grade(spec, '{"mood": 1}')} == {("bad_ticket",)}
    assert grade(spec, "no")[0].tags == ("invalid_json",)
