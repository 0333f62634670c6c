"""A row of numbers as a row of bars."""

from __future__ import annotations

import io
import sys

import pytest

from promptyard.cli.spark import spark


@pytest.fixture(autouse=True)
def _utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "utf-8"))


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([], ""),
        ([0.5], ""),
        ([None, 0.5, None], ""),
        ([0.0, 1.0], "▁█"),
        ([1, 1, 1], "▅▅▅"),
        ([0.0, None, 0.5, 1.0], "▁ ▅█"),
        ([-2, 0, 5], "▁▃█"),
    ],
)
def test_bars_stand_between_the_smallest_and_the_largest(
    values: list[float | None], drawn: str
) -> None:
    assert spark(values) == drawn


def test_only_the_last_numbers_are_drawn() -> None:
    assert spark([9.0, 0.0, 1.0], most=2) == "▁█"


def test_a_terminal_without_these_signs_gets_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))
    assert spark([0.0, 1.0]) == "_#"
    assert spark([0.0, 1.0]).isascii()
