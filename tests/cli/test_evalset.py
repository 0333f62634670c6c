"""`promptyard evalset` as a user meets it: on a terminal, through pipes, and its mistakes."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import pytest

from support.shell import command
from support.tiny_task import write_tiny_task

SOURCE = Path(__file__).resolve().parents[2] / "src"


class Shell:
    """Runs the command in a folder of its own; on a terminal as a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SOURCE),
            "HOME": str(folder),
            "USER": "ann",
            "LANG": "C.UTF-8",
            "COLUMNS": "110",
            "TERM": "dumb",
        }

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return command(self.folder, *arguments, environment=self.environment, stdin=stdin)

    def done(self, *arguments: str, stdin: str = "") -> str:
        """Run a command that must succeed; returns what it printed."""
        result = self.run(*arguments, stdin=stdin)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def failed(self, *arguments: str, stdin: str = "") -> str:
        """Run a command that must end in one line of error; returns it."""
        result = self.run(*arguments, stdin=stdin)
        assert result.returncode == 2, result.stdout
        assert result.stderr.count("\n") == 1
        assert result.stderr.startswith("error: ")
        return result.stderr

    def data(self, *arguments: str) -> Any:
        return json.loads(self.done(*arguments, "--json"))


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    write_tiny_task(tmp_path / "tiny")
    return Shell(tmp_path)


def test_versions_are_added_listed_compared_and_followed(shell: Shell) -> None:
    shell.done("eval", "tiny")
    row = '{"input": {"text": "where is my card"}, "expected": "lost_card"}\n'
    said = shell.done("evalset", "add", "tiny", "-", "--split", "dev", "--tag", "live", stdin=row)
    assert said.startswith("tiny: added 1 case to dev from stdin; now @2 (")
    said = shell.done("evalset", "retire", "tiny", "top_up-1", "-m", "nobody can tell")
    assert said.startswith("tiny: retired top_up-1: nobody can tell; now @3 (")
    shell.done("eval", "tiny")

    log = shell.done("evalset", "log", "tiny")
    assert "@3 *" in log
    assert "@1 was used by " in log
    assert "* the files as they are now" in log
    data = shell.data("evalset", "log", "tiny")
    assert [item["parent_number"] for item in data["versions"]] == [None, 1, 2]

    diff = shell.done("evalset", "diff", "tiny", "@1")
    assert "1 added, 1 retired, 17 the same" in diff
    assert "- top_up-1 (dev) retired: nobody can tell" in diff
    assert shell.data("evalset", "diff", "tiny", "@1", "@2")["retired"] == {}

    history = shell.done("evalset", "history", "tiny", "--split", "dev")
    assert "on 5 of 6 cases" in history
    assert "Failing cases by bucket" in history
    (first, second) = shell.data("evalset", "history", "tiny")["rows"]["dev"]
    assert first["step"] is None
    assert (second["step"]["comparable"], second["step"]["n_shared"]) == ("partly", 5)


def test_the_present_folder_is_the_task_and_a_name_will_do(shell: Shell) -> None:
    shell.done("eval", "tiny", "--store", "s.db")
    (shell.folder / "elsewhere").mkdir()
    inside = Shell(shell.folder / "tiny")
    assert "@1 *" in inside.done("evalset", "log", "--store", "../s.db")
    outside = Shell(shell.folder / "elsewhere")
    assert "@1 " in outside.done("evalset", "log", "tiny", "--store", "../s.db")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("log", "tiny"), "there is no store at"),
        (("history", "tiny"), "there is no store at"),
        (("diff", "tiny", "@1"), "there is no store at"),
        (("add", "tiny", "gone.jsonl"), "gone.jsonl: there is no such file"),
        (("add", "tiny", "-", "--split", "test"), "there is no split 'test'"),
        (("retire", "tiny", "nobody", "-m", "x"), "has no case 'nobody'"),
        (("label", "tiny", "--only", "none"), "--only none; known: failing"),
        (("label", "tiny", "--run", "x1"), "there is no store at"),
    ],
)
def test_a_mistake_is_one_line(shell: Shell, arguments: tuple[str, ...], message: str) -> None:
    assert message in shell.failed("evalset", *arguments)


def test_labels_are_given_through_a_pipe(shell: Shell) -> None:
    shell.done("eval", "tiny")
    commands = "p\nx\ng top_up\nt 1 mine\nt\nmine other\nf\n\nb\nf\n"
    said = shell.done("evalset", "label", "tiny", "--only", "dev", stdin=commands)
    assert "6 to label, 0 answered, as ann; outputs of run" in said
    assert "1/6 · lost_card-1 · dev · representative" in said
    assert "tags: refusal, mine" in said.replace("truncated_output", "refusal")
    assert "2 verdicts in tiny/labels.jsonl" in said
    assert "tiny: labelled by ann: 1 gold, 1 tagged; now @2" in said
    again = shell.run("evalset", "label", "tiny", "--only", "dev", "--json", stdin="q\n")
    assert json.loads(again.stdout)["n_verdicts"] == 0
    assert "6 to label, 2 answered" in again.stderr
    assert "3/6" in again.stderr


