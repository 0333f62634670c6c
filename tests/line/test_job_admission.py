"""Orders that could not be carried out are refused when they are given, on a real store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from promptyard.errors import ConfigError, EvalSetError, NotFound, PromptyardError
from promptyard.line.evaluation import run_evaluation
from promptyard.line.evaluation_plan import EvaluationPlan
from promptyard.line.jobs import order_job
from promptyard.line.query import opened
from promptyard.line.session import open_session
from promptyard.line.task import load_task
from promptyard.protocols import Store
from promptyard.records.base import content_hash
from promptyard.records.jobs import JOB_ORDERS, Job
from promptyard.records.versions import PromptVersion
from promptyard.stats.looks import REFUSE_AT_LOOKS
from support.task_folder import write_task
from support.tiny_task import TASK


class Orders:
    """A folder with the task `tiny`, and a store to order in."""

    def __init__(self, folder: Path) -> None:
        self.tasks = folder / "tasks"
        self.store = str(folder / "s.db")
        write_task(self.tasks / "tiny")
        self.do(self._nothing)

    async def _nothing(self, _: Store) -> None:
        """Make the store and no more."""

    def do(self, work: Callable[[Store], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            async with opened(self.store, must_exist=False) as store:
                return await work(store)

        return asyncio.run(run())

    def order(self, kind: str, task: str = "tiny", **options: Any) -> Job:
        wanted = JOB_ORDERS.validate_python({"kind": kind, "task": task, "options": options})
        return asyncio.run(order_job(self.store, str(self.tasks), wanted, by="ada"))

    def refused(self, kind: str, task: str = "tiny", **options: Any) -> PromptyardError:
        with pytest.raises(PromptyardError) as caught:
            self.order(kind, task, **options)
        assert self.do(lambda store: store.jobs()) == []
        return caught.value

    def measure(self, split: str = "dev") -> str:
        """Run an eval of all cases of a split; returns its id."""
        task = load_task(self.tasks / "tiny")
        plan = EvaluationPlan(split=split)
        found = asyncio.run(
            run_evaluation(task, plan, store=self.store, on_progress=lambda _: None)
        )
        return found.run_id

    def register(self, n_versions: int) -> None:
        """Register so many versions of the task's prompt."""

        async def add(store: Store) -> None:
            program = load_task(self.tasks / "tiny").program
            for number in range(n_versions):
                prompt = program.steps[0].prompt
                text = prompt.text + "\n" * number
                step = program.steps[0].model_copy(
                    update={"prompt": prompt.model_copy(update={"text": text})}
                )
                made = program.model_copy(update={"steps": (step,)})
                version = PromptVersion(
                    name="tiny", number=0, digest=made.id, program=made, author="ada"
                )
                await store.add_version(version)

        self.do(add)


@pytest.fixture
def orders(tmp_path: Path) -> Orders:
    return Orders(tmp_path)


def test_an_eval_that_names_what_is_not_there_is_refused_at_once(orders: Orders) -> None:
    nothing = orders.refused("eval", against_production=True)
    assert isinstance(nothing, NotFound)
    assert "no version of 'tiny' is in production" in str(nothing)
    run_id = orders.measure()
    for options in ({"only_failing_of": run_id[:-1] + "x"}, {"compare": run_id[:-1] + "x"}):
        unknown = orders.refused("eval", **options)
        assert isinstance(unknown, NotFound), options
        assert f"did you mean '{run_id}'?" in str(unknown)
    other = orders.refused("eval", compare=run_id, split="train")
    assert isinstance(other, EvalSetError)
    assert "compare with a run of train" in str(other)
    assert orders.order("eval", compare=run_id).state == "queued"


def test_an_eval_of_failing_cases_or_of_a_split_that_has_none_is_refused(orders: Orders) -> None:
    run_id = orders.measure("train")
    none_left = orders.refused("eval", only_failing_of=run_id)
    assert f"run {run_id} left no failing case in dev" in str(none_left)
    rows = [{"input": {"text": f"t {n}"}, "expected": "a", "split": "train"} for n in range(3)]
    cases = orders.tasks / "tiny" / "cases.jsonl"
    cases.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for kind in ("eval", "gate", "optimize"):
        assert isinstance(orders.refused(kind), EvalSetError), kind


def test_a_gate_without_two_versions_is_refused_at_once(orders: Orders) -> None:
    unknown = orders.refused("gate")
    assert (type(unknown), "no prompt 'tiny' is registered" in str(unknown)) == (NotFound, True)
    orders.register(1)
    assert "nothing to compare v1 of 'tiny' with" in str(orders.refused("gate"))
    assert "name two versions" in str(orders.refused("gate", baseline="1"))
    for options in ({"candidate": "7"}, {"candidate": "stagin"}, {"baseline": "7"}):
        assert isinstance(orders.refused("gate", **options), NotFound), options
    orders.register(2)
    assert orders.order("gate", candidate="2", baseline="1").state == "queued"


def test_a_worn_out_holdout_is_refused_when_the_work_is_ordered(orders: Orders) -> None:
    orders.register(2)

    async def look(store: Store) -> None:
        ids = sorted(case.id for case in load_task(orders.tasks / "tiny").eval_set.split("holdout"))
        for number in range(REFUSE_AT_LOOKS - 1):
            await store.count_look(content_hash("\n".join(ids)), f"pair-{number}")

    orders.do(look)
    for kind, options in (
        ("eval", {"split": "holdout"}),
        ("eval", {"split": "all"}),
        ("gate", {"candidate": "2", "baseline": "1"}),
        ("optimize", {}),
    ):
        assert "worn out" in str(orders.refused(kind, **options)), (kind, options)
    assert orders.order("eval").state == "queued"


def test_models_that_cannot_be_asked_are_refused_and_the_budget_is_asked_for_first(
    orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    text = TASK.replace("embedded/lexical", "openai/gpt-5-mini")
    assert text != TASK
    write_task(orders.tasks / "paid", task_yaml=text)
    assert "has no budget" in str(orders.refused("eval", "paid"))
    budget = {"budget": {"task_calls": 5}}
    keyless = orders.refused("eval", "paid", **budget)
    assert (type(keyless), "needs a key" in str(keyless)) == (ConfigError, True)
    (orders.tasks / "tiny" / "cases.jsonl").unlink()
    assert "cases.jsonl" in str(orders.refused("eval"))


def test_a_run_that_cannot_go_on_is_not_ordered_to(orders: Orders) -> None:
    assert "has no unfinished run" in str(orders.refused("optimize", resume=True))
    assert isinstance(orders.refused("optimize", resume="no-such-run"), NotFound)

    async def interrupted(store: Store) -> str:
        task = load_task(orders.tasks / "tiny")
        async with open_session(task, store=store) as session:
            return session.header.id

    run_id = orders.do(interrupted)
    changed = orders.refused("optimize", resume=run_id, strategy="beam")
    assert "cannot be resumed: strategy changed" in str(changed)
    resumed = orders.order("optimize", resume=True)
    assert resumed.options == {"resume": run_id}
