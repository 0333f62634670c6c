"""How the command line ends: usage errors, several mistakes at once, a reader that has gone."""

from __future__ import annotations

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
        (["runs", "list", "--limit", "0"], ["'--limit'", "1", "`promptyard runs list --help`"]),
        (["runs", "list", "--limit", "many"], ["'--limit'", "integer", "runs list --help`"]),
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
