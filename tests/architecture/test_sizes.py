"""Modules stay small enough to be read in one go."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(
    path
    for folder in ("src/promptyard", "docs", "examples", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)
STOP = 600
ASK = 400

LONGER_THAN_ASKED: dict[str, str] = {}
"""Modules of more than 400 lines by path, each with the reason that it is one."""


def n_lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_there_are_modules_to_measure() -> None:
    assert len(MODULES) > 100


def test_no_module_is_longer_than_600_lines() -> None:
    long = {str(path.relative_to(ROOT)): n_lines(path) for path in MODULES if n_lines(path) > STOP}
    assert not long


def test_a_module_of_more_than_400_lines_is_named_with_its_reason() -> None:
    long = {str(path.relative_to(ROOT)) for path in MODULES if n_lines(path) > ASK}
    assert long == set(LONGER_THAN_ASKED)
    assert all(len(reason) > 20 for reason in LONGER_THAN_ASKED.values())


def test_the_line_is_read_on_one_page() -> None:
    assert n_lines(ROOT / "src/promptyard/line/build.py") <= 200


def test_no_module_is_named_for_what_it_might_be() -> None:
    vague = {"utils", "util", "helpers", "common", "manager", "misc", "core"}
    assert not [path for path in MODULES if vague.intersection(path.parts) or path.stem in vague]
