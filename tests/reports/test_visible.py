from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.reports.visible import one_line, visible

ANY_TEXT = st.text(st.characters(codec=None), max_size=60)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "<U+001B>[31mred"),
        ("pay \u202eeert", "pay <U+202E>eert"),
        ("a\u200bb", "a<U+200B>b"),
        ("half \ud800", "half <U+D800>"),
        ("\x00", "<U+0000>"),
        ("a\rb", "a<U+000D>b"),
    ],
)
def test_what_hides_in_a_text_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "two\nlines\tand a tab",
        "caf\u00e9",
        "\U0001f468\u200d\U0001f4bb",
        "\u0645\u06cc\u200c\u062e",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_line_ends_of_windows_files_are_line_ends() -> None:
    assert visible("a\r\nb\r\n") == "a\nb\n"


@given(ANY_TEXT)
def test_any_text_becomes_one_that_a_file_can_hold(text: str) -> None:
    shown = visible(text)
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert visible(shown) == shown


@given(ANY_TEXT, st.integers(1, 30))
def test_a_shortened_text_is_one_line_of_at_most_the_length_asked(text: str, size: int) -> None:
    short = one_line(text, size)
    folded = " ".join(text.split())
    assert len(short) <= size
    assert short == folded or (short.endswith("…") and folded.startswith(short[:-1]))
