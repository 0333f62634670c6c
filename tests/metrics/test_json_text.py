from __future__ import annotations

import json
import math
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.metrics.comparison import caseless, normalized, same_json
from promptyard.metrics.json_text import (
    ABSENT,
    MAX_DEPTH,
    InvalidJson,
    LastParsed,
    PathPart,
    clean,
    field_name,
    find,
    lookup,
    parse_json,
    path_parts,
    pointer,
    shorten,
)
from promptyard.records.base import Json


@pytest.mark.parametrize(
    ("dotted", "found"),
    [
        ("a", {"b": [10, None]}),
        ("a.b.0", 10),
        ("a.b.1", None),
        ("a.b.2", ABSENT),
        ("a.b.-1", ABSENT),
        ("a.b.x", ABSENT),
        ("a.b.0.c", ABSENT),
        ("x.y", "dotted"),
        ("", ABSENT),
    ],
)
def test_lookup_by_dotted_path(dotted: str, found: Json) -> None:
    value: Json = {"a": {"b": [10, None]}, "x.y": "dotted"}
    assert lookup(value, path_parts(value, dotted)) == found


@pytest.mark.parametrize(
    ("parts", "written", "field"),
    [
        ((), "", None),
        (("a", 0, "b"), "/a/0/b", "a.b"),
        (("a/b", "c~d"), "/a~1b/c~0d", "a/b.c~d"),
        ((0,), "/0", None),
        (("\ud800",), "/\\ud800", "\\ud800"),
    ],
)
def test_paths_are_written_as_pointer_and_as_field(
    parts: tuple[PathPart, ...], written: str, field: str | None
) -> None:
    assert pointer(parts) == written
    assert field_name(parts) == field


def test_an_unpaired_surrogate_becomes_its_escape() -> None:
    assert parse_json('{"a\\ud800": "\\udfff"}') == {"a\\ud800": "\\udfff"}
    assert parse_json('["\\ud800", 1]') == ["\\ud800", 1]
    assert clean("a\ud800") == "a\\ud800"


def test_a_written_pair_of_surrogates_stays_one_character() -> None:
    assert parse_json('"\\ud83d\\ude00"') == "\U0001f600"


def test_depth_is_counted_outside_of_texts_only() -> None:
    within = "[" * MAX_DEPTH + '"[[[ \\" {{{"' + "]" * MAX_DEPTH
    assert isinstance(parse_json(within), list)
    flat = "[" + ",".join(["[]"] * 1000) + "]"
    assert isinstance(parse_json(flat), list)
    with pytest.raises(InvalidJson, match="nested deeper"):
        parse_json("[" + within + "]")


def test_the_deepest_permitted_values_can_be_compared_and_shown() -> None:
    deep = '{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH
    assert same_json(parse_json(deep), parse_json(deep), "strip")
    assert len(shorten(parse_json(deep))) < 90


@settings(deadline=None)
@given(st.text())
def test_parsing_a_text_gives_a_value_or_says_why_not(text: str) -> None:
    try:
        parse_json(text, allow_fence=True)
    except InvalidJson as error:
        reason = str(error)
    else:
        reason = "parsed"
    assert reason


def as_the_standard_library_reads(text: str) -> Json:
    """Parse with the one parser that says of every key, number and constant what it saw."""

    def unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        if len(dict(pairs)) < len(pairs):
            raise InvalidJson("twice")
        return dict(pairs)

    def finite(digits: str) -> float:
        if math.isinf(float(digits)):
            raise InvalidJson("out of range")
        return float(digits)

    def refuse(name: str) -> Json:
        raise InvalidJson(name)

    return json.loads(text, object_pairs_hook=unique, parse_constant=refuse, parse_float=finite)


