"""What a run wrote down, as the command line shows it: blame, events, requests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import promptyard as py
from promptyard.testing.search_world import RULES
from support.rule_task import rule_task
from support.shell import Run
from support.task_folder import write_task


@pytest.fixture
def url(tmp_path: Path) -> str:
    return str(tmp_path / "runs.db")


def test_blame_shows_lines_and_what_the_run_decided(run: Run, url: str) -> None:
    done = py.optimize(rule_task(), store=url)
    shown = run("prompts", "blame", "rules", "--store", url).out
    assert "seed v1" in shown
    assert shown.count("2 → 0 on 2 cases") == len(RULES)
    assert f"Run {done.id} (v2)" in shown
    assert "decided pass: The candidate passes the gate" in shown
    old = run("prompts", "blame", "rules", "--version", "1", "--store", url, "--json").out
    blame = json.loads(old)
    assert blame["number"] == 1
    assert {entry["source"] for line in blame["lines"] for entry in line["entries"]} == {"seed"}


def test_blame_of_an_unknown_prompt_or_version_is_one_line(run: Run, url: str) -> None:
    py.optimize(rule_task(), store=url)
    for arguments, words in (
        (("ruls",), "did you mean 'rules'"),
        (("rules", "--version", "9"), "1 to 2"),
    ):
        result = run("prompts", "blame", *arguments, "--store", url)
        assert result.code == 2
        assert result.err.count("\n") == 1
        assert words in result.err


def test_runs_show_lists_events_one_line_each(run: Run, url: str) -> None:
    done = py.optimize(rule_task(), store=url)
    shown = run("runs", "show", done.id, "--events", "--store", url).out.splitlines()
    listed = json.loads(run("runs", "show", "last", "--events", "--json", "--store", url).out)
    assert [line.split()[0] for line in shown] == [str(item["seq"]) for item in listed]
    assert [line.split()[2] for line in shown] == [item["event"]["kind"] for item in listed]
    assert any("names: mended, 2 → 0 failing on 2 cases" in line for line in shown)


def test_runs_show_pages_what_the_optimizer_was_asked(run: Run, url: str) -> None:
    done = py.optimize(rule_task(), store=url)
    command = ("runs", "show", "last", "--requests", "--store", url)
    first = run(*command, "--limit", "2").out
    assert first.count("--- answer") == 2
    assert "names is wrong" in first
    assert "Find what in the prompt lets them fail" in first
    assert first.endswith("more: add --offset 2\n")
    everything = json.loads(run(*command, "--limit", "999", "--json").out)
    assert len(everything["requests"]) == done.spent.optimizer_calls
    assert everything["next_offset"] is None
    second = json.loads(run(*command, "--limit", "2", "--offset", "2", "--json").out)
    assert second["requests"] == everything["requests"][2:4]
    assert "no request to the judge model" in run(*command, "--role", "judge").out
    task = json.loads(run(*command, "--role", "task", "--limit", "1", "--json").out)
    assert task["requests"][0]["body"]["model"] == "scripted/task"


def test_two_views_at_once_and_unknown_runs_are_one_line(run: Run, url: str) -> None:
    py.optimize(rule_task(), store=url)
    both = run("runs", "show", "--events", "--requests", "--store", url)
    unknown = run("runs", "show", "nosuch", "--events", "--store", url)
    for result, words in ((both, "give one of them"), (unknown, "no run 'nosuch'")):
        assert result.code == 2
        assert result.err.count("\n") == 1
        assert words in result.err


def test_a_plan_is_shown_and_nothing_is_spent(run: Run, tmp_path: Path) -> None:
    folder = write_task(tmp_path / "t")
    result = run("optimize", folder, "--plan", "--task-calls", "60")
    assert result.code == 0
    assert "Expected calls, and the most that the budget allows" in result.out
    assert "Smallest gain found four times in five" in result.out
    assert "Warning: under-powered: 9 holdout cases" in " ".join(result.out.split())
    assert "Left out: the budget leaves the search" in " ".join(result.out.split())
    assert not (tmp_path / ".promptyard").exists()
    data = json.loads(run("optimize", folder, "--plan", "--json").out)
    assert data["n_by_split"] == {"train": 9, "dev": 9, "holdout": 9}
    assert data["maximum"]["task"] is None
    assert data["phases"][0]["phase"] == "baseline"
    assert not (tmp_path / ".promptyard").exists()
