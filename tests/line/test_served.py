"""What a run says it would have served: each lead is over the baseline, whatever came between."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import promptyard as py
from promptyard.testing import ScriptedModel
from promptyard.testing.search_world import RULES
from support.rule_task import rule_task

HALF = ("format", "units")


def slow_learner() -> ScriptedModel:
    """An optimizer that knows two of four cures at first, and all of them later."""
    n_asked = 0

    def edit(body: Mapping[str, Any]) -> str:
        nonlocal n_asked
        n_asked += 1
        known = HALF if n_asked <= 12 else tuple(RULES)
        request = str(body["messages"][-1]["content"])
        edits = [
            {"op": "append", "section": "manner", "old": "", "new": RULES[tag]}
            for tag in known
            if f"{tag} is wrong" in request
        ]
        return json.dumps({"hypothesis": "The prompt does not say how.", "edits": edits})

    return ScriptedModel(edit, name="scripted/optimizer")


def test_a_prompt_that_follows_a_served_one_is_still_compared_with_the_baseline() -> None:
    task = rule_task(sizes={"train": 120, "dev": 40, "holdout": 40})
    models = py.Models(task=task.models.task, optimizer=slow_learner())
    run = py.optimize(rule_task(sizes={"train": 120, "dev": 40, "holdout": 40}, models=models))
    leads = [point.difference for point in run.served]
    assert len(leads) >= 2
    assert leads[-1] > leads[0] > 0.2
    assert leads[-1] > 0.9, "all four rules are there, and the baseline passes nothing"
    calls = [point.calls_so_far for point in run.served]
    assert calls == sorted(calls)
    assert run.served[-1].program.id == run.best.id


def test_what_is_returned_unproven_is_not_said_to_have_been_left_out() -> None:
    run = py.optimize(rule_task(sizes={"train": 120, "dev": 4}))
    assert run.verdict.status == "inconclusive"
    assert run.best.id != run.baseline.id
    assert run.verdict.sentence.startswith(
        "Returned because it led on unseen train cases; the gate cannot decide: score"
    )
    assert "baseline stays" not in run.verdict.sentence