def test_hostile_text_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    rows = [
        {
            "id": f"c{n}\x1b[2J",
            "input": {"text": f"\x1b[31mred {n}\u202e"},
            "expected": "\x1b]0;title\x07",
            "split": split,
            "retired": None,
        }
        for n, split in enumerate(("train", "dev", "holdout"))
    ]
    write_tiny_task(tmp_path / "tiny", rows)
    shell = Shell(tmp_path)
    said = shell.done("evalset", "label", "tiny", stdin="g x\nq\n")
    said += shell.done("evalset", "diff", "tiny", "@1")
    said += shell.done("evalset", "log", "tiny")
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "<U+001B>[31mred 0" in said


OWN_TERMINAL = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell may have started the tests without it
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""Makes standard input the terminal that a process answers to, then becomes the command."""


class Terminal:
    """A process on a pseudo-terminal; it is gone at the end of the block."""

    def __init__(self, shell: Shell, *arguments: str, **environment: str) -> None:
        self._main, other = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", OWN_TERMINAL, "-m", "promptyard", *arguments],
            cwd=shell.folder,
            env={**shell.environment, **environment},
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
        )
        os.close(other)
        self.seen = ""
        self._found = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(timeout=30)
        os.close(self._main)

    def wait_for(self, text: str) -> None:
        """Read on until a text is printed, behind the one that was waited for before."""
        while (at := self.seen.find(text, self._found)) < 0:
            more = self._read()
            assert more, f"never printed: {text}\n{self.seen}"
            self.seen += more
        self._found = at + len(text)

    def press(self, keys: str) -> None:
        os.write(self._main, keys.encode())

    def kill(self) -> None:
        """End the process as `kill -9` does."""
        self._process.kill()
        self._process.wait(timeout=30)

    def end(self) -> int:
        """Read the rest and return the exit code."""
        while more := self._read():
            self.seen += more
        return self._process.wait(timeout=30)

    def _read(self) -> str:
        """Read what there is; nothing at the end of the process, or if nothing comes any more."""
        if not select.select([self._main], [], [], 30)[0]:
            return ""
        try:
            return os.read(self._main, 65536).decode("utf-8", "replace")
        except OSError:  # the other side is closed
            return ""


def test_labels_are_given_by_single_keys_on_a_terminal(shell: Shell) -> None:
    shell.done("eval", "tiny")
    with Terminal(shell, "evalset", "label", "tiny", "--only", "dev") as terminal:
        for text, keys in (
            ("output:", "p"),
            ("2/6", "g"),
            ("gold: ", "age_limit\n"),
            ("expected: age_limit", "t"),
            ("tags (", "mine\n"),
            ("tags: mine", "F"),
            ("3/6", "s"),
            ("4/6", "b"),
            ("3/6", "q"),
        ):
            terminal.wait_for(text)
            terminal.press(keys)
        assert terminal.end() == 0
    labels = (shell.folder / "tiny" / "labels.jsonl").read_text().splitlines()
    assert [json.loads(line)["label"] for line in labels] == ["pass", "fail"]
    assert '"expected": "age_limit"' in (shell.folder / "tiny" / "cases.jsonl").read_text()


def test_a_gold_is_edited_in_the_editor_of_the_user(shell: Shell) -> None:
    editor = shell.folder / "editor.sh"
    editor.write_text('#!/bin/sh\ncat "$1" > seen.txt\nprintf "age_limit\\n" > "$1"\n')
    editor.chmod(0o755)
    with Terminal(shell, "evalset", "label", "tiny", EDITOR=str(editor)) as terminal:
        terminal.wait_for("expected: lost_card")
        terminal.press("g")
        terminal.wait_for("2/18")
        terminal.press("q")
        assert terminal.end() == 0
    assert (shell.folder / "seen.txt").read_text().strip() == "lost_card"
    first = (shell.folder / "tiny" / "cases.jsonl").read_text().splitlines()[0]
    assert json.loads(first)["expected"] == "age_limit"


@pytest.mark.parametrize("how", ["ctrl-c", "kill -9"])
def test_an_interrupted_session_loses_no_answer(shell: Shell, how: str) -> None:
    shell.done("eval", "tiny")
    command = ("evalset", "label", "tiny", "--only", "dev")
    with Terminal(shell, *command) as terminal:
        terminal.wait_for("output:")
        terminal.press("p")
        terminal.wait_for("2/6")
        if how == "ctrl-c":
            terminal.press("\x03")
            assert terminal.end() == 130
            assert "the same command goes on here" in terminal.seen
        else:
            terminal.kill()
    assert not (shell.folder / "tiny" / "labels.jsonl").exists()
    with Terminal(shell, *command) as again:
        again.wait_for("1 answered")
        again.wait_for("2/6")
        again.press("q")
        assert again.end() == 0
        assert "1 verdicts in tiny/labels.jsonl" in again.seen
