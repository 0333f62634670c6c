from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.metrics.comparison import caseless, normalized, same_json
from promptyard.metrics.json_text import (
    ABSENT,
    MAX_DEPTH,
    InvalidJson,
    PathPart,
    clean,
    field_name,
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
    started = time.monotonic()
    assert normalized(flood, "casefold") == normalized(flood, "casefold")
    assert time.monotonic() - started < 2
    assert normalized("e\u0301" * 5000, "none") == "\u00e9" * 5000
