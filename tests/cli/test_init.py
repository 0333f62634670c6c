"""`promptyard init`: flags, dialogue on a terminal, mistakes, and tasks that run as written."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from promptyard.line.task import load_task
from promptyard.records.cases import SPLITS
from support.shell import command

LABELS = ("billing", "login", "delivery")
CSV = "message,topic\n" + "".join(
    f'"question {n}, about {LABELS[n % 3]}",{LABELS[n % 3]}\n' for n in range(30)
)


def jsonl(rows: Sequence[Mapping[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


FILES = {
    "label": ("t.csv", CSV),
    "grades": ("t.csv", "review,label\n" + "".join(f"text {n},{n % 2}\n" for n in range(30))),
    "number": ("t.tsv", "question\tanswer\n" + "".join(f"{n} + {n}\t{2 * n}\n" for n in range(20))),
    "object": (
        "t.jsonl",
        jsonl([
            {
                "ticket": f"ticket {n}",
                "expected": {
                    "status": ("open", "closed")[n % 2],
                    "total": n / 2,
                    "tags": [f"t{n % 3}"],
                    "owner": None if n % 4 else f"Ann {n}",
                    "note": f"a sentence of more words than anybody would compare, number {n}",
                },
            }
            for n in range(20)
        ]),
    ),
    "list": (
        "t.json",
        json.dumps([{"text": f"a{n} and b", "target": [f"a{n}", "b"]} for n in range(12)]),
    ),
    "text": ("t.jsonl", jsonl([{"question": f"why {n}", "ideal": f"as {n}"} for n in range(12)])),
    "open": ("t.csv", "question\n" + "".join(f"why {n}\n" for n in range(9))),
    "own checks": (
        "t.jsonl",
        jsonl([
            {"input": {"q": f"say {n}"}, "checks": [{"type": "contains", "value": str(n)}]}
            for n in range(9)
        ]),
    ),
}  # fmt: skip
TYPES = {
    "label": ["exact_match"],
    "grades": ["exact_match"],
    "number": ["numeric"],
    "object": ["json_schema", "field_equals", "field_numeric", "field_set", "field_equals", "f1"],
    "list": ["is_json", "field_set"],
    "text": ["f1"],
    "open": ["word_count"],
    "own checks": [],
}


def run(
    folder: Path, *arguments: object, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command without a terminal."""
    return command(folder, *arguments, environment=plain_environment() | dict(env or {}))


def plain_environment() -> dict[str, str]:
    hidden = ("_API_KEY", "PROMPTYARD_")
    return {k: v for k, v in os.environ.items() if not any(part in k for part in hidden)}


def given(folder: Path, kind: str) -> Path:
    name, text = FILES[kind]
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize("kind", FILES)
def test_each_kind_of_file_ends_in_a_task_that_is_checked_and_runs(
    kind: str, tmp_path: Path
) -> None:
    done = run(tmp_path, "init", "task", "--cases", given(tmp_path, kind), "--prompt", "Do it.")
    assert done.returncode == 0, done.stderr
    task = load_task(tmp_path / "task")
    assert [getattr(metric, "type", metric) for metric in task.metrics] == TYPES[kind]
    assert "Do it." in task.program.prompt.text
    assert run(tmp_path, "check", "task").returncode == 0
    measured = run(tmp_path, "eval", "task", "--model", "embedded/lexical", "--json")
    assert measured.returncode == 0, measured.stderr
    assert json.loads(measured.stdout)["coverage"] == 1.0


def test_a_column_of_few_values_is_taken_for_the_expected_one_and_that_is_said(
    tmp_path: Path,
) -> None:
    done = run(tmp_path, "init", "task", "--cases", given(tmp_path, "label"))
    assert "'topic' is taken for what is expected" in done.stdout
    prompt = load_task(tmp_path / "task").program.prompt
    assert prompt.output.labels == ("billing", "delivery", "login")
    assert "- delivery\n" in prompt.text
    assert prompt.variables == ("message",)
    assert "#" not in prompt.render({"message": "x"})[0].text.splitlines()[0]


def test_a_prompt_that_nobody_gave_is_said_with_the_file_to_change_it_in(tmp_path: Path) -> None:
    file = given(tmp_path, "label")
    done = run(tmp_path, "init", "task", "--cases", file)
    assert "Prompt: 'Sort the message into one of the labels.' is a default" in done.stdout
    assert "say in task/prompt.md what the model shall do" in done.stdout
    shown = json.loads(run(tmp_path, "init", "two", "--cases", file, "--json").stdout)
    assert shown["prompt_is_default"] is True
    said = run(tmp_path, "init", "three", "--cases", file, "--prompt", "Say what it is about.")
    assert "is a default" not in said.stdout


