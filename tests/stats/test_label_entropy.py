"""GlobalE equals values that are worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.stats.label_entropy import global_entropy


def test_global_entropy_equals_the_closed_form() -> None:
    assert global_entropy(["a", "a", "b", "c"]) == pytest.approx(
        0.5 * math.log(2) + 0.5 * math.log(4)
    )
    assert global_entropy(["a", "b"]) == pytest.approx(math.log(2))
    assert global_entropy(["a"] * 5) == 0.0


def test_nothing_measured_is_no_entropy_of_zero() -> None:
    assert global_entropy([]) is None


@given(st.lists(st.sampled_from("abcd"), min_size=1))
def test_global_entropy_lies_between_nothing_and_all_equally_frequent(answers: list[str]) -> None:
    value = global_entropy(answers)
    assert value is not None
    assert -1e-12 <= value <= math.log(len(set(answers))) + 1e-9
