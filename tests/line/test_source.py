"""Errors about a task say where in its files, or elsewhere, the mistake was made."""

from __future__ import annotations

from pathlib import Path

import pytest

import promptyard as py
from promptyard.config import ProjectConfig, load_project_config
from promptyard.errors import ConfigError, EvalSetError
from promptyard.line.check import check
from promptyard.line.role_models import build_models
from promptyard.line.task import load_task
from promptyard.line.wiring import build_generators, metrics_of
from promptyard.records.cases import CheckSpec
from promptyard.records.prompts import Program, Prompt, Step, WorkflowSpec
from support.task_folder import write_task
from support.tiny_task import TASK

ROWS = [{"input": {"text": f"t{n}"}, "expected": "a", "split": "train"} for n in range(3)]


def refusal(task: py.Task, project: ProjectConfig | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        build_models(task.models, project or ProjectConfig(), task.source)
    return str(caught.value)


def in_memory(prompt: str = "user:\n{{text}}\n", **settings: object) -> py.Task:
    rows = [{**row, "split": split} for row in ROWS for split in ("train", "dev", "holdout")]
    rows = [{**row, "id": str(number)} for number, row in enumerate(rows)]
    given = {"name": "t", "prompt": prompt, "cases": rows, "metrics": ["equals"], **settings}
    return py.Task(**given)  # pyright: ignore[reportArgumentType] (what each test changes differs)


def test_a_model_that_was_given_instead_has_no_line_in_the_file(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "t")
    message = refusal(load_task(folder, models=py.Models(task="opnai/x")))
    assert message == "unknown provider 'opnai'; did you mean 'openai/x'?"


def test_a_model_of_the_environment_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_yaml = TASK.replace("models: {task: embedded/lexical}\n", "")
    task = load_task(write_task(tmp_path / "t", task_yaml=task_yaml))
    monkeypatch.setenv("PROMPTYARD_TASK_MODEL", "opnai/x")
    monkeypatch.chdir(tmp_path)
    project = load_project_config(tmp_path, {"PROMPTYARD_TASK_MODEL": "opnai/x"})
    assert refusal(task, project).startswith("environment: PROMPTYARD_TASK_MODEL: unknown provider")


def test_without_files_a_mistake_is_told_as_such() -> None:
    with pytest.raises(ConfigError, match=r"^unknown check 'exact_mach'; did you mean"):
        metrics_of(in_memory(metrics=["exact_mach"]))
    with pytest.raises(ConfigError, match=r"^generators: unknown name 'reflct'"):
        build_generators(in_memory(generators=["reflct"]))
    with pytest.raises(EvalSetError, match=r"^line 2 of the prompt: .*\{\{txt\}\}, which no case"):
        in_memory("user:\n{{txt}}\n")
    own = [{**ROWS[0], "id": "c", "checks": ["exact_mach"]}]
    rest = [{"input": {"text": s}, "split": s} for s in ("dev", "holdout")]
    with pytest.raises(ConfigError, match=r"^case 'c': checks\[0\]: unknown check 'exact_mach'"):
        metrics_of(in_memory(cases=[*own, *rest]))


def test_a_step_that_asks_for_a_later_one_is_told_so() -> None:
    steps = (
        Step(name="first", prompt=Prompt.from_text("user:\n{{second}} {{text}}\n")),
        Step(name="second", prompt=Prompt.from_text("user:\n{{first}}\n")),
    )
    program = Program(steps=steps, workflow=WorkflowSpec(name="chain"))
    with pytest.raises(EvalSetError) as caught:
        in_memory(prompt=None, program=program)  # pyright: ignore[reportArgumentType] (replaces it)
    assert str(caught.value).startswith("step 'first', line 2: the prompt uses {{second}}")
    assert "the step of this name runs later" in str(caught.value)


def test_a_workflow_that_is_none_is_found_before_a_run(tmp_path: Path) -> None:
    text = f"{TASK}program: {{workflow: sngle}}\n"
    task = load_task(write_task(tmp_path / "t", task_yaml=text))
    line = len(text.splitlines())
    found = rf"task\.yaml:{line}: program\.workflow: .*'sngle'; did you mean 'single'\?"
    with pytest.raises(ConfigError, match=found):
        check(task)


def test_files_that_were_changed_meanwhile_cost_only_the_line(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "t", task_yaml=TASK.replace("exact_match", "exact_mach"))
    task = load_task(folder)
    assert task.source is not None
    for name in ("task.yaml", "cases.jsonl"):
        (folder / name).write_text("{", "utf-8")
    assert task.source.case_place("lost_card-0") is None
    with pytest.raises(ConfigError, match=r"^checks\[0\]\.type: unknown check 'exact_mach'"):
        metrics_of(task)
    (folder / "task.yaml").unlink()
    with pytest.raises(ConfigError, match=r"^checks\[0\]\.type: unknown check 'exact_mach'"):
        metrics_of(task)


def test_options_that_are_given_in_python_are_named_by_their_key() -> None:
    spec = CheckSpec(type="contains", options={"valeu": "x"})
    with pytest.raises(ConfigError, match=r"^check 'contains': unknown option 'valeu'"):
        metrics_of(in_memory(metrics=[spec]))
