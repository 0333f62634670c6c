"""Who speaks HTTP is never advised an option of the command line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import promptyard
from promptyard.errors import Advised, ConfigError, NotFound, as_one
from promptyard.service.http_words import JOBS, REQUESTS, http_line, http_lines
from promptyard.service.openapi import ServiceApp, operations

ROOT = Path(promptyard.__file__).parent
SPEAKS_TO_THE_TERMINAL = {
    "cli",
    "line/convert.py",
    "line/eval_spans.py",
    "line/induction.py",
    "line/judge_outputs.py",
    "line/label_session.py",
    "line/labelled.py",
    "line/labelling.py",
    "line/live_scores.py",
    "line/model_advice.py",
    "line/new_task.py",
    "line/new_task_arguments.py",
    "line/new_task_files.py",
    "line/release_demo.py",
    "line/rollout_plan.py",
    "evalset/foreign",
    "service/server.py",
}
"""What no request reaches: commands alone, files of other tools, the start of the service."""
FOR_WHO_RUNS_IT = (
    "`promptyard keys create NAME --scope admin` on the store makes one",
    "with --store",
    "--from: ",
    "`promptyard optimize --resume`",
    "; `promptyard eval --compare ",
    "--pointers moves them",
    "upgrade: pip install --upgrade promptyard",
    "where `--as` does not say it",
    "--to ",
    " --version VERSION` begins one",
    "without --filter-failing ",
    "`--split all` ",
)
"""Parts of lines for whoever runs a command or the service, and of commands in backticks."""
OPTION = re.compile(r"(^|[\s(`])--[a-z]")
KEPT = {
    "judge calibrate",
    "keys create",
    "keys list",
    "keys revoke",
    "serve",
    "prompts publish",
    "check",
}
"""Commands that have no request, or are for whoever runs the service."""


def modules() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not any(name == item or name.startswith(f"{item}/") for item in SPEAKS_TO_THE_TERMINAL):
            yield path


def texts(path: Path) -> Iterator[str]:
    """Texts of a module, without docstrings and without what is for the command line alone."""
    tree = ast.parse(path.read_text())
    left_out: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            left_out.add(id(node.value))
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Name) and called.id == "Advised":
            assert isinstance(node, ast.Call)
            left_out |= {id(part) for part in ast.walk(node.args[1])}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in left_out:
            continue
        if isinstance(node.value, str):
            yield node.value


def test_no_line_that_reaches_a_client_names_an_option() -> None:
    found = [
        (path.relative_to(ROOT).as_posix(), text)
        for path in modules()
        for text in texts(path)
        if OPTION.search(text) and not any(part in text for part in FOR_WHO_RUNS_IT)
    ]
    assert found == []


def test_every_command_that_a_line_names_is_said_as_a_request_or_a_job() -> None:
    named = {
        match[1].strip()
        for path in modules()
        for text in texts(path)
        for match in re.finditer(r"`promptyard ([a-z]+(?: [a-z]+)?)", text)
    }
    assert len(named) > 10
    assert {name for name in named if not name.startswith(tuple(JOBS))} - set(REQUESTS) <= KEPT


def test_every_request_that_is_advised_is_one_of_the_service() -> None:
    document = ServiceApp().openapi()
    known = {f"{method.upper()} {path}" for path, method, _ in operations(document)}
    assert set(REQUESTS.values()) <= known


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            NotFound("no x; `promptyard prompts log` lists them"),
            "no x; `GET /api/v1/prompts` lists",
        ),
        (
            NotFound("no x; `promptyard prompts log p` lists"),
            "`GET /api/v1/prompts/{name}/versions`",
        ),
        (NotFound("go on with `promptyard optimize --resume`"), "a job `optimize` with `resume`"),
        (NotFound("`promptyard gate` does"), "a job `gate` does"),
        (NotFound("`promptyard keys create NAME` does"), "`promptyard keys create NAME` does"),
        (ConfigError(Advised("leave ", "--force out", "force out")), "leave force out"),
        (NotFound("no prompt '--force' is registered"), "no prompt '--force' is registered"),
    ],
)
def test_an_error_is_said_in_the_words_of_http(error: NotFound, said: str) -> None:
    assert said in http_line(error)


def test_several_lines_and_what_stands_before_them_keep_their_words() -> None:
    line = Advised("give ", "--into", "into").after("file: ")
    error = as_one([ConfigError(line), ConfigError("other")])
    assert str(error) == "file: give --into (and 1 more)"
    assert http_lines(error) == ("file: give into", "other")
    assert http_line(error) == "file: give into (and 1 more)"
