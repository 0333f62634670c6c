from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.errors import ConfigError, MetricError
from promptyard.records.base import Json, canonical_json
from promptyard.records.messages import OutputContract

from .grading import PASS, Outcome, assert_outcome, grade

WRONG = ("wrong_value",)

ROWS: list[tuple[Mapping[str, Json], Json, str, Outcome]] = [
    # text
    ({}, "open", "open", PASS),
    ({}, "open", " open\n", PASS),
    ({}, "open", "Open", WRONG),
    ({}, "open", '"open"', WRONG),
    ({}, "caf\u00e9", "cafe\u0301", PASS),
    ({}, "1,5", "1,5", PASS),
    ({"normalize": "none"}, "open", "open\n", WRONG),
    ({"normalize": "none"}, "caf\u00e9", "cafe\u0301", PASS),
    ({"normalize": "casefold"}, "Straße", "STRASSE", PASS),
    ({"normalize": "squad"}, "The cat, sat.", "cat sat", PASS),
    ({"normalize": "squad"}, "cat", "dog", WRONG),
    ({}, "", "  ", PASS),
    ({}, "open", "", ("empty_output", "wrong_value")),
    # JSON
    ({}, {"a": 1, "b": [1, 2]}, '{"b": [1, 2], "a": 1.0}', PASS),
    ({}, '{"a": 1}', '{ "a" : 1 }', PASS),
    ({}, {"a": [1, 2]}, '{"a": [2, 1]}', WRONG),
    ({}, {"a": True}, '{"a": 1}', WRONG),
    ({}, {"a": None}, "{}", WRONG),
    ({}, {"a": "1"}, '{"a": 1}', WRONG),
    ({}, {"a": " x"}, '{"a": "x"}', PASS),
    ({"normalize": "none"}, {"a": " x"}, '{"a": "x"}', WRONG),
    ({}, {"a": 1}, "no JSON", ("invalid_json", "wrong_value")),
    ({}, {"a": 1}, "", ("empty_output", "invalid_json", "wrong_value")),
    ({}, {"a": 1}, '{"a": 1, "a": 1}', ("invalid_json", "wrong_value")),
    ({}, 5, "5.0", PASS),
    ({}, "5", "5.0", PASS),
    ({}, 5, "five", WRONG),
    ({}, True, "true", PASS),
    ({}, True, "1", WRONG),
    ({"normalize": "casefold"}, True, "True", PASS),
    # alternatives
    ({}, ["a", "b"], '["a", "b"]', PASS),
    ({}, ["a", "b"], "a", ("invalid_json", "wrong_value")),
    ({"any_of": True}, ["a", "b"], "b", PASS),
    ({"any_of": True}, ["a", "b"], "c", WRONG),
    ({}, {"any_of": ["a", "b"]}, "b", PASS),
    ({}, {"any_of": ["a", {"x": 1}]}, '{"x": 1}', PASS),
    # the option value
    ({"value": "yes"}, None, "yes", PASS),
    ({"value": "yes"}, "no", "no", WRONG),
    ({"value": None}, None, "null", PASS),
    # what cannot be graded
    ({}, None, "open", MetricError),
    ({}, {"any_of": []}, "open", MetricError),
    ({"any_of": True}, "open", "open", MetricError),
    ({"any_of": True, "value": "open"}, None, "open", ConfigError),
    ({"normalize": "lower"}, "open", "open", ConfigError),
    ({"any_of": "yes"}, "open", "open", ConfigError),
    ({"vlaue": "open"}, None, "open", ConfigError),
]


@pytest.mark.parametrize(("options", "expected", "output", "outcome"), ROWS)
def test_equals(options: Mapping[str, Json], expected: Json, output: str, outcome: Outcome) -> None:
    assert_outcome("equals", options, expected, output, outcome)


def test_a_reason_says_what_was_expected_and_what_came() -> None:
    (score,) = grade("equals", "closed\nnow", expected="open")
    assert score.reason == 'expected "open", got "closed\\nnow"'


def test_a_reason_is_short_however_long_the_texts_are() -> None:
    (score,) = grade("equals", "x" * 10_000, expected="y" * 10_000)
    assert len(score.reason) < 250
    assert "xxx" in score.reason


@pytest.mark.parametrize(
    ("options", "expected", "output", "label"),
    [
        ({}, "open", " open ", "open"),
        ({}, "open", " closed ", "closed"),
        ({}, 3, "4", "4"),
        ({}, True, "false", "false"),
        ({"normalize": "none"}, "open", "open ", "open "),
        ({"normalize": "casefold"}, "Open", "OPEN", "Open"),
        ({"normalize": "casefold"}, "Open", "CLOSED", "Closed"),
        ({"any_of": True}, ["open", "new"], "new", "new"),
        ({}, {"a": 1}, '{"a": 2}', None),
        ({"value": "open"}, "closed", "open", None),
        ({"value": "open"}, "closed", "closed", None),
    ],
)
def test_the_label_is_the_answer(
    options: Mapping[str, Json], expected: Json, output: str, label: str | None
) -> None:
    contract = OutputContract(format="label", labels=("Open", "Closed"))
    if "normalize" not in options:
        contract = OutputContract()
    (score,) = grade("equals", output, expected=expected, options=options, contract=contract)
    assert score.label == label


def test_a_rambling_answer_is_cut_to_a_label() -> None:
    (score,) = grade("equals", "word " * 1000, expected="open")
    assert score.label is not None
    assert len(score.label) <= 81


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(JSON_VALUES)
def test_every_value_equals_its_own_json(value: Json) -> None:
    contained = {"value": value}
    (score,) = grade("equals", canonical_json(contained), expected=contained)
    assert score.value == 1.0


@settings(deadline=None)
@given(st.text(), st.sampled_from(["none", "strip", "casefold", "squad"]))
def test_every_text_equals_itself(text: str, normalize: str) -> None:
    (score,) = grade("equals", text, expected=text, options={"normalize": normalize})
    assert score.value == 1.0


@settings(deadline=None)
@given(st.text(max_size=8), st.text(max_size=8), st.sampled_from(["none", "strip", "casefold"]))
def test_the_label_agrees_with_the_expectation_exactly_when_the_answer_passes(
    expected: str, output: str, normalize: str
) -> None:
    (score,) = grade("equals", output, expected=expected, options={"normalize": normalize})
    assert (score.label == expected) == (score.value == 1.0)
