from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.records.base import Json, canonical_json
from promptyard.records.messages import OutputContract

from .grading import grade


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


def test_two_keys_that_are_one_when_composed_equal_nothing() -> None:
    output = '{"\u00e9": 1, "e\u0301": 2}'
    for expected in ({"\u00e9": 1}, {"\u00e9": 2}):
        (found,) = grade("equals", output, expected=expected)
        assert found.value == 0.0


@pytest.mark.parametrize("check", ["equals", "f1"])
@pytest.mark.parametrize(("expected", "output"), [("A", ""), ("A", "the"), ("?!", "...")])
def test_what_squad_drops_is_not_all_the_same(check: str, expected: str, output: str) -> None:
    options: dict[str, Json] = {"normalize": "squad"}
    assert grade(check, output, expected=expected, options=options)[0].value == 0.0
    assert grade(check, expected.lower(), expected=expected, options=options)[0].value == 1.0
