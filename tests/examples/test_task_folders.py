"""The task folders of examples/: they load, check, and grade gold and damaged answers rightly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import promptyard as py
from promptyard.cli.main import app
from promptyard.records.cases import SPLITS, EvalSet, SplitName
from promptyard.records.scores import Report
from support.chat_server import ChatServer
from support.gold_answers import (
    DAMAGES,
    Answer,
    Damage,
    gold_answer,
    gold_model,
    replies,
    rewritten_answer,
)

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TASKS = sorted(path.parent.name for path in EXAMPLES.glob("*/ATTRIBUTION.md"))
DAMAGED = [(name, damage) for name in TASKS for damage in DAMAGES[name]]
MOST_BYTES = 600_000


def answered(name: str, answer: Answer, split: SplitName) -> tuple[Report, int]:
    """Run the cases of a split that can be answered so; the number of them is the second value."""
    task = py.load_task(EXAMPLES / name)
    cases = tuple(case for case in task.eval_set.split(split) if answer(case) is not None)
    eval_set = EvalSet(name=name, cases=cases, version="answered")
    model = gold_model(task.program.prompt, cases, answer)
    given = py.Task(
        name=name,
        program=task.program,
        cases=eval_set,
        metrics=task.metrics,
        models=py.Models(task=model),
    )
    return py.evaluate(given, split=split), len(cases)


def test_there_is_a_folder_for_every_kind_of_task_and_they_stay_small() -> None:
    assert set(TASKS) == set(DAMAGES)
    files = [path for name in TASKS for path in (EXAMPLES / name).iterdir()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES


@pytest.mark.parametrize("name", TASKS)
def test_a_folder_loads_and_says_where_its_cases_come_from(name: str) -> None:
    task = py.load_task(EXAMPLES / name)
    assert [len(task.eval_set.split(split)) for split in SPLITS] == [20, 20, 20]
    attribution = (EXAMPLES / name / "ATTRIBUTION.md").read_text("utf-8")
    for what in ("licen" if "CC0" not in attribution else "CC0", "commit ", "Changes:", "Authors:"):
        assert what in attribution


@pytest.mark.parametrize("name", TASKS)
def test_a_folder_passes_the_check_command(name: str) -> None:
    done = CliRunner().invoke(app, ["check", str(EXAMPLES / name)])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", TASKS)
def test_gold_answers_score_one_on_every_case(name: str, split: SplitName) -> None:
    report, n_cases = answered(name, gold_answer, split)
    assert n_cases == 20
    assert (report.score, report.coverage) == (1.0, 1.0), [t for t in report.trials if not t.passed]


@pytest.mark.parametrize("name", [name for name in TASKS if name not in {"banking77", "ifeval"}])
def test_gold_answers_that_are_written_otherwise_score_one_too(name: str) -> None:
    report, n_cases = answered(name, rewritten_answer, "dev")
    assert n_cases == 20
    assert (report.score, report.coverage) == (1.0, 1.0), [t for t in report.trials if not t.passed]


@pytest.mark.parametrize(
    ("name", "damage"), DAMAGED, ids=[f"{name}: {damage.name}" for name, damage in DAMAGED]
)
def test_damage_has_exactly_its_tags(name: str, damage: Damage) -> None:
    report, n_cases = answered(name, damage.answer, "dev")
    assert n_cases > 0
    assert report.coverage == 1.0
    for trial in report.trials:
        assert {tag for score in trial.scores for tag in score.tags} == damage.tags
        assert trial.score is not None
        assert trial.score < 1.0
        if damage.score is not None:
            assert trial.score == pytest.approx(damage.score)


@pytest.mark.parametrize("name", TASKS)
def test_a_folder_is_evaluated_over_http_by_the_command_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server refuses formats and schemas that the real service would refuse."""
    task = py.load_task(EXAMPLES / name)
    monkeypatch.setenv("PROMPTYARD_STORE", str(tmp_path / "store.db"))
    with ChatServer(replies(task.program.prompt, task.eval_set.cases, gold_answer)) as server:
        monkeypatch.setenv("PROMPTYARD_BASE_URL", server.base_url)
        arguments = ["eval", str(EXAMPLES / name), "--model", "openai_compatible/gold", "--json"]
        done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["score"], said["coverage"]) == (1.0, 1.0)


def test_the_embedded_model_runs_the_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It picks among the labels that the prompt shows, so its score is neither 0 nor 1."""
    monkeypatch.setenv("PROMPTYARD_STORE", str(tmp_path / "store.db"))
    folder = EXAMPLES / "banking77"
    done = CliRunner().invoke(app, ["eval", str(folder), "--model", "embedded/lexical", "--json"])
    assert done.exit_code == 0, done.output
    assert 0.0 < json.loads(done.stdout)["score"] < 1.0