def test_a_column_named_like_an_answer_goes_before_a_later_one(tmp_path: Path) -> None:
    rows = "".join(f"text {n},{LABELS[n % 3]},{('mail', 'chat')[n % 2]}\n" for n in range(30))
    (tmp_path / "t.csv").write_text("text,Ticket category,channel\n" + rows, encoding="utf-8-sig")
    said = json.loads(run(tmp_path, "init", "task", "--cases", "t.csv", "--json").stdout)
    assert said["mapping"]["Ticket category"] == "expected"
    assert said["mapping"]["channel"] == "input.channel"


def test_a_mapping_goes_before_the_guess(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    rows = "".join(f"q {n},{n},left out\n" for n in range(9))
    file.write_text("a,b,c\n" + rows, encoding="utf-8")
    flags = ("--map", "a=input.text", "--map", "b=expected", "--map", "c=-")
    done = run(tmp_path, "init", "task", "--cases", file, *flags, "--json")
    said = json.loads(done.stdout)
    assert said["mapping"] == {"a": "input.text", "b": "expected", "c": "-"}
    assert said["kind"] == "number"
    assert set(load_task(tmp_path / "task").eval_set.cases[0].input) == {"text"}


def test_a_column_of_few_values_that_was_said_to_be_an_input_stays_one(tmp_path: Path) -> None:
    flags = ("--cases", given(tmp_path, "label"), "--map", "topic=input.topic")
    said = json.loads(run(tmp_path, "init", "task", *flags, "--json").stdout)
    assert said["mapping"] == {"message": "input.message", "topic": "input.topic"}
    assert said["kind"] == "open"


def test_without_anything_a_task_of_samples_is_written_that_runs(tmp_path: Path) -> None:
    done = run(tmp_path, "init")
    assert done.returncode == 0, done.stderr
    assert "--model embedded/lexical tries the line" in done.stdout
    assert run(tmp_path, "check").returncode == 0
    assert run(tmp_path, "eval", "--model", "embedded/lexical").returncode == 0


@pytest.mark.parametrize("n_rows", [3, 4, 5, 7])
def test_no_split_of_few_rows_is_empty(n_rows: int, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("q,answer\n" + "".join(f"why {n},since {n}\n" for n in range(n_rows)))
    assert run(tmp_path, "init", "task", "--cases", file).returncode == 0
    eval_set = load_task(tmp_path / "task").eval_set
    sizes = [len(eval_set.split(name)) for name in SPLITS]
    assert min(sizes) >= 1
    assert sum(sizes) == n_rows


@pytest.mark.parametrize("n_rows", [1, 2])
def test_rows_that_cannot_fill_three_splits_are_all_measured(n_rows: int, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("q,answer\n" + "".join(f"why {n},since {n}\n" for n in range(n_rows)))
    done = run(tmp_path, "init", "task", "--cases", file)
    assert done.returncode == 0, done.stderr
    assert "dev takes them" in " ".join(done.stdout.split())
    assert "promptyard optimize" not in done.stdout
    assert load_task(tmp_path / "task").eval_set.n_by_split["dev"] == n_rows
    assert run(tmp_path, "eval", "task", "--model", "embedded/lexical").returncode == 0


def test_rows_without_an_expected_value_are_kept_beside_the_task(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(CSV + "not labelled yet,\n", encoding="utf-8")
    done = run(tmp_path, "init", "task", "--cases", file, "--json")
    assert json.loads(done.stdout)["n_without_expected"] == 1
    assert "1 of 31 rows have no expected value" in done.stdout
    assert len(load_task(tmp_path / "task").eval_set.cases) == 30
    assert "not labelled yet" in (tmp_path / "task" / "without-expected.jsonl").read_text()


def test_files_are_overwritten_only_when_that_is_said(tmp_path: Path) -> None:
    file = given(tmp_path, "label")
    assert run(tmp_path, "init", "task", "--cases", file).returncode == 0
    (tmp_path / "task" / "prompt.md").write_text("mine", encoding="utf-8")
    done = run(tmp_path, "init", "task", "--cases", file)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "--force overwrites it" in done.stderr
    assert (tmp_path / "task" / "prompt.md").read_text() == "mine"
    assert run(tmp_path, "init", "task", "--cases", file, "--force").returncode == 0
    assert "mine" not in (tmp_path / "task" / "prompt.md").read_text()


def test_cases_that_lie_in_the_folder_already_are_left_alone(tmp_path: Path) -> None:
    rows = jsonl([{"input": {"q": f"q {n}"}, "expected": f"a {n}"} for n in range(9)])
    (tmp_path / "cases.jsonl").write_text(rows, encoding="utf-8")
    done = run(tmp_path, "init", "--cases", "cases.jsonl", "--prompt", "Answer: {{q}}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "cases.jsonl").read_text() == rows
    assert load_task(tmp_path).program.prompt.variables == ("q",)


def test_a_prompt_file_and_checks_of_the_user_are_taken_as_they_are(tmp_path: Path) -> None:
    written = "system:\nSort it.\n\nuser:\n{{message}}\n"
    (tmp_path / "mine.md").write_text(written, encoding="utf-8")
    flags = ("--prompt", "mine.md", "--check", "icontains", "--check", "not:is_refusal")
    done = run(tmp_path, "init", "task", "--cases", given(tmp_path, "label"), *flags)
    assert done.returncode == 0, done.stderr
    task = load_task(tmp_path / "task")
    assert task.program.prompt.text == written
    assert [getattr(m, "type", m) for m in task.metrics] == ["icontains", "not:is_refusal"]


MISTAKES = {
    "no such file": (["--cases", "no.csv"], "no.csv: there is no such file"),
    "a folder": (["--cases", "."], "this is a folder"),
    "unknown column": (["--cases", "t.csv", "--map", "topik=expected"], "did you mean 'topic'?"),
    "unknown field": (["--cases", "t.csv", "--map", "topic=expectd"], "did you mean 'expected'?"),
    "no pair": (["--cases", "t.csv", "--map", "topic"], "expected COLUMN=FIELD"),
    "no input": (
        ["--cases", "t.csv", "--map", "message=-", "--map", "topic=expected"],
        "no column is the input",
    ),
    "map without file": (["--map", "a=b"], "--cases"),
    "unknown check": (["--cases", "t.csv", "--check", "exact_mach"], "mean 'exact_match'?"),
    "check without options": (["--cases", "t.csv", "--check", "regex"], "regex"),
    "unknown provider": (["--model", "opnai/x"], "openai"),
    "no provider": (["--model", "gpt"], "provider/model"),
    "bad address": (["--model", "vllm/x", "--base-url", "localhost"], "base_url"),
    "no prompt file": (["--prompt", "missing.md"], "missing.md: there is no such file"),
    "misspelt prompt file": (["--prompt", "promt.txt"], "did you mean 'prompt.txt'?"),
    "misspelt prompt file with a rare suffix": (["--prompt", "promt.tpl"], "no such file"),
    "misspelt file of cases": (["--cases", "tt.csv"], "did you mean 't.csv'?"),
    "unknown variable": (["--cases", "t.csv", "--prompt", "Do {{mesage}}"], "'message'"),
    "not CSV": (["--cases", "bad.csv"], "bad.csv:2"),
    "no rows": (["--cases", "empty.csv"], "no rows"),
    "another tool's file": (["--cases", "promptfoo.yaml"], "promptyard evalset import"),
    "no known format": (["--cases", "cases.xlsx"], "not recognised"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_every_mistake_is_one_line_and_writes_nothing(name: str, tmp_path: Path) -> None:
    flags, expected = MISTAKES[name]
    given(tmp_path, "label")
    (tmp_path / "bad.csv").write_text("q,answer\na,b,c\n")
    (tmp_path / "empty.csv").write_text("q,answer\n")
    (tmp_path / "cases.xlsx").write_bytes(b"PK\x03\x04")
    (tmp_path / "promptfoo.yaml").write_text(
        "prompts: ['{{q}}']\nproviders: [openai:x]\ntests:\n  - vars: {q: a}\n    assert:\n"
        "      - {type: equals, value: b}\n"
    )
    (tmp_path / "prompt.txt").write_text("Say what it is about.")
    done = run(tmp_path, "init", "task", *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert expected in done.stderr
    assert "promptyard-init-" not in done.stderr
    assert not (tmp_path / "task").exists()


@pytest.mark.parametrize(
    ("flags", "env", "state", "said"),
    [
        ([], {}, "no_model", "OPENAI_API_KEY"),
        ([], {"GROQ_API_KEY": "k"}, "no_model", "GROQ_API_KEY is set, so --model groq/NAME"),
        (["--model", "openai/m"], {}, "no_key", "export OPENAI_API_KEY=..."),
        (["--model", "openai/m"], {"OPENAI_API_KEY": "k"}, "ready", "OPENAI_API_KEY"),
        (["--model", "embedded/lexical"], {}, "ready", "no language model"),
        (["--model", "openai_compatible/m"], {}, "no_server", "--base-url"),
        (
            ["--model", "vllm/m", "--base-url", "http://127.0.0.1:9/v1"],
            {},
            "no_server",
            "nothing answers at http://127.0.0.1:9/v1",
        ),
        ([], {"PROMPTYARD_TASK_MODEL": "embedded/lexical"}, "ready", "embedded/lexical"),
    ],
)
def test_what_the_model_lacks_is_said(
    flags: list[str], env: dict[str, str], state: str, said: str, tmp_path: Path
) -> None:
    done = run(tmp_path, "init", "task", *flags, "--json", env=env)
    assert done.returncode == 0, done.stderr
    advice = json.loads(done.stdout)["model"]
    assert advice["state"] == state
    assert said in advice["sentence"]


class Terminal:
    """The command on a real pseudo-terminal: waits for words, types answers."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.seen = ""
        self._main, side = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "promptyard", "init", *arguments],
            cwd=folder,
            env=plain_environment() | {"TERM": "dumb", "COLUMNS": "120"},
            stdin=side,
            stdout=side,
            stderr=side,
            close_fds=True,
            start_new_session=True,
        )
        os.close(side)

    def answer(self, question: str, text: str) -> None:
        """Wait until the question stands there, then type."""
        start = len(self.seen)
        self._read_until(lambda: question in self.seen[start:])
        os.write(self._main, text.encode())

    def end(self) -> int:
        """Read to the end and return the exit code."""
        self._read_until(lambda: False)
        code = self._process.wait(30)
        os.close(self._main)
        return code

    def _read_until(self, done: object) -> None:
        deadline = time.monotonic() + 60
        assert callable(done)
        while not done():
            assert time.monotonic() < deadline, self.seen
            if not select.select([self._main], [], [], 1)[0]:
                continue
            try:
                data = os.read(self._main, 65536)
            except OSError:  # the other side is closed
                return
            if not data:
                return
            self.seen += data.decode("utf-8", "replace")


def test_a_dialogue_asks_for_what_is_missing_and_every_question_has_a_default(
    tmp_path: Path,
) -> None:
    given(tmp_path, "label")
    terminal = Terminal(tmp_path, "task")
    terminal.answer("File of cases", "nowhere.csv\n")
    terminal.answer("File of cases", "t.csv\n")
    terminal.answer("Is this right? [Y/n]", "\n")
    terminal.answer("What shall the model do [Sort the message", "promt.txt\n")
    terminal.answer("What shall the model do [Sort the message", "Say what it is about.\n")
    terminal.answer("Checks, with commas between them [exact_match]", "exact_mach\n")
    terminal.answer("Checks, with commas between them [exact_match]", "\n")
    terminal.answer("decide later) [none]", "gpt\n")
    terminal.answer("decide later) [none]", "embedded/lexical\n")
    terminal.answer("Name of the task [task]", "topics\n")
    assert terminal.end() == 0, terminal.seen
    assert "nowhere.csv: there is no such file" in terminal.seen
    assert terminal.seen.count('"expected": "billing"') >= 1
    task = load_task(tmp_path / "task")
    assert task.name == "topics"
    assert task.models.task == "embedded/lexical"
    assert "Say what it is about." in task.program.prompt.text


def test_a_guess_can_be_mended_column_by_column(tmp_path: Path) -> None:
    given(tmp_path, "label")
    terminal = Terminal(tmp_path, "task", "--cases", "t.csv", "--prompt", "Answer.")
    terminal.answer("Is this right?", "n\n")
    terminal.answer("message is", "input.text\n")
    terminal.answer("topic is", "tags\n")
    terminal.answer("Is this right?", "y\n")
    terminal.answer("Checks, with commas between them [word_count]", "regex\n")
    terminal.answer("Model", "\n")
    terminal.answer("Name", "\n")
    assert terminal.end() == 2
    # What is typed may be echoed into the middle of a question.
    assert "check 'regex': option 'pattern' is missing; add it" in terminal.seen.splitlines()[-1]
    assert not (tmp_path / "task").exists()


def test_leaving_a_dialogue_writes_nothing(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "task")
    terminal.answer("File of cases", "\x04")
    assert terminal.end() == 130
    assert "nothing was written" in terminal.seen
    assert not (tmp_path / "task").exists()
