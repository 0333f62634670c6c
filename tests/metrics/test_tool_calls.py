"""Laws of the checks of tool calls, their damage, and what no table can show."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.errors import ConfigError
from promptyard.metrics.expected_calls import best_matching, expected_calls
from promptyard.metrics.tool_calls import MAX_CALLS
from promptyard.metrics.tool_schemas import MAX_SCHEMA_DEPTH, json_schema_of
from promptyard.records.base import Json
from promptyard.records.messages import Completion, ToolCallPart
from promptyard.records.scores import HitCounts, Score

from .grading import grade

NAMES = st.lists(st.sampled_from("abc"), max_size=6)


def _calls(*calls: tuple[str, Json]) -> Completion:
    parts = [
        ToolCallPart(id=str(n), name=name, arguments=json.dumps(arguments))
        for n, (name, arguments) in enumerate(calls)
    ]
    return Completion(text="", tool_calls=tuple(parts), finish_reason="tool_calls")


def _named(names: Sequence[str]) -> Completion:
    nothing: Json = {}
    return _calls(*((name, nothing) for name in names))


@given(NAMES, NAMES)
def test_f1_is_that_of_multisets_and_the_same_both_ways(gold: list[str], made: list[str]) -> None:
    (here,) = grade("tool_call_f1", _named(made), expected=gold)
    (there,) = grade("tool_call_f1", _named(gold), expected=made)
    hits = (Counter(gold) & Counter(made)).total()
    assert here.value == there.value == (2 * hits / (len(gold) + len(made)) if gold + made else 1)
    assert here.counts == HitCounts(n_hits=hits, n_given=len(made), n_expected=len(gold))


@given(NAMES, NAMES)
def test_each_order_of_calls_allows_what_the_stricter_one_does(
    gold: list[str], made: list[str]
) -> None:
    exact, subsequence, any_order = (
        grade("tool_sequence", _named(made), expected=gold, options={"order": order})[0].value
        for order in ("exact", "subsequence", "any")
    )
    assert exact <= subsequence <= any_order
    assert exact == float(gold == made)
    assert any_order == float(not Counter(gold) - Counter(made))


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), max_size=4))
def test_a_matching_is_the_largest_there_is(fits: list[list[bool]]) -> None:
    matched = best_matching(len(fits), 4, lambda e, g: fits[e][g])
    assert all(fits[e][g] for e, g in matched.items())
    assert len(set(matched.values())) == len(matched)
    most = max(
        sum(fits[e][g] for e, g in enumerate(order))
        for order in itertools.permutations(range(4), len(fits))
    )
    assert len(matched) == most


GOLD: Json = {
    "name": "area.of",
    "accepted_arguments": {"width": [2.5, 2], "unit": ["", "cm"], "box": [{"h": [1, 2]}]},
    "canonical_arguments": {"width": 2.5, "box": {"h": 1}},
}
TOOL: Json = {
    "name": "area.of",
    "parameters": {
        "type": "dict",
        "properties": {
            "width": {"type": "float"},
            "unit": {"type": "string"},
            "box": {"type": "dict", "properties": {"h": {"type": "integer"}}},
        },
        "required": ["width"],
    },
}
RIGHT: Mapping[str, Json] = GOLD["canonical_arguments"]


@pytest.mark.parametrize(
    ("name", "arguments", "valid", "matching"),
    [
        ("area.of", RIGHT, (), ()),
        ("area.of", {**RIGHT, "unit": "cm"}, (), ()),
        ("area.off", RIGHT, ("wrong_tool",), ("missing_tool_call",)),
        ("area.of", {"box": {"h": 1}}, ("invalid_tool_args",), ("invalid_tool_args",)),
        ("area.of", {**RIGHT, "width": "2.5"}, ("invalid_tool_args",), ("invalid_tool_args",)),
        ("area.of", {**RIGHT, "width": 3}, (), ("invalid_tool_args",)),
        ("area.of", {**RIGHT, "unit": "m"}, (), ("invalid_tool_args",)),
        ("area.of", {**RIGHT, "box": {"h": 3}}, (), ("invalid_tool_args",)),
        ("area.of", {**RIGHT, "box": {"h": 1, "w": 1}}, (), ("invalid_tool_args",)),
        ("area.of", {**RIGHT, "mood": 1}, (), ("invalid_tool_args",)),
    ],
)
@pytest.mark.parametrize("as_text", [False, True])
def test_each_damage_of_a_call_gets_its_tag(
    name: str,
    arguments: Mapping[str, Json],
    valid: tuple[str, ...],
    matching: tuple[str, ...],
    as_text: bool,
) -> None:
    answer = _calls((name, arguments))
    if as_text:
        answer = Completion(text=json.dumps({"name": name, "arguments": arguments}))
    found = grade("tool_call_valid", answer, options={"tools": [TOOL]})
    assert found[0].tags == valid
    found = grade("tool_args_match", answer, expected=GOLD)
    assert found[0].tags == matching


def test_the_reason_shows_the_argument_and_what_was_accepted() -> None:
    (score,) = grade("tool_args_match", _calls(("area.of", {**RIGHT, "width": 3})), expected=GOLD)
    assert score.reason == (
        "the call of 'area.of': the argument 'width': expected one of [2.5, 2], got 3"
    )
    assert (score.field, score.path) == ("width", "/tool_calls/0/arguments/width")


@pytest.mark.parametrize(
    "form",
    [
        {"tool_calls": [{"name": "f", "arguments": {"x": 1}}]},
        [{"name": "f", "arguments": '{"x": 1}'}],
        {"name": "f", "arguments": {"x": 1}},
        [{"type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}],
        {"name": "f", "accepted_arguments": {"x": [1, 2]}, "canonical_arguments": {"x": 1}},
        [{"f": {"x": [1, 2]}}],
    ],
)
def test_every_form_of_an_expected_call_is_understood(form: Json) -> None:
    assert grade("tool_args_match", _calls(("f", {"x": 1.0})), expected=form)[0].value == 1.0
    assert grade("tool_args_match", _calls(("f", {"x": 3})), expected=form)[0].value == 0.0


@pytest.mark.parametrize("value", [None, 7, "f", {}, {"a": 1}, [7], [""], [{"f": 1}], {"f": [1]}])
def test_what_is_no_list_of_calls_is_refused(value: Json) -> None:
    assert expected_calls(value) is None


def test_type_names_are_translated_only_where_a_schema_says_a_type() -> None:
    schema: Json = {
        "type": "dict",
        "properties": {"type": {"type": "float"}, "any": {"type": "any"}},
        "items": {"anyOf": [{"type": "tuple"}]},
        "enum": [{"type": "dict"}],
    }
    assert json_schema_of(schema) == {
        "type": "object",
        "properties": {"type": {"type": "number"}, "any": {}},
        "items": {"anyOf": [{"type": "array"}]},
        "enum": [{"type": "dict"}],
    }


def test_a_schema_that_is_too_deep_is_refused() -> None:
    deep: Json = {}
    for _ in range(MAX_SCHEMA_DEPTH + 1):
        deep = {"items": deep}
    with pytest.raises(ConfigError, match="deeper"):
        json_schema_of(deep)


@pytest.mark.no_cover  # large, so that tracing is most of it
@pytest.mark.parametrize("check", ["tool_call_f1", "tool_args_match", "tool_sequence"])
def test_calls_beyond_a_thousand_count_as_calls_of_no_tool(check: str) -> None:
    names = ["f"] * (MAX_CALLS + 500)
    text = json.dumps([{"name": name} for name in names])
    for answer in (_named(names), Completion(text=text)):
        scores: Sequence[Score] = grade(check, answer, expected=["f"] * MAX_CALLS)
        assert scores[0].tags == ("wrong_tool",)


@pytest.mark.no_cover  # large, so that tracing is most of it
def test_a_large_answer_is_graded() -> None:
    text = json.dumps([{"name": "f", "arguments": {"x": [1] * 100}}] * 20_000)
    tools: Json = [{"name": "f", "parameters": {"properties": {"x": {"type": "string"}}}}]
    scores = grade("tool_call_valid", text, options={"tools": tools})
    assert len(scores) == 50
