"""`promptyard evalset import` and `export` as a user meets them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from promptyard.cli.main import main
from promptyard.line.task import load_task
from promptyard.records.cases import CheckSpec

CSV = "question,answer\n1+1?,2\n2+2?,4\n"
CONFIG = "tests:\n- {vars: {q: a}, assert: [{type: javascript, value: 'x'}, {type: is-json}]}\n"


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["promptyard", "evalset", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


def test_without_a_target_everything_is_shown_and_nothing_written(run: Run) -> None:
    Path("data.csv").write_text(CSV)
    done = run("import", "data.csv")
    assert done.code == 0
    assert "data.csv: looks like a table" in done.out
    assert "input.question" in done.out
    assert '{"input": {"question": "1+1?"}, "expected": "2"' in done.out
    assert "add --to DIR to do so" in done.out
    assert [path.name for path in Path.cwd().iterdir()] == ["data.csv"]


def test_a_guess_without_a_terminal_needs_to_be_confirmed(run: Run) -> None:
    Path("data.csv").write_text(CSV)
    done = run("import", "data.csv", "--to", "task")
    assert done.code == 2
    assert done.err == (
        "error: what each column is, is a guess; confirm it with --yes, or say it with --map "
        "(nothing was written)\n"
    )
    assert not Path("task").exists()
    assert run("import", "data.csv", "--to", "task", "--yes").code == 0
    assert Path("task/cases.jsonl").exists()
    mapped = run("import", "data.csv", "--to", "b.jsonl", "--map", "answer=expected")
    assert "wrote b.jsonl" in mapped.out
    named = run("import", "data.csv", "--to", "c.jsonl", "--from", "table")
    assert named.code == 2  # a table that is named still has its columns guessed


def test_a_guessed_format_is_called_a_guess_wherever_it_is_named(run: Run) -> None:
    Path("c.yaml").write_text("prompts: [say]\n" + CONFIG)
    guessed = run("import", "c.yaml", "--to", "task")
    assert "c.yaml: looks like promptfoo" in guessed.out
    assert "the format promptfoo is a guess; confirm it with --yes" in guessed.err
    assert "--from promptfoo" in guessed.err
    said = run("import", "c.yaml", "--from", "promptfoo")
    assert "c.yaml: read as promptfoo" in said.out
    assert "count over all cases" in said.out


def test_a_column_of_few_values_is_taken_for_the_expected_one_as_in_init(run: Run) -> None:
    lines = (f"question {n},{('billing', 'login')[n % 2]}\n" for n in range(20))
    Path("data.csv").write_text("message,topic\n" + "".join(lines))
    done = run("import", "data.csv", "--to", "task", "--yes")
    assert "'topic' is taken for what is expected, since its values are few" in done.out
    assert "Next: promptyard check task\n" in done.out
    assert load_task(Path("task")).eval_set.cases[0].expected in {"billing", "login"}
    mapped = run("import", "data.csv", "--map", "topic=input.topic", "--json")
    assert json.loads(mapped.out)["mapping"]["topic"] == "input.topic"


def test_a_task_without_checks_proposes_one_and_the_next_step_is_to_take_it(run: Run) -> None:
    Path("data.csv").write_text("question\n" + "".join(f"why {n}\n" for n in range(20)))
    done = run("import", "data.csv", "--to", "task", "--yes")
    assert "20 of 20 cases have no check" in done.out
    said = "Next: add a check to task/task.yaml, which proposes one, then promptyard check task\n"
    assert done.out.endswith(said)
    file = Path("task/task.yaml")
    assert "\nchecks:\n  # - {type: word_count, min: 1}\n" in file.read_text()
    file.write_text(file.read_text().replace("  # - ", "  - "))
    (check,) = load_task(Path("task")).metrics
    assert isinstance(check, CheckSpec)
    assert check.type == "word_count"


def test_what_is_not_run_here_is_said_loudly(run: Run) -> None:
    Path("c.yaml").write_text(CONFIG)
    done = run("import", "c.yaml", "--from", "promptfoo", "--to", "cases.jsonl")
    assert done.code == 0
    assert "NOT RUN HERE: 1 of 2 checks." in done.out
    assert "unsupported: promptfoo javascript" in done.out


def test_json_is_one_document(run: Run) -> None:
    Path("c.yaml").write_text(CONFIG)
    done = run("import", "c.yaml", "--json", "--from", "promptfoo", "--to", "cases.jsonl")
    summary = json.loads(done.out)
    assert (summary["n_cases"], summary["n_skipped"]) == (1, 1)
    assert summary["written"] == ["cases.jsonl"]
    refused = run("import", "c.yaml", "--json", "--to", "other.jsonl")
    assert (refused.code, refused.out) == (2, "")


def test_on_a_terminal_the_guess_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(CSV)
    answers = {"y": True, "n": False}
    for answer, written in answers.items():
        target = tmp_path / f"task-{answer}"
        leader, follower = pty.openpty()
        command = [
            sys.executable,
            "-m",
            "promptyard",
            "evalset",
            "import",
            "data.csv",
            "--to",
            str(target),
        ]
        with subprocess.Popen(
            command, cwd=tmp_path, stdin=follower, stdout=follower, stderr=follower
        ) as process:
            os.close(follower)
            os.write(leader, f"{answer}\n".encode())
            shown = read_all(leader)
            assert process.wait(timeout=60) == 0, shown
        os.close(leader)
        assert "Is this right?" in shown
        assert target.exists() == written


def read_all(leader: int) -> str:
    chunks: list[bytes] = []
    while True:
        try:
            chunk = os.read(leader, 1 << 16)
        except OSError:  # the other end was closed
            chunk = b""
        if not chunk:
            return b"".join(chunks).decode("utf-8", "replace")
        chunks.append(chunk)


def test_a_mapping_is_column_and_field(run: Run) -> None:
    Path("data.csv").write_text(CSV)
    done = run("import", "data.csv", "--map", "answer")
    assert (done.code, done.err) == (2, "error: --map: expected COLUMN=FIELD, got 'answer'\n")


def test_a_task_is_exported_to_the_screen_or_to_a_file(run: Run) -> None:
    Path("data.csv").write_text("question,answer\n" + "".join(f"{n}?,a\n" for n in range(12)))
    assert run("import", "data.csv", "--to", "task", "--yes").code == 0
    shown = run("export", "task", "--as", "csv")
    assert shown.out.startswith("id,input.question,expected,")
    assert shown.err == ""
    done = run("export", "task", "--as", "promptfoo", "--out", "p.yaml")
    assert done.out == "p.yaml: 12 cases\n"
    assert "note: add `providers`" in done.err
    assert run("export", "task", "--out", "p.yaml").code == 2
    as_json = json.loads(run("export", "task", "--json").out)
    assert as_json["n_cases"] == 12
    assert len(as_json["text"].splitlines()) == 12
