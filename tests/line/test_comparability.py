"""What an eval may be compared with: the same task, checks and cases, and no slice of failures."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import promptyard as py
from line.test_evaluation import BETTER, PROMPT, measured, rows, task
from promptyard.errors import EvalSetError
from promptyard.records.evaluations import AnswerChanges
from promptyard.testing import ScriptedModel

REWORDED = PROMPT.replace("Say", "Do say")


class Unsteady:
    """Is right on 60 % of the cases, whatever the prompt says."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def __call__(self, body: Mapping[str, Any]) -> str:
        number = int(str(body["messages"][-1]["content"]).split()[-1])
        right = "yes" if number % 2 else "no"
        return right if self.random.random() < 0.6 else "perhaps"


def unsteady(seed: int, **options: Any) -> py.Task:
    return task(models=py.Models(task=ScriptedModel(Unsteady(seed))), cases=rows(60), **options)


def status_of(found: Any) -> str:
    assert found.verdict is not None
    return str(found.verdict.status)


def test_cases_chosen_because_they_failed_show_no_gain(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    measured(unsteady(1), store)
    found = measured(unsteady(2, prompt=REWORDED), store, only_failing_of="last", compare="last")
    assert found.verdict is not None
    assert found.verdict.status == "inconclusive"
    assert "chosen because they failed" in found.verdict.sentence


def test_a_run_of_failing_cases_is_no_baseline_for_all_of_them(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    measured(unsteady(1), store)
    part = measured(unsteady(2), store, only_failing_of="last", n_repeats=2)
    found = measured(unsteady(3, prompt=REWORDED), store, compare=part.run_id)
    assert found.verdict is not None
    assert found.verdict.status == "inconclusive"
    assert "of the 60 cases" in found.verdict.sentence


def test_scores_of_other_checks_do_not_compare(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    measured(task(), store)
    easier = py.CheckSpec(type="regex", options={"pattern": "yes|no"})
    found = measured(task(metrics=[easier]), store, compare="last")
    assert found.verdict is not None
    assert found.verdict.status == "inconclusive"
    assert "other checks" in found.verdict.sentence


def test_the_run_of_another_task_is_no_baseline(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    other = measured(task(name="ham"), store)
    for plan in ({"compare": other.run_id}, {"only_failing_of": other.run_id}):
        with pytest.raises(EvalSetError, match=r"run .* is of task 'ham'"):
            measured(task(prompt=BETTER), store, **plan)


def test_a_case_that_was_edited_is_another_case(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    measured(task(), store)
    edited = rows()
    for row in edited:
        if int(row["input"]["mail"].split()[-1]) % 4 == 0:
            row["expected"] = "yes"  # what the prompt always answered to them
    found = measured(task(cases=edited), store, compare="last")
    assert found.verdict is not None
    primary = found.verdict.comparison("score")
    assert primary is not None
    assert (primary.n_cases, primary.difference) == (15, 0.0)
    assert not found.flips
    assert any("5 cases were edited since" in note for note in found.notes)


def test_a_measurement_with_too_few_scores_does_not_agree_with_itself() -> None:
    async def breaks(case: py.Case, output: str) -> float:
        if case.id.endswith("7"):
            raise ValueError("no")
        return 1.0

    found = measured(task(metrics=[breaks]), itself=True)
    assert found.verdict is not None
    assert found.verdict.status == "inconclusive"
    assert "90.0 % of the cases" in found.verdict.sentence


def test_a_prompt_that_changes_no_answer_is_said_to(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    measured(task(), store)
    same = measured(task(prompt=REWORDED), store, compare="last")
    other = measured(task(prompt=BETTER), store, compare="last")
    assert (same.answers, other.answers) == (
        AnswerChanges(n_compared=20, n_changed=0),
        AnswerChanges(n_compared=20, n_changed=5),
    )


def test_chosen_cases_have_no_score_of_the_whole_suite_and_say_what_changed(
    tmp_path: Path,
) -> None:
    store = tmp_path / "runs.db"
    full = measured(task(), store)
    assert "kappa" in full.report.suite
    found = measured(task(prompt=REWORDED), store, only_failing_of=full.run_id)
    assert not found.report.suite
    assert any("kappa" in note and "left out" in note for note in found.notes)
    assert f"no answer differs from run {full.run_id}" in found.notes
    mended = measured(task(prompt=BETTER), store, only_failing_of=full.run_id)
    assert f"5 of 5 answers differ from run {full.run_id}" in mended.notes
