from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.errors import CheckSkipped
from promptyard.metrics.json_text import json_within
from promptyard.records.base import Json
from promptyard.records.cases import CheckSpec

from .grading import grade

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6).filter(str.isprintable),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab[{", max_size=2), inner),
    max_leaves=6,
)
CONTAINERS = st.lists(VALUES, max_size=3) | st.dictionaries(st.text("xy}", max_size=2), VALUES)
PROSE = st.text(alphabet="abc ,.:!\n", max_size=10)


@settings(deadline=None)
@given(st.lists(st.tuples(PROSE, CONTAINERS), max_size=4), PROSE)
def test_values_are_found_in_their_order_whatever_stands_between(
    parts: list[tuple[str, Json]], end: str
) -> None:
    text = "".join(prose + json.dumps(value) for prose, value in parts) + end
    assert list(json_within(text)) == [value for _, value in parts]


@settings(deadline=None)
@given(CONTAINERS, st.data())
def test_a_truncated_value_holds_none(value: Json, data: st.DataObject) -> None:
    text = json.dumps(value)
    cut = data.draw(st.integers(0, len(text) - 1))
    assert list(json_within(text[:cut])) == []


def test_values_that_are_too_deep_or_have_too_long_numbers_are_none() -> None:
    deep = "[" * 5000 + "{}" + "]" * 5000
    long = "[" + "9" * 5000 + ', {"a": 1}]'
    assert list(json_within(f"{deep} {long} [2]")) == [[2]]


@pytest.mark.no_cover  # its time is measured
@pytest.mark.parametrize(
    "part", ["[", '["', '{"a":', "[x", "{", "[1 ", "[]", '{"a": "', "\\", "\n["]
)
def test_hostile_texts_are_read_or_skipped_in_reasonable_time(part: str) -> None:
    started = time.process_time()
    kind = "too_large"
    try:
        grade("contains_json", (part * 1_000_000)[:1_000_000])
    except CheckSkipped as error:
        kind = error.kind
    assert kind == "too_large"
    assert time.process_time() - started < 20


def test_a_text_that_is_too_long_is_skipped() -> None:
    with pytest.raises(CheckSkipped, match="1,000,001 characters are too many") as raised:
        grade("contains_json", " " * 1_000_001)
    assert raised.value.kind == "too_large"


def test_findings_of_the_schema_carry_what_the_user_set() -> None:
    spec = CheckSpec(
        type="contains_json",
        id="ticket",
        tag="bad_ticket",
        severity="soft",
        weight=3.0,
        options={"schema": {"required": ["a", "b"]}},
    )
    scores = grade(spec, 'So: {"c": 1} or {"a": 1}')
    assert [(s.metric, s.path, s.tags, s.severity) for s in scores] == [
        ("ticket", "/b", ("bad_ticket",), "soft")
    ]
    assert sum(score.weight for score in scores) == pytest.approx(3.0)
