"""`promptyard init --induce`: a first prompt out of cases, chosen on train, with what it cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from cli.test_init import CSV, run
from promptyard.line.task import load_task
from support.chat_server import Body, ChatServer, Fault

GOOD = "Read the question and name the team that it is for."
INDUCED = ["Answer with anything.", GOOD, "Name a thing.", GOOD.upper()]


def answer(body: Body) -> str:
    """As optimizer: an induced instruction. As task model: right only under the good one."""
    text = json.dumps(body["messages"])
    if body["model"] == "writer":
        return json.dumps({"instruction": INDUCED[hash_of(text) % len(INDUCED)]})
    label = next(name for name in ("billing", "login", "delivery") if f"about {name}" in text)
    return label if GOOD in text else "none of them"


def hash_of(text: str) -> int:
    return sum(map(ord, text))


def init(
    folder: Path, server: ChatServer, *arguments: object, model: str = "openai_compatible/task"
) -> tuple[int, str, str]:
    (folder / "t.csv").write_text(CSV)
    done = run(
        folder,
        "init",
        "task",
        "--cases",
        "t.csv",
        "--induce",
        *(("--model", model) if model else ()),
        "--base-url",
        server.base_url,
        *arguments,
        env=KEY,
    )
    return done.returncode, done.stdout, done.stderr


KEY: Mapping[str, str] = {"PROMPTYARD_API_KEY": "k"}
WRITER = ("--optimizer-model", "openai_compatible/writer")


def test_the_best_of_the_induced_instructions_becomes_the_prompt(tmp_path: Path) -> None:
    with ChatServer(answer) as server:
        code, out, err = init(tmp_path, server, *WRITER)
    assert code == 0, err
    prompt = load_task(tmp_path / "task").program.prompt
    assert prompt.text.split("system:\n")[1].startswith(f"{GOOD}\n\n## Labels")
    assert prompt.variables == ("message",)
    assert "100.0 % on" in out
    assert "8 optimizer calls" in out
    assert GOOD in out


def test_the_figures_are_data_with_json(tmp_path: Path) -> None:
    with ChatServer(answer) as server:
        code, out, _ = init(tmp_path, server, *WRITER, "--json")
        n_requests = server.n_requests
    found = json.loads(out)["induced"]
    assert code == 0
    assert found["tried"][0] == {"instruction": GOOD, "score": 1.0}
    assert [item["score"] for item in found["tried"]] == sorted(
        (item["score"] for item in found["tried"]), reverse=True
    )
    spent = found["spent"]
    assert spent["optimizer_calls"] == 8
    assert spent["task_calls"] == len(found["tried"]) * found["n_cases"]
    assert spent["optimizer_calls"] + spent["task_calls"] == n_requests


def test_what_was_paid_is_not_paid_again(tmp_path: Path) -> None:
    with ChatServer(answer) as server:
        init(tmp_path, server, *WRITER)
        n_requests = server.n_requests
        code, out, _ = init(tmp_path, server, *WRITER, "--force")
        assert server.n_requests == n_requests
    assert code == 0
    assert "0 optimizer calls, 0 task calls" in out


def test_without_a_task_model_that_answers_the_first_is_taken_and_that_is_said(
    tmp_path: Path,
) -> None:
    def faults(index: int, body: Body) -> Fault | None:
        return Fault.status(404) if body["model"] == "task" else None

    with ChatServer(answer, faults) as server:
        code, out, err = init(tmp_path, server, *WRITER)
    assert code == 0, err
    assert "not ranked: the task model gives no answer" in out


def test_a_model_for_the_optimizer_alone_is_enough(tmp_path: Path) -> None:
    with ChatServer(answer) as server:
        code, out, err = init(tmp_path, server, *WRITER, model="")
        bodies = [item.body["model"] for item in server.requests]
    assert code == 0, err
    assert "not ranked: no task model is named" in out
    assert set(bodies) == {"writer"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--prompt", "Sort it."), "--induce writes the prompt itself"),
        (("--optimizer-model", "embedded/lexical"), "embedded/lexical is none"),
        (("--check", "no_such_check"), "no_such_check"),
    ],
)
def test_a_mistake_is_one_line_and_costs_nothing(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    with ChatServer(answer) as server:
        code, _, err = init(tmp_path, server, *arguments)
        assert server.n_requests == 0
    assert code == 2
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "task").exists()


def test_without_any_model_it_says_what_to_name(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(CSV)
    done = run(tmp_path, "init", "task", "--cases", "t.csv", "--induce")
    assert done.returncode == 2
    assert "name it with --model or --optimizer-model" in done.stderr


def test_replies_that_hold_no_instruction_write_nothing(tmp_path: Path) -> None:
    with ChatServer(lambda body: "I would rather chat.") as server:
        code, _, err = init(tmp_path, server, *WRITER)
    assert code == 2
    assert "no instruction came of 8 replies" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "task").exists()


def test_cases_without_an_expected_answer_cannot_show_what_is_asked(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("question\n" + "".join(f"why {n}\n" for n in range(9)))
    with ChatServer(answer) as server:
        done = run(
            tmp_path, "init", "task", "--cases", "t.csv", "--induce", *WRITER,
            "--base-url", server.base_url, env=KEY,
        )  # fmt: skip
        assert server.n_requests == 0
    assert done.returncode == 2
    assert "needs train cases with an expected answer, and there are 0" in done.stderr
