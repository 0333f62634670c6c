from __future__ import annotations

import datetime
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.evalset.strict_json import MAX_DEPTH, JsonFault, find_fault, parse_json
from promptyard.records.base import Json

VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


def nested(depth: int) -> Json:
    value: Json = 1
    for _ in range(depth):
        value = [value]
    return value


@given(VALUES)
def test_a_value_without_fault_can_be_written_and_read_back(value: Json) -> None:
    if find_fault(value) is None:
        written = json.dumps(value, allow_nan=False, ensure_ascii=False)
        assert written.encode("utf-8")
        assert parse_json(written) == value


@given(value=VALUES, fault=st.sampled_from([math.nan, math.inf, -math.inf, "\udc80", b"x", {1}]))
def test_a_fault_is_found_wherever_it_hides(value: Json, fault: Json) -> None:
    assert find_fault({"a": value, "z": [0, {"y": fault}]}) is not None


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [
        ({"a": [0, {"b": math.nan}]}, "a[1].b", "non-finite number"),
        ({"a": "x\ud800"}, "a", "unpaired surrogate"),
        ({"a": {"\ud800": 1}}, "a", "unpaired surrogate"),
        ({"a": {1: 2}}, "a", "the key 1 is not text"),
        ({"when": datetime.date(2024, 1, 1)}, "when", "date is not JSON data"),
        ({"a": ({"b": object()},)}, "a[0].b", "object is not JSON data"),
    ],
)
def test_a_fault_says_where_and_why(value: Json, path: str, reason: str) -> None:
    fault = find_fault(value)
    assert fault is not None
    assert fault.path == path
    assert reason in fault.reason


def test_the_first_of_several_faults_is_named() -> None:
    fault = find_fault({"a": 1, "b": math.nan, "c": math.nan})
    assert fault is not None
    assert fault.path == "b"


def test_nesting_has_a_limit_that_does_not_depend_on_the_interpreter() -> None:
    assert find_fault(nested(MAX_DEPTH)) is None
    fault = find_fault(nested(MAX_DEPTH + 1))
    assert fault is not None
    assert "nested deeper than 100 levels" in fault.reason
    with pytest.raises(JsonFault, match="nested deeper"):
        parse_json("[" * 100_000)


def test_a_list_that_holds_itself_is_refused() -> None:
    loop: list[Json] = []
    loop.append(loop)
    assert find_fault({"a": loop}) is not None
