"""The command that runs the grid, what it sums up, and the page that is made of it."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from search_calls import METHODS, Job, finished, problem_of
from search_plots import PAGE, PLOTS, page, plot, plot_name, plots
from search_summary import (
    SearchRun,
    level,
    of_largest_budget,
    read_runs,
    run_of,
    score_cell,
    summary_table,
)

ROOT = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"


def row(**changes: Any) -> dict[str, Any]:
    return {
        "method": "naive",
        "world": "clinic-notes",
        "seed": 1,
        "budget": 1000,
        "start": 0.3,
        "oracle": 1.0,
        "points": [[60, 0.3], [140, 0.6], [400, 0.85], [900, 0.96]],
        "audit": 0.95,
        "task_calls": 980,
        "optimizer_calls": 14,
        "optimizer_tokens": 30_000,
        "splits": {"train": 100, "val": 880},
        "prompt_tokens": 400,
        **changes,
    }


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks/search_calls.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_score_after_some_calls_is_that_of_the_last_point_before() -> None:
    run = run_of(row())
    assert [run.score_after(calls) for calls in (0, 60, 139, 140, 899, 5000)] == [
        0.3,
        0.3,
        0.3,
        0.6,
        0.85,
        0.96,
    ]


def test_calls_to_a_level_are_those_of_the_first_point_that_reaches_it() -> None:
    run = run_of(row(oracle=0.9))
    assert run.calls_to(0.9) == 400
    assert run.calls_to(0.95) == 900
    assert math.isinf(run_of(row()).calls_to(0.97))


def test_a_level_counts_runs_that_never_got_there_as_slower_than_all() -> None:
    fast, slow = run_of(row()), run_of(row(points=[[60, 0.3], [800, 0.7]]))
    assert str(level([fast, fast, slow], 0.95)) == "900 (2/3)"
    assert str(level([fast, slow, slow], 0.95)) == "– (1/3)"
    assert str(level([fast, slow], 0.95)) == "– (1/2)"


def test_a_run_of_its_own_budget_counts_whole_and_a_longer_one_is_read_off_in_brackets() -> None:
    long = [run_of(row(seed=seed)) for seed in (1, 2)]
    short = [
        run_of(row(seed=seed, budget=300, points=[[60, 0.3], [324, value]]))
        for seed, value in ((1, 0.5), (2, 0.7))
    ]
    assert score_cell([*long, *short], 300).startswith("0.600 ± ")
    assert score_cell([*long, *short], 150) == "(0.600 ± 0.000)"
    assert score_cell(long[:1], 1000) == "0.960"
    assert of_largest_budget([*long, *short]) == long


def test_an_interval_over_seeds_is_students_t() -> None:
    runs = [run_of(row(seed=seed, points=[[10, value]])) for seed, value in ((1, 0.5), (2, 0.7))]
    assert score_cell(runs, 1000) == f"0.600 ± {12.706 * 0.1:.3f}"


def test_a_method_that_looked_at_test_cases_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    lines = [row(), row(splits={"train": 10, "test": 3})]
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 2: .* called 3 test cases"):
        read_runs(path)


def test_the_table_has_a_row_for_each_world_and_method() -> None:
    runs = [run_of(row()), run_of(row(method="dspy.GEPA")), run_of(row(world="lease-clauses"))]
    lines = summary_table(runs).splitlines()
    assert len(lines) == 2 + 3
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| clinic-notes | naive | 1 | (0.600) |")


def test_a_plot_is_a_picture_with_a_line_and_a_band_for_each_method() -> None:
    runs = [run_of(row(method=method, seed=seed)) for method in ("naive", "a<b") for seed in (1, 2)]
    picture = ET.fromstring(plot("clinic-notes", runs))
    lines = picture.findall(f"{SVG}polyline")
    assert len(lines) == len(picture.findall(f"{SVG}polygon")) == 2
    heights = [float(point.split(",")[1]) for point in lines[0].attrib["points"].split()]
    assert heights == sorted(heights, reverse=True)  # this method never gets worse
    assert "a<b" in [item.text for item in picture.findall(f"{SVG}text")]
    assert len({item.attrib["stroke"] for item in lines}) == 2


def test_the_page_holds_the_table_the_plots_and_the_commands_behind_them() -> None:
    runs = [run_of(row()), run_of(row(world="lease-clauses+weak+terse", seed=4))]
    text = page(runs)
    assert summary_table(runs) in text
    assert f"({PLOTS}/{plot_name('lease-clauses+weak+terse')})" in text
    assert "--worlds clinic-notes lease-clauses+weak+terse" in text
    assert "--seeds 1 4" in text
    assert "{" not in text.replace("{#", "")


def test_strategies_have_plots_and_a_table_of_their_own_beside_auto() -> None:
    methods = ("naive", "promptyard:auto", "promptyard:beam")
    runs = [run_of(row(method=method)) for method in methods]
    drawn = plots(runs)
    assert {name: legend(text) for name, text in drawn.items()} == {
        "clinic-notes.svg": ["promptyard:auto", "naive"],
        "clinic-notes-strategies.svg": ["promptyard:auto", "promptyard:beam"],
    }
    text = page(runs)
    assert f"({PLOTS}/clinic-notes-strategies.svg)" in text
    assert [line.split(" | ")[1] for line in text.splitlines() if line.startswith("| clinic")] == [
        "promptyard:auto",
        "naive",
        "promptyard:beam",
    ]
    assert list(plots(runs[:2])) == ["clinic-notes.svg"]


def legend(picture: str) -> list[str | None]:
    texts = [item.text for item in ET.fromstring(picture).findall(f"{SVG}text")]
    return [text for text in texts if text == "naive" or "promptyard:" in (text or "")]


def test_the_committed_page_is_that_of_the_committed_results() -> None:
    results = ROOT / "benchmarks/data/search_calls.jsonl"
    if results.exists():
        committed = ROOT / "docs/explanation" / PAGE
        runs = read_runs(results)
        assert committed.read_text(encoding="utf-8") == page(runs)
        pictures = {path.name: path.read_text("utf-8") for path in committed.parent.glob("*/*.svg")}
        assert {name: pictures.get(name) for name in plots(runs)} == plots(runs)


def test_jobs_that_make_no_sense_are_named() -> None:
    assert problem_of(Job("naive", "clinic-notes+weak", 1, 300)) is None
    assert problem_of(Job("promptyard:racing", "clinic-notes", 1, 300)) is None
    assert "no method 'dspy'" in (problem_of(Job("dspy", "clinic-notes", 1, 300)) or "")
    assert "no world 'clinic'" in (problem_of(Job("naive", "clinic", 1, 300)) or "")
    assert "budget" in (problem_of(Job("naive", "clinic-notes", 1, 0)) or "")
    assert METHODS[0] == "promptyard:auto"


def test_the_command_runs_a_grid_once_and_sums_it_up(tmp_path: Path) -> None:
    out = tmp_path / "runs.jsonl"
    grid = ("--out", str(out), "--methods", "naive", "--worlds", "lease-clauses+terse+weak")
    sizes = ("--seeds", "3", "--budgets", "150", "220")
    first = command(*grid, *sizes, "--jobs", "2")
    assert first.returncode == 0, first.stderr
    runs = read_runs(out)
    assert {run.budget for run in runs} == {150, 220}
    for run in runs:
        assert run.world == "lease-clauses+weak+terse"
        assert 60 < run.task_calls <= run.budget
        assert run.points[0] == (60, run.start)
        assert abs(run.audit - run.points[-1][1]) < 0.08
        assert run.optimizer_calls >= 1
    assert "| lease-clauses+weak+terse | naive | 1 |" in first.stdout
    again = command(*grid, *sizes)
    assert again.stdout == first.stdout
    assert read_runs(out) == runs
    assert len(finished(out)) == 2


def test_the_command_refuses_peers_without_a_folder(tmp_path: Path) -> None:
    ended = command("--out", str(tmp_path / "x"), "--methods", "dspy.GEPA", "--seeds", "1")
    assert ended.returncode == 2
    assert ended.stderr.strip().splitlines() == [
        "error: peers need an environment of their own: --peers FOLDER"
    ]


def test_runs_are_records_of_plain_values() -> None:
    assert isinstance(run_of(row()), SearchRun)
    with pytest.raises(KeyError):
        run_of({key: value for key, value in row().items() if key != "audit"})
