"""Tables in terminals of any width: all that they hold is there, and no word of it is broken."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from promptyard.cli.canary_views import plot_line
from promptyard.cli.draw import table
from promptyard.cli.tables import shared
from promptyard.reports.rollout import GuardRow

COLUMNS = ("rollout", "pointer", "new / old", "share", "last word")
ROWS = [
    ("v2-456c93c6", "production", "v2 / v1", "all", "No guard is worse by more than its margin."),
    ("v3-ed7ef8c0", "staging", "v3 / v2", "–", "Rolled back: score, -28.9 points of 64.6 %."),
]


def printed(width: int, rows: list[tuple[str, ...]] = ROWS) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(table("Rollouts", COLUMNS, rows, right=(3,)))
    return out.getvalue()


@pytest.mark.parametrize("width", [*range(24, 70, 5), 80, 110, 160])
def test_no_word_is_broken_and_none_is_left_out(width: int) -> None:
    text = printed(width)
    words = text.replace(":", " ").split()
    for row in ROWS:
        for cell in row:
            assert {word for word in cell.replace(":", " ").split() if word != "–"} <= set(words)
    assert max(len(line) for line in text.splitlines()) <= width


def test_a_wide_terminal_has_a_line_for_each_row() -> None:
    assert [line.split()[0] for line in printed(110).splitlines() if line.strip()][3:] == [
        "v2-456c93c6",
        "v3-ed7ef8c0",
    ]


def test_short_cells_stay_on_a_line_where_prose_is_wrapped() -> None:
    lines = printed(80).splitlines()
    assert any(line.startswith("v2-456c93c6  production  v2 / v1") for line in lines)
    assert not any("share:" in line for line in lines)


def test_a_narrow_terminal_has_the_rows_below_each_other_with_names() -> None:
    lines = [line.rstrip() for line in printed(40).splitlines()]
    assert lines[:3] == ["Rollouts", "v2-456c93c6", "  pointer: production · new / old: v2 /"]
    assert "share: –" not in printed(40)


def test_a_word_longer_than_the_terminal_is_folded_as_nothing_else_helps() -> None:
    text = printed(30, [("x" * 70, "production", "", "", "")])
    assert text.count("x") == 70


def test_what_would_steer_the_terminal_is_seen() -> None:
    assert "<U+001B>" in printed(110, [("\x1b[2J", "", "", "", "")])


def test_room_is_shared_by_what_cells_lack() -> None:
    assert shared([4, 10], [4, 50], 30) == [4, 26]
    assert shared([4, 10], [4, 12], 99) == [4, 12]
    assert shared([4, 10], [4, 12], 13) is None


@pytest.mark.parametrize("columns", [21, 33, 41])
def test_the_plot_of_a_guard_fills_its_columns(columns: int) -> None:
    row = GuardRow(
        dimension="score", name="score", status="open", difference="", bounds="", margin="",
        sentence="", low=-0.5, middle=0.3, high=1.6,
    )  # fmt: skip
    line = plot_line(row, columns, utf8=False)
    assert len(line) == columns
    assert [line.count(mark) for mark in "[o|:]"] == [1] * 5
