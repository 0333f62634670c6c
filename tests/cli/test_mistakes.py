"""Every mistake that a user can make in a task's files, and the one line that each of them gets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.shell import Run
from support.task_folder import cases, write_task
from support.tiny_task import PROMPT, TASK

MISTAKES: dict[str, tuple[dict[str, str], list[str]]] = {
    "broken yaml": ({"task_yaml": TASK + "  - {type: [\n"}, ["task.yaml:8", "not YAML"]),
    "unknown key": (
        {"task_yaml": TASK.replace("checks:", "chekcs:")},
        ["task.yaml:5", "chekcs", "checks"],
    ),
    "unknown key in a check": (
        {"task_yaml": TASK.replace("severity", "sevrity")},
        ["sevrity", "severity"],
    ),
    "wrong type": (
        {"task_yaml": TASK + "splits: {train: lots}\n"},
        ["task.yaml:7", "splits.train"],
    ),
    "missing prompt file": (
        {"task_yaml": TASK.replace("prompt.md", "promt.md")},
        ["task.yaml:2", "promt.md", "no file"],
    ),
    "missing cases file": (
        {"task_yaml": TASK.replace("cases.jsonl", "case.jsonl")},
        ["case.jsonl"],
    ),
    "unknown metric": (
        {"task_yaml": TASK.replace("exact_match", "exact_macth")},
        ["exact_macth", "exact_match"],
    ),
    "unknown variable": ({"prompt_md": PROMPT.replace("{{text}}", "{{txet}}")}, ["txet", "text"]),
    "no variable": ({"prompt_md": PROMPT.replace("{{text}}", "text")}, ["no variable", "{{name}}"]),
    "zero cases": ({"cases_jsonl": "\n\n"}, ["cases.jsonl"]),
    "duplicate ids": (
        {"cases_jsonl": "".join(json.dumps({**row, "id": "x"}) + "\n" for row in cases(1))},
        ["cases.jsonl:2", "x"],
    ),
    "no json": ({"cases_jsonl": "{oops\n"}, ["cases.jsonl:1"]),
    "unknown key in a case": (
        {"cases_jsonl": json.dumps({"input": {"text": "a"}, "expcted": "b"}) + "\n"},
        ["cases.jsonl:1", "expcted", "expected"],
    ),
    "unknown provider": (
        {"task_yaml": TASK.replace("embedded/lexical", "opnai/gpt-5")},
        ["opnai", "openai"],
    ),
    "no provider": ({"task_yaml": TASK.replace("embedded/lexical", "gpt-5")}, ["provider/model"]),
    "no key": (
        {"task_yaml": TASK.replace("embedded/lexical", "openai/gpt-5")},
        ["OPENAI_API_KEY", "embedded/lexical"],
    ),
    "nobody listens": (
        {
            "task_yaml": TASK.replace(
                "{task: embedded/lexical}",
                "{task: openai/m, base_url: 'http://127.0.0.1:9/v1'}",
            )
        },
        ["127.0.0.1:9"],
    ),
    "unknown strategy": ({"task_yaml": TASK + "optimize: {strategy: atuo}\n"}, ["atuo", "auto"]),
}


@pytest.mark.parametrize("mistake", sorted(MISTAKES))
@pytest.mark.parametrize("command", ["eval", "optimize"])
def test_a_mistake_is_one_line_that_says_what_where_and_what_to_do(
    mistake: str, command: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    files, words = MISTAKES[mistake]
    if mistake == "unknown strategy" and command == "eval":
        pytest.skip("eval uses no strategy")
    result = run(command, write_task(tmp_path / "t", **files))
    assert result.code == 2
    assert result.out == ""
    assert all(line.startswith("error: ") for line in result.err.splitlines()), result.err
    for word in words:
        assert word in result.err
