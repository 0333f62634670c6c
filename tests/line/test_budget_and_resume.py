"""What a run does when its budget ends or it is interrupted, on models inside the process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import promptyard as py
from promptyard.errors import AuthFailed, ConfigError, ModelUnusable
from promptyard.records.cases import SplitName
from promptyard.records.runs import Progress, Run
from promptyard.testing import ScriptedModel
from support.world import PROMPT, World

SIZES: dict[SplitName, int] = {"train": 40, "dev": 40, "holdout": 40}


class Stop(Exception):
    """Interrupts a run from outside."""


def task_of(world: World, **options: Any) -> py.Task:
    def reply(body: Mapping[str, Any]) -> str:
        return world.answer(body)

    models = py.Models(
        task=ScriptedModel(reply, name="scripted/task"),
        optimizer=ScriptedModel(reply, name="scripted/optimizer"),
    )
    given: dict[str, Any] = {
        "name": "world",
        "prompt": PROMPT,
        "cases": world.cases,
        "metrics": ["exact_match"],
        "models": models,
        "generators": ["reflect"],
        **options,
    }
    return py.Task(**given)


def world() -> World:
    return World(21, n_cases=SIZES, gain=0.35)


@pytest.mark.parametrize("stop_at", [30, 75, 130, 190])
@pytest.mark.parametrize("n_calls", [150, 400])
def test_an_interrupted_run_resumes_to_the_same_decision_and_the_same_numbers(
    stop_at: int, n_calls: int, tmp_path: Path
) -> None:
    budget = py.Budget(task_calls=n_calls)
    whole = py.optimize(task_of(world()), budget=budget, store=str(tmp_path / "whole.db"))
    url = str(tmp_path / "cut.db")

    def interrupt(progress: Progress) -> None:
        if progress.spent.task_calls >= stop_at:
            raise Stop

    run: Run
    try:
        run = py.optimize(task_of(world()), budget=budget, store=url, on_progress=interrupt)
    except Stop:
        run = py.optimize(task_of(world()), store=url, resume=True)
    assert run.verdict == whole.verdict.model_copy(update={"comparisons": run.verdict.comparisons})
    assert run.best.id == whole.best.id
    n_lost = run.search_task_calls - whole.search_task_calls
    assert 0 <= n_lost <= 2 * 16  # calls in flight at the interruption are booked, not stored
    assert run.notes == whole.notes
    assert run.spent.task_calls <= n_calls


def test_the_end_of_the_optimizer_budget_keeps_what_was_paid_and_ends_well(
    tmp_path: Path,
) -> None:
    run = py.optimize(
        task_of(world(), generators=["reflect", "demos"]),
        budget=py.Budget(optimizer_calls=1),
        store=str(tmp_path / "s.db"),
    )
    assert run.spent.optimizer_calls == 1
    generators = {row.generator for stage in run.stages for row in stage.rows}
    assert "reflect" in generators
    assert run.verdict.sentence


def test_an_optimizer_that_cannot_be_reached_is_an_error_and_no_verdict() -> None:
    refused = ScriptedModel(lambda body: AuthFailed("bad key"), name="scripted/optimizer")
    source = world()
    models = py.Models(task=ScriptedModel(source.answer), optimizer=refused)
    with pytest.raises(ModelUnusable, match="bad key"):
        py.optimize(task_of(source, models=models))


def test_a_dimension_that_nothing_measures_cannot_be_the_primary_one() -> None:
    task = task_of(world(), gates=py.GateSettings(primary="validity"))
    with pytest.raises(ConfigError, match=r"gates\.primary is 'validity'.*accuracy"):
        py.optimize(task)


def test_a_budget_in_usd_needs_prices() -> None:
    with pytest.raises(ConfigError, match=r"no price is known for scripted/task"):
        py.optimize(task_of(world()), budget=py.Budget(usd=1))


def test_a_look_at_the_holdout_by_eval_counts(tmp_path: Path) -> None:
    url = str(tmp_path / "s.db")
    for word in ("Put", "Set", "File"):
        prompt = PROMPT.replace("Sort", word)
        py.evaluate(task_of(world(), prompt=prompt), split="holdout", store=url)
    run = py.optimize(task_of(world()), store=url)
    assert run.decision is not None
    assert run.decision.looks == 4


def test_why_nobody_met_the_holdout_is_said_as_it_is() -> None:
    early = py.optimize(task_of(world()), budget=py.Budget(task_calls=60))
    assert "task calls" in early.verdict.sentence
    assert "the holdout stays sealed and the baseline is kept" in early.verdict.sentence
    nothing = py.optimize(task_of(World(21, n_cases=SIZES, optimizer="useless")))
    assert nothing.verdict.sentence.startswith("No usable candidate was proposed")
