"""The plan of a run: what it will take and show, before anything is spent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import promptyard as py
from promptyard.errors import ConfigError, EvalSetError
from promptyard.line.forecast import RunPlan, plan_run
from promptyard.line.registering import register_prompt
from promptyard.line.ship import promote_version
from promptyard.line.task import load_task
from promptyard.testing import ScriptedModel
from support.rule_task import rule_task
from support.task_folder import write_task
from support.tiny_task import TASK

JUDGED = {"type": "llm_rubric", "options": {"rubric": "It is polite."}}


def plan(task: py.Task | None = None, **options: Any) -> RunPlan:
    return asyncio.run(plan_run(task or rule_task(), **options))


def by_phase(found: RunPlan) -> dict[str, tuple[int | None, int | None]]:
    return {phase.phase: (phase.expected.task, phase.maximum.task) for phase in found.phases}


def test_a_plan_costs_no_call_and_makes_no_store(tmp_path: Path) -> None:
    model = ScriptedModel("yes")
    task = rule_task(models=py.Models(task=model))
    found = plan(task, store=str(tmp_path / "none.db"))
    assert model.n_requests == 0
    assert list(tmp_path.iterdir()) == []
    assert found.measured is None


def test_phases_name_expected_and_most_calls() -> None:
    found = plan(budget=py.Budget(task_calls=400))
    phases = by_phase(found)
    assert phases["baseline"] == (30, 30)
    assert phases["dev"] == (80, 160)
    assert phases["holdout"] == (80, 80)
    free = 400 - 84 - 84  # dev and holdout with what is kept for retries
    assert phases["fresh checks"] == (50, free)  # 1.65 for each of 30 cases
    assert found.expected.task == sum(expected or 0 for expected, _ in phases.values())
    assert (found.maximum.task, found.maximum.optimizer) == (400, None)
    assert found.expected.judge == 0


def test_what_really_happens_stays_within_the_plan() -> None:
    budget = py.Budget(task_calls=400)
    found, run = plan(budget=budget), py.optimize(rule_task(), budget=budget)
    assert run.spent.task_calls <= (found.maximum.task or 0)
    stages = {stage.stage: stage.calls for stage in run.stages}
    phases = by_phase(found)
    assert stages["baseline"] == phases["baseline"][0]
    assert stages["decide"] == phases["holdout"][0]
    assert stages["full"] <= (phases["dev"][1] or 0)
    assert 0.5 <= run.spent.task_calls / (found.expected.task or 1) <= 2


def test_without_a_budget_the_search_has_no_limit_and_the_plan_says_so() -> None:
    found = plan()
    assert found.maximum.task is None
    assert by_phase(found)["slices"][1] is None
    assert found.expected.task is not None
    assert plan(strategy="opro").expected.task is None, "it goes on until a budget ends"


def test_a_small_budget_says_what_it_leaves_out() -> None:
    said = "\n".join(plan(budget=py.Budget(task_calls=200, optimizer_calls=3)).left_out)
    assert "the budget leaves the search 72 of about" in said
    assert "less or none for slices, fresh checks" in said
    assert "only 22 of 40 dev cases are sure to be paid" in said
    assert "the budget of 3 optimizer calls pays about" in said
    tiny = plan(budget=py.Budget(task_calls=50))
    assert "this run only explores" in tiny.left_out[0]
    assert "holdout" not in by_phase(tiny)
    assert plan(budget=py.Budget(task_calls=1000)).left_out == ()


def test_judges_are_counted_by_the_checks_that_ask_them() -> None:
    judge = ScriptedModel("{}", name="scripted/judge")
    model = ScriptedModel("yes")
    models = py.Models(task=model, judge=judge)
    checks: list[Any] = [py.CheckSpec.model_validate(JUDGED)]
    found = plan(rule_task(metrics=["exact_match", *checks], models=models))
    assert found.expected.judge == found.expected.task
    assert found.models["judge"] == "scripted/judge"


def test_a_price_that_is_known_prices_the_plan_and_another_is_named(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "t", task_yaml=TASK.replace("embedded/lexical", "openai/m"))
    prices = "prices:\n  openai/m: {input_usd_per_mtok: 2, output_usd_per_mtok: 8}\n"
    (tmp_path / "t" / "promptyard.yaml").write_text(prices, encoding="utf-8")
    found = plan(load_task(folder), budget=py.Budget(task_calls=200, optimizer_calls=10))
    assert found.unpriced == ()
    assert found.usd is not None
    assert found.max_usd is not None
    per_token = found.usd / (found.tokens or 1)
    assert 2e-6 <= per_token <= 8e-6
    assert found.max_usd >= found.usd
    unpriced = plan()
    assert (unpriced.usd, unpriced.unpriced) == (None, ("task", "optimizer"))


def test_measurements_of_the_same_program_tell_tokens_and_headroom(tmp_path: Path) -> None:
    url = str(tmp_path / "runs.db")
    solved = py.optimize(rule_task(), store=url).best
    again = rule_task(prompt=None, program=solved)
    found = plan(again, store=url)
    assert found.measured is not None
    assert (found.measured.split, found.measured.score) == ("holdout", 1.0)
    assert found.tokens_per_call["task"] == round(found.measured.dimensions["tokens"])
    assert [note.split(":")[0] for note in found.warnings] == ["low headroom"]
    run = py.optimize(again, store=url)
    assert found.warnings[0] in run.notes
    other = plan(rule_task(prompt="user:\nAnother one: {{x}}\n"), store=url)
    models = py.Models(task=ScriptedModel("yes", name="scripted/other"))
    elsewhere = plan(rule_task(prompt=None, program=solved, models=models), store=url)
    assert (other.measured, elsewhere.measured) == (None, None)


@pytest.mark.parametrize(
    ("n_holdout", "words"),
    [
        (1, ": 1 holdout case cannot show"),
        (4, "4 holdout cases cannot show any gain"),
        (40, "miss a gain of 10 points"),
        (120, None),
    ],
)
def test_too_few_cases_are_called_under_powered_before_and_in_the_run(
    n_holdout: int, words: str | None
) -> None:
    task = rule_task(sizes={"train": 60, "dev": 40, "holdout": n_holdout})
    said = [note for note in plan(task).warnings if note.startswith("under-powered")]
    assert [words in note for note in said if words] == ([True] if words else [])
    assert (words is None) == (said == [])
    assert [note for note in py.optimize(task).notes if note.startswith("under-powered")] == said


def test_a_run_says_that_another_prompt_than_the_task_s_own_is_served(tmp_path: Path) -> None:
    """Else 'the baseline stays' is read as if it were about what production serves."""
    url = str(tmp_path / "store.db")
    task = rule_task(sizes={"train": 3, "dev": 3, "holdout": 3})
    better = tmp_path / "better.md"
    better.write_text(f"{task.program.prompt.text}\nBe brief.\n")

    def said() -> list[str]:
        return [note for note in py.optimize(task, store=url).notes if "production" in note]

    first = asyncio.run(register_prompt(url, task, author="ann"))
    other = asyncio.run(register_prompt(url, task, prompt=better, author="ann"))
    for version, begins in ((other, ["production is at v2, another prompt"]), (first, [])):
        asyncio.run(
            promote_version(
                url,
                task.name,
                str(version.number),
                pointer="production",
                actor="ann",
                reason="it serves",
            )
        )
        assert [note.split(" than ")[0] for note in said()] == begins


def test_without_a_holdout_dev_decides_and_is_what_power_is_asked_of() -> None:
    found = plan(rule_task(sizes={"train": 60, "dev": 40}))
    assert [power.split for power in found.power] == ["dev"]
    assert "40 dev cases miss" in found.warnings[0]
    assert by_phase(found)["dev"] == (80, 80)


def test_what_cannot_be_run_cannot_be_planned() -> None:
    with pytest.raises(EvalSetError, match="train"):
        plan(rule_task(sizes={"dev": 10, "holdout": 10}))
    with pytest.raises(ConfigError, match="auto"):
        plan(strategy="atuo")
    with pytest.raises(ConfigError, match="no task model"):
        plan(rule_task(models=py.Models()))
