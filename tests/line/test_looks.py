"""A holdout that was looked at too often is refused before a call for it, on a real store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import promptyard as py
from promptyard.errors import EvalSetError
from promptyard.line.query import opened
from promptyard.records.base import content_hash
from promptyard.records.cases import SplitName
from promptyard.testing import ScriptedModel
from support.world import PROMPT, RULE, World

SIZES: dict[SplitName, int] = {"train": 40, "dev": 40, "holdout": 40}


class Counted:
    """A task whose models count their calls, all of them and those on holdout cases.

    `rule` is the sentence that the optimizer proposes and that helps.
    """

    def __init__(self, prompt: str = PROMPT, rule: str = RULE) -> None:
        self.n_calls = self.n_holdout_calls = 0
        self._world = World(21, n_cases=SIZES, gain=0.35)
        holdout = [case for case in self._world.cases if case["split"] == "holdout"]
        self._holdout_texts = [str(case["input"]["text"]) for case in holdout]

        def reply(body: Mapping[str, Any]) -> str:
            self.n_calls += 1
            said = json.dumps(body)
            self.n_holdout_calls += any(text in said for text in self._holdout_texts)
            answer = self._world.answer(json.loads(said.replace(rule, RULE)))
            return answer.replace(RULE, rule)

        models = py.Models(
            task=ScriptedModel(reply, name="scripted/task"),
            optimizer=ScriptedModel(reply, name=f"scripted/{len(rule)}-optimizer"),
        )
        self.task = py.Task(
            name="world",
            prompt=prompt,
            cases=self._world.cases,
            metrics=["exact_match"],
            models=models,
            generators=["reflect"],
        )

    def wear_out(self, url: str, looks: int) -> None:
        """Record `looks` looks of other pairs at this holdout."""

        async def count() -> None:
            ids = "\n".join(sorted(case.id for case in self.task.eval_set.split("holdout")))
            async with opened(url, must_exist=False) as store:
                for number in range(looks):
                    await store.count_look(content_hash(ids), f"pair-{number}")

        asyncio.run(count())


def looks_at(url: str, counted: Counted) -> int:
    async def read() -> int:
        ids = "\n".join(sorted(case.id for case in counted.task.eval_set.split("holdout")))
        async with opened(url) as store:
            return len(await store.looks(content_hash(ids)))

    return asyncio.run(read())


def test_optimize_refuses_a_worn_out_holdout_before_any_call(tmp_path: Path) -> None:
    url = str(tmp_path / "s.db")
    counted = Counted()
    counted.wear_out(url, 19)
    with pytest.raises(EvalSetError, match=r"looked at 19 times and is worn out.*--force"):
        py.optimize(counted.task, store=url)
    assert counted.n_calls == 0
    assert looks_at(url, counted) == 19


def test_optimize_looks_at_it_when_forced_and_says_so(tmp_path: Path) -> None:
    url = str(tmp_path / "s.db")
    counted = Counted()
    counted.wear_out(url, 19)
    run = py.optimize(counted.task, store=url, force=True)
    assert counted.n_holdout_calls > 0
    assert run.decision is not None
    assert run.decision.looks == 20
    assert any("looked at 20 times" in note for note in run.notes)


def test_the_nineteenth_look_is_still_allowed(tmp_path: Path) -> None:
    url = str(tmp_path / "s.db")
    counted = Counted()
    counted.wear_out(url, 18)
    run = py.optimize(counted.task, store=url)
    assert run.decision is not None
    assert run.decision.looks == 19


def test_the_same_pair_may_look_again_at_a_worn_out_holdout(tmp_path: Path) -> None:
    url = str(tmp_path / "s.db")
    first = Counted()
    before = py.optimize(first.task, store=url)
    first.wear_out(url, 30)
    again = Counted()
    after = py.optimize(again.task, store=url)
    assert after.finalist == before.finalist is not None
    assert after.decision is not None
    assert after.decision.looks == 31
    assert looks_at(url, again) == 31


def test_another_finalist_of_a_known_baseline_is_refused_at_the_decision(tmp_path: Path) -> None:
    """The search could have found the same pair again; its calls are stored for a forced run."""
    url = str(tmp_path / "s.db")
    first = Counted()
    before = py.optimize(first.task, store=url)
    first.wear_out(url, 30)
    other = Counted(rule="Find the reference number of the sender first.")
    with pytest.raises(EvalSetError, match="worn out"):
        py.optimize(other.task, store=url)
    assert other.n_holdout_calls == 0
    searched = other.n_calls
    assert looks_at(url, other) == 31
    run = py.optimize(other.task, store=url, resume=True, force=True)
    assert run.finalist != before.finalist
    assert other.n_holdout_calls == other.n_calls - searched > 0
    assert looks_at(url, other) == 32


def test_evaluate_refuses_a_worn_out_holdout_before_any_call(tmp_path: Path) -> None:
    url = str(tmp_path / "s.db")
    seen, new = Counted(), Counted(PROMPT.replace("Sort", "Put"))
    py.evaluate(seen.task, split="holdout", store=url)
    seen.wear_out(url, 18)
    with pytest.raises(EvalSetError, match="looked at 19 times"):
        py.evaluate(new.task, split="holdout", store=url)
    assert new.n_calls == 0
    assert py.evaluate(seen.task, split="holdout", store=url).coverage == 1.0
    assert looks_at(url, seen) == 19
    assert py.evaluate(new.task, split="holdout", store=url, force=True).coverage == 1.0
    assert looks_at(url, seen) == 20
    py.evaluate(new.task, split="dev", store=url)  # other splits do not wear out
