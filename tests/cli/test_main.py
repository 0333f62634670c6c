"""How the command line ends: usage errors, several mistakes at once, a reader that has gone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from promptyard.cli.main import MAX_SHOWN
from support.shell import Run
from support.task_folder import write_task
from support.tiny_task import TASK


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evl"], ["evl", "'eval'", "`promptyard --help`"]),
        (["eval", ".", "--modle", "x"], ["--modle", "--model", "`promptyard eval --help`"]),
        (["prompts", "diff"], ["Missing argument 'name'", "prompts diff --help`"]),
        (["eval", "a", "b"], ["unexpected extra argument(s) (b)", "`promptyard eval --help`"]),
        (["eval", ".", "--store"], ["'--store' requires an argument", "--help`"]),
        (
            ["runs", "list", "--limit", "0"],
            ["--limit 0: expected 1 or more", "`promptyard runs list --help`"],
        ),
        (
            ["runs", "list", "--limit", "many"],
            ["--limit many: expected a whole number", "runs list --help`"],
        ),
        (["runs", "lst"], ["lst", "'list'", "`promptyard runs --help`"]),
    ],
)
def test_a_usage_error_is_one_line_that_names_the_help(
    arguments: list[str], words: list[str], run: Run
) -> None:
    result = run(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1, result.err
    for word in words:
        assert word in result.err


def test_a_group_without_a_command_shows_its_help(run: Run) -> None:
    result = run("runs")
    assert (result.code, result.out) == (2, "")
    assert "List and show runs." in result.err
    assert "error:" not in result.err


def test_several_mistakes_are_one_line_each(run: Run, tmp_path: Path) -> None:
    mistakes = "pass_at: 7\nsplits: {seed: x}\n"
    folder = write_task(tmp_path / "t", task_yaml=TASK + mistakes)
    assert run("eval", folder).err == (
        f"error: {folder}/task.yaml:7: pass_at: must be at most 1, got 7\n"
        f"error: {folder}/task.yaml:8: splits.seed: expected a whole number, got 'x'\n"
    )


def test_of_very_many_mistakes_ten_are_shown_and_the_rest_counted(run: Run, tmp_path: Path) -> None:
    mistakes = "".join(f"k{number}: 1\n" for number in range(MAX_SHOWN + 4))
    folder = write_task(tmp_path / "t", task_yaml=TASK + mistakes)
    lines = run("eval", folder).err.splitlines()
    assert len(lines) == MAX_SHOWN + 1
    assert lines[-1] == "error: and 4 more"
    assert all("unknown key" in line for line in lines[:-1])


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["evalset", "--help"]])
def test_a_reader_that_has_gone_ends_the_command_without_a_word(arguments: list[str]) -> None:
    command = subprocess.Popen(
        [sys.executable, "-m", "promptyard", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert command.stdout is not None
    command.stdout.close()
    assert command.stderr is not None
    assert command.stderr.read() == b""
    command.stderr.close()
    assert command.wait() == 141


def test_a_strategy_of_the_command_line_has_no_line_in_the_file(run: Run, tmp_path: Path) -> None:
    folder = write_task(tmp_path / "t", task_yaml=TASK + "optimize: {strategy: auto}\n")
    error = run("optimize", folder, "--strategy", "atuo", "--store", "s.db").err
    assert error == "error: policies: unknown name 'atuo'; did you mean 'auto'?\n"
    assert not Path("s.db").exists(), "no run is left behind"


def test_the_key_of_an_application_keeps_no_command_from_running(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTYARD_KEY", "py_x_y")
    assert run("check", write_task(tmp_path / "t")).code == 0


def test_an_id_that_is_not_there_names_the_nearest_and_the_command_that_lists_them(
    run: Run, tmp_path: Path
) -> None:
    folder = write_task(tmp_path / "t")
    run_id = json.loads(run("optimize", folder, "--json").out)["run_id"]
    run("prompts", "promote", "tiny", "1")
    for arguments, words in {
        ("runs", "show", "nosuch"): ["no run 'nosuch'", "`promptyard runs list`"],
        ("runs", "show", run_id[:-2]): [f"did you mean '{run_id}'?", "`promptyard runs list`"],
        ("optimize", folder, "--run", "nosuch"): ["no run 'nosuch'", "`promptyard runs list`"],
        ("eval", folder, "--filter-failing", "nosuch"): ["nosuch", "`promptyard runs list`"],
        ("prompts", "show", "tny"): ["did you mean 'tiny'?", "`promptyard prompts log`"],
        ("prompts", "log", "nosuch"): ["registered: tiny", "`promptyard prompts log`"],
        ("prompts", "show", "tiny", "99"): ["no version 99", "`promptyard prompts log tiny`"],
        ("prompts", "diff", "tiny", "1", "prodction"): [
            "did you mean 'production'?",
            "`promptyard prompts log tiny`",
        ],
        ("evalset", "log", "tniy"): ["did you mean 'tiny'?", "`promptyard eval`"],
        ("evalset", "log", "nosuch"): ["those of: tiny", "`promptyard eval`"],
        ("evalset", "diff", "tiny", "@1", "@7"): ["@7", "`promptyard evalset log tiny`"],
        ("evalset", "diff", "tiny", "@1", "zzzz"): ["zzzz", "`promptyard evalset log tiny`"],
    }.items():
        result = run(*arguments)
        assert (result.code, result.out) == (2, "")
        assert result.err.count("\n") == 1
        for word in words:
            assert word in result.err


def test_a_list_without_rows_says_so(run: Run, tmp_path: Path) -> None:
    run("eval", write_task(tmp_path / "t"))
    assert "no run of 'nosuch' is in this store" in run("runs", "list", "--task", "nosuch").out
    assert "no finished run of `promptyard optimize`" in run("runs", "show").err