TEXTS = ['"a"', '"b:"', '"\\":"', '"\\u003a"', '"Infinity"', "é", "\x01", '"', '"' + "\ud800" + '"']
NUMBERS = ["1", "-0.0", "1e400", "1E5", "01", "9" * 25, "NaN"]
SIGNS = ["null", "true", "{", "}", "[", "]", ":", ",", " ", "\n", "{}", "[]"]
OBJECTS = ['{"a":1,"b":2}', '{"a":1,"a":2}', '{"a" : 1,"b":1,"b":2}', '{"a":":","a":1}']
PIECES = st.sampled_from([*TEXTS, *NUMBERS, *SIGNS, *OBJECTS])


@settings(deadline=None, max_examples=600)
@given(st.lists(PIECES, max_size=9).map("".join))
def test_the_quick_parser_takes_and_gives_what_the_strict_one_does(text: str) -> None:
    try:
        expected = as_the_standard_library_reads(text)
    except ValueError:
        with pytest.raises(InvalidJson):
            parse_json(text)
        return
    if not re.search("[\ud800-\udfff]", text):
        assert repr(parse_json(text)) == repr(expected)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 1}',
        '{"a" : 1, "b": 1, "b": 2}',
        '[{"x": {"k": ":", "k": ""}}]',
        '{"a": "\\u003a", "b": 1, "b": 2}',
    ],
)
def test_a_key_that_stands_twice_is_found_whatever_stands_around_it(text: str) -> None:
    with pytest.raises(InvalidJson, match="occurs twice"):
        parse_json(text)


@pytest.mark.parametrize("inner", ["[]", "{}", "1", '""'])
@pytest.mark.parametrize(("left", "right"), [("[", "]"), ('{"a":', "}")])
def test_every_kind_of_nesting_has_the_same_limit(left: str, right: str, inner: str) -> None:
    levels = MAX_DEPTH - (inner in ("[]", "{}"))
    assert parse_json(left * levels + inner + right * levels)
    with pytest.raises(InvalidJson, match="nested deeper"):
        parse_json(left * (levels + 1) + inner + right * (levels + 1))


def test_several_looks_into_one_answer_parse_it_once() -> None:
    answers = LastParsed()
    text, other = '{"a": [1]}', '{"b": 2}'
    first = answers.parse(text, allow_fence=False)
    assert answers.parse(text, allow_fence=False) is first
    assert answers.parse(text, allow_fence=True) is not first
    assert answers.parse(other, allow_fence=False) == {"b": 2}
    with pytest.raises(InvalidJson):
        answers.parse("{", allow_fence=False)
    assert answers.parse(other, allow_fence=False) == {"b": 2}


@pytest.mark.parametrize("dotted", ["a", "a.b", "a.b.0", "x.y", "x", "a.c", ""])
def test_finding_is_looking_up_by_path(dotted: str) -> None:
    for value in ({"a": {"b": [10]}, "x.y": "dotted"}, ["a"], "a", None):
        assert find(value, dotted) is lookup(value, path_parts(value, dotted))


@settings(deadline=None)
@given(st.text(), st.integers(min_value=10, max_value=200))
def test_what_is_shown_is_short_and_on_one_line(text: str, limit: int) -> None:
    shown = shorten(text, limit)
    assert len(shown) <= limit + 2
    assert "\n" not in shown


@settings(deadline=None)
@given(st.text(), st.sampled_from(["none", "strip", "casefold", "squad"]))
def test_normalizing_twice_changes_nothing_more(text: str, how: str) -> None:
    once = normalized(text, how)  # pyright: ignore[reportArgumentType] - sampled from its words
    assert normalized(once, how) == once  # pyright: ignore[reportArgumentType] - as above


@settings(deadline=None)
@given(st.text())
def test_caseless_texts_do_not_depend_on_case(text: str) -> None:
    assert caseless(text.upper().lower()) == caseless(text.upper())


def test_a_flood_of_combining_marks_is_compared_quickly() -> None:
    flood = "e" + "\u0300\u0327" * 100_000
    started = time.process_time()
    assert normalized(flood, "casefold") == normalized(flood, "casefold")
    assert time.process_time() - started < 2
    assert normalized("e\u0301" * 5000, "none") == "\u00e9" * 5000
