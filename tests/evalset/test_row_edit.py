"""Editing the text of a row: the value changes, every other character stays."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.evalset.row_edit import with_values
from promptyard.evalset.strict_json import JsonFault
from promptyard.records.base import Json

KEYS = st.sampled_from(["id", "input", "expected", "tags", "retired"])
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab,:{}"), inner),
    max_leaves=5,
)
ROWS = st.dictionaries(KEYS, VALUES)


@pytest.mark.parametrize(
    ("row", "values", "edited"),
    [
        ('{"input": "x"}', {"retired": "no"}, '{"input": "x", "retired": "no"}'),
        ('{"input":"x"}', {"retired": "no"}, '{"input":"x","retired":"no"}'),
        ('{"a":1, "b":2}', {"c": [1, 2]}, '{"a":1, "b":2, "c":[1, 2]}'),
        ('{ "a" : 1 , "b" : 2 }', {"c": 3}, '{ "a" : 1 , "b" : 2 , "c" : 3 }'),
        ('  {"a": 1.10, "b": 1e3}\t\r', {"a": 2}, '  {"a": 2, "b": 1e3}\t\r'),
        ('{"a": {"b": 1}, "b": "}"}', {"b": "{"}, '{"a": {"b": 1}, "b": "{"}'),
        ('{"a": "é"}', {"b": "ü"}, '{"a": "é", "b": "ü"}'),
        ('{"a": "\\u00e9"}', {"b": "ü"}, '{"a": "\\u00e9", "b": "\\u00fc"}'),
        ("{}", {"a": 1, "b": 2}, '{"a": 1, "b": 2}'),
        ('{"expected": null}', {"expected": "x"}, '{"expected": "x"}'),
    ],
)
def test_a_value_is_written_in_the_style_of_its_row(
    row: str, values: dict[str, Json], edited: str
) -> None:
    assert with_values(row, values) == edited


def test_a_default_is_written_only_where_there_is_nothing() -> None:
    assert with_values('{"id": 7}', {}, {"id": "x"}) == '{"id": 7}'
    assert with_values('{"id": null}', {}, {"id": "x"}) == '{"id": "x"}'
    assert with_values('{"a": 1}', {"a": 2}, {"id": "x"}) == '{"a": 2, "id": "x"}'


@pytest.mark.parametrize("row", ["", "[1]", '{"a": 1} x', '{"a": 1', '{"a": 1, "a": 2}'])
def test_what_is_no_object_is_refused(row: str) -> None:
    with pytest.raises(JsonFault):
        with_values(row, {"b": 1})


@given(row=ROWS, values=ROWS, defaults=ROWS, indent=st.sampled_from([None, 0, 2]))
def test_the_edited_text_reads_as_the_edited_object(
    row: dict[str, Json], values: dict[str, Json], defaults: dict[str, Json], indent: int | None
) -> None:
    text = json.dumps(row, indent=indent)
    missing = {key: value for key, value in defaults.items() if row.get(key) is None}
    assert json.loads(with_values(text, values, defaults)) == {**row, **missing, **values}


@given(row=ROWS, values=ROWS)
def test_writing_what_is_there_changes_nothing(
    row: dict[str, Json], values: dict[str, Json]
) -> None:
    once = with_values(json.dumps(row, ensure_ascii=False), values)
    assert with_values(once, values) == once
