from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.metrics.comparison import comparison_key, same_json
from promptyard.records.base import Json, canonical_json
from promptyard.records.scores import HitCounts

from .grading import grade

SCALARS = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["a", "A", " a", 1.0])
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=5,
)


@settings(deadline=None, max_examples=300)
@given(VALUES, VALUES, st.sampled_from(["none", "strip", "casefold", "squad"]))
def test_two_values_have_one_key_exactly_when_they_are_the_same(
    one: Json, other: Json, how: str
) -> None:
    keys = [comparison_key(value, how) for value in (one, other)]  # pyright: ignore[reportArgumentType] - sampled from its words
    assert (keys[0] == keys[1]) == same_json(one, other, how)  # pyright: ignore[reportArgumentType] - as above


@pytest.mark.parametrize(
    ("output", "counts"),
    [
        ('{"slots": {"city": "Rome", "time": "noon"}}', (1, 2, 3)),
        ('{"slots": {"city": "Rome", "time": "night", "who": "me"}}', (3, 3, 3)),
        ('{"slots": {}}', (0, 0, 3)),
        ('{"slots": ["Rome"]}', (0, 0, 3)),
        ("{}", (0, 0, 3)),
        ("no JSON", (0, 0, 3)),
        ("", (0, 0, 3)),
    ],
)
def test_hits_are_counted_whatever_the_answer(output: str, counts: tuple[int, int, int]) -> None:
    expected = {"slots": {"city": "Rome", "time": "night", "who": "me"}}
    (score,) = grade("field_set", output, expected=expected, options={"field": "slots"})
    n_hits, n_given, n_expected = counts
    assert score.counts == HitCounts(n_hits=n_hits, n_given=n_given, n_expected=n_expected)
    assert score.value == pytest.approx(2 * n_hits / (n_given + n_expected))


def test_a_reason_names_what_is_missing_and_what_is_too_much() -> None:
    (score,) = grade(
        "field_set",
        '{"a": {"x": 1, "y": 2}}',
        expected={"a": {"x": 1, "z": "3"}},
        options={"field": "a"},
    )
    assert score.reason == 'the field \'a\' lacks "z": "3" and has unexpected "y": 2'
    (many,) = grade("field_set", "[]", expected=list(range(9)))
    assert many.reason == "the output lacks 0, 1, 2 and 6 more"


@settings(deadline=None)
@given(st.lists(st.sampled_from("abc"), max_size=5), st.lists(st.sampled_from("abc"), max_size=5))
def test_f1_is_symmetric_and_the_modes_agree_with_it(given_: list[str], gold: list[str]) -> None:
    def value(output: list[str], expected: list[str], mode: str) -> float:
        (score,) = grade(
            "field_set", canonical_json(output), expected=expected, options={"mode": mode}
        )
        return score.value

    f1 = value(given_, gold, "f1")
    assert f1 == value(gold, given_, "f1")
    assert (f1 == 1.0) == (sorted(given_) == sorted(gold)) == (value(given_, gold, "exact") == 1.0)
    both = value(given_, gold, "subset") + value(given_, gold, "superset")
    assert (both == 2.0) == (f1 == 1.0)
    assert value(given_, gold, "subset") == value(gold, given_, "superset")


def test_an_inverted_check_counts_no_hits() -> None:
    (score,) = grade("not:field_set", "[1]", expected=[1])
    assert (score.value, score.counts) == (0.0, None)
