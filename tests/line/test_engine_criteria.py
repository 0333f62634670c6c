"""The engine's criteria E2, E4, E5, E6 and E9 over the whole line (anchors on algorithms, part C).

E1, E3 and E7 are in test_engine_replay.py, E8 in test_search_rates.py.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import promptyard as py
from promptyard.errors import EvalSetError, InvalidRequest, RateLimited
from promptyard.line.query import opened
from promptyard.protocols import Bench, SearchContext
from promptyard.records.cases import SplitName, split_named
from promptyard.records.edits import Candidate, Proposal, SetSection, apply_edits
from promptyard.records.evidence import Evidence
from promptyard.records.messages import Message
from promptyard.records.runs import Progress, Run
from promptyard.records.scores import Report
from promptyard.testing import ScriptedModel
from promptyard.testing.scripted_model import Reply
from support.world import PROMPT, RULE, World

SMALL: dict[SplitName, int] = {"train": 60, "dev": 40, "holdout": 80}
WITHOUT_HOLDOUT: dict[SplitName, int] = {"train": 60, "dev": 60}
FIRST = "Sort the message into one of these topics and answer with the topic only."
Answer = Callable[[Mapping[str, Any]], Reply]


def in_any_form(body: Mapping[str, Any]) -> str:
    """Propose RULE in the form of reply that a request asks for."""
    fields = body["output"]["schema"]["properties"]
    request = str(body["messages"][-1]["content"])
    if "edits" in fields:
        edit = {"op": "append", "section": "system", "old": "", "new": RULE}
        return json.dumps({"hypothesis": "It looks past the number.", "edits": [edit]})
    if "edit_spans" in fields:
        span = {"op": "insert_after", "section": "system", "old": FIRST}
        return json.dumps({"cause": "It looks past the number.", "edit_spans": [span]})
    if "replacements" in fields:
        places = re.findall(r"\bs\d\b", request.split("The places:")[1].split("\n")[0])
        texts = [{"id": name, "new": f" {RULE}"} for name in places]
        return json.dumps({"hypothesis": "", "replacements": texts})
    if "instruction" in fields:
        return json.dumps({"instruction": f"{FIRST} {RULE}"})
    return "{}"


def task_of(
    world: World, task: Answer | None = None, optimizer: Answer | None = None, **options: Any
) -> py.Task:
    given: dict[str, Any] = {
        "name": "world",
        "prompt": PROMPT,
        "cases": world.cases,
        "metrics": ["exact_match"],
        "models": py.Models(
            task=ScriptedModel(task or world.answer, name="scripted/task", latency_s=0.001),
            optimizer=ScriptedModel(optimizer or world.answer, name="scripted/optimizer"),
        ),
        **options,
    }
    return py.Task(**given)


class Asking:
    """A policy that runs the seed on train and asks one generator."""

    name = "asking"

    async def search(self, context: SearchContext) -> Candidate | None:
        rows = await context.run(context.baseline, context.train, purpose="baseline")
        found = context.evidence(rows, context.baseline)
        await context.propose("rogue", context.baseline, found)
        return None


class Rogue:
    """A generator that tries what none may do."""

    name = "rogue"

    def __init__(self) -> None:
        self.refused: list[str] = []
        self.offered: list[str] = []

    async def propose(
        self, base: Candidate, evidence: Evidence, bench: Bench, rng: random.Random
    ) -> Sequence[Proposal]:
        self.offered = [name for name in dir(bench) if not name.startswith("_")]
        message = Message.of("user", "message 0 of train")
        try:
            await bench.complete("task", [message])  # pyright: ignore[reportArgumentType] (what types forbid)
        except InvalidRequest as error:
            self.refused.append(str(error))
        for name in ("dev0", "holdout0", "nobody"):
            try:
                await bench.run(base.program, ["train0", name])
            except EvalSetError as error:
                self.refused.append(str(error))
        changed = SetSection(section="system", text="Answer at once.\n")
        await bench.run(apply_edits(base.program, [changed]), ["train0", "train1"])
        return ()


@pytest.mark.parametrize("n_calls", [61, 150, 333])
@pytest.mark.parametrize("kind", ["steady", "failing"])
def test_e2_no_prefix_of_a_run_exceeds_the_budget(
    kind: str, n_calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTYARD_CONCURRENCY", "64")
    world = World(5, n_cases=SMALL, gain=0.3)
    budget = py.Budget(task_calls=n_calls, optimizer_calls=5)
    sent: Counter[str] = Counter()
    seen: list[tuple[int, int, int, int]] = []
    dice = random.Random(1)

    def counted(body: Mapping[str, Any]) -> Reply:
        sent[str(body["model"])] += 1
        if kind == "failing" and dice.random() < 0.2:
            return RateLimited("slow down", retry_after_s=0.001)
        return world.answer(body)

    def watch(progress: Progress) -> None:
        spent = progress.spent
        seen.append(
            (
                spent.task_calls,
                sent["scripted/task"],
                spent.optimizer_calls,
                sent["scripted/optimizer"],
            )
        )

    model = ScriptedModel(counted, name="scripted/task", latency_s=0.001)
    optimizer = ScriptedModel(counted, name="scripted/optimizer")
    task = task_of(world, models=py.Models(task=model, optimizer=optimizer))
    run = py.optimize(task, budget=budget, on_progress=watch)
    assert model.max_in_flight >= 8  # they did race for the budget
    for booked, sent_calls, booked_optimizer, sent_optimizer in seen:
        assert sent_calls <= booked <= n_calls  # a call is booked before it is sent
        assert sent_optimizer <= booked_optimizer <= 5
    assert run.spent.task_calls == sent["scripted/task"] <= n_calls
    assert run.spent.optimizer_calls == sent["scripted/optimizer"] <= 5
    assert sent["scripted/task"] >= 30


def test_e2_a_generator_reaches_the_task_model_only_by_running_programs_on_train(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rogue = Rogue()
    monkeypatch.setattr("promptyard.line.wiring.POLICIES", {"asking": Asking})

    def make(options: object) -> Rogue:
        return rogue

    monkeypatch.setattr("promptyard.line.wiring.GENERATORS", {"rogue": make})
    world = World(3, n_cases=SMALL)
    task = task_of(world, generators=["rogue"], strategy="asking")
    run = py.optimize(task)
    assert rogue.offered == ["complete", "run"]
    assert len(rogue.refused) == 4
    assert "may not ask the task model" in rogue.refused[0]
    assert all("not a train case" in text for text in rogue.refused[1:])
    assert run.spent.task_calls == 60 + 2  # the seed on train, and one program on two cases


@pytest.mark.parametrize("generators", [None, ["demos"], ["traces", "induce"], ["trajectory"]])
def test_e4_ids_and_texts_of_holdout_and_dev_are_in_no_meta_prompt_and_no_demonstration(
    generators: list[str] | None,
) -> None:
    world = World(4, n_cases=SMALL, gain=0.3, sentinel="SENTINEL7f3a")
    sealed = [case for case in world.cases if case["split"] != "train"]
    for number, case in enumerate(sealed):
        case["id"] = f"sealed-{number}-qx7"
    to_optimizer: list[str] = []
    shown: set[str] = set()
    demonstrated: set[str] = set()

    def label(body: Mapping[str, Any]) -> str:
        before = body["messages"][:-1]
        shown.update(str(message["content"]) for message in before)
        demonstrated.update(str(item["content"]) for item in before if item["role"] == "user")
        return world.answer(body)

    def propose(body: Mapping[str, Any]) -> str:
        to_optimizer.append(json.dumps(body))
        return in_any_form(body)

    py.optimize(task_of(world, label, propose, generators=generators))
    assert bool(to_optimizer) == (generators != ["demos"])
    assert demonstrated or generators != ["demos"]
    for text in [*to_optimizer, *shown]:
        assert "SENTINEL7f3a" not in text
        assert "qx7" not in text
    train = {case["input"]["text"] for case in world.cases if case["split"] == "train"}
    assert demonstrated <= train


@pytest.mark.parametrize("sizes", [SMALL, WITHOUT_HOLDOUT], ids=["holdout", "no holdout"])
def test_e5_programs_are_compared_on_the_same_cases(
    sizes: Mapping[SplitName, int], tmp_path: Path
) -> None:
    world = World(1, n_cases=sizes, gain=0.3)
    url = str(tmp_path / "runs.db")
    run = py.optimize(task_of(world), store=url)
    assert run.decision is not None
    by_stage = {stage: reports_of(run, stage, url) for stage in ("full", "decide")}
    assert len(by_stage["full"]) >= 2
    assert len(by_stage["decide"]) == (2 if "holdout" in sizes else 0)
    for reports in by_stage.values():
        assert len({ids_of(report) for report in reports}) <= 1
    assert ids_of(run.decision.baseline) == ids_of(run.decision.candidate)
    assert all(
        item.n_cases <= len(run.decision.baseline.trials) for item in run.verdict.comparisons
    )


def reports_of(run: Run, stage: str, url: str) -> Sequence[Report]:
    async def read() -> Sequence[Report]:
        async with opened(url) as store:
            return await store.reports(run.header.id, stage)

    return asyncio.run(read())


def ids_of(report: Report) -> frozenset[str]:
    return frozenset(trial.case_id for trial in report.trials)


@pytest.mark.no_cover  # the same lines many times
@pytest.mark.parametrize("n_calls", [None, 120, 300])
@pytest.mark.parametrize("sizes", [SMALL, WITHOUT_HOLDOUT], ids=["holdout", "no holdout"])
@pytest.mark.parametrize("seed", range(4))
def test_e6_the_best_was_scored_in_the_final_stage_and_is_not_worse_there(
    seed: int, sizes: Mapping[SplitName, int], n_calls: int | None
) -> None:
    world = World(seed, n_cases=sizes, gain=0.2)
    run = py.optimize(task_of(world), seed=seed, budget=py.Budget(task_calls=n_calls))
    if run.best.id == run.baseline.id:
        assert n_calls is not None, "a search that may take all the calls it wants finds the gain"
        assert run.verdict.status != "pass"
        return
    if run.decision is None:
        # Without a holdout and without calls for dev: what it rests on is said.
        assert "holdout" not in sizes
        assert run.verdict.status == "inconclusive"
        assert "unseen train cases only" in run.verdict.sentence
        assert any(point.program.id == run.best.id for point in run.served)
        return
    before, after = run.decision.baseline, run.decision.candidate
    final = split_named(after.split)
    assert final == ("holdout" if "holdout" in sizes else "dev")
    assert len(after.trials) == sizes[final] or (final == "dev" and n_calls is not None)
    assert ids_of(before) == ids_of(after)
    assert after.program_id == run.best.id
    assert before.score is not None
    assert after.score is not None
    assert after.score > before.score


@pytest.mark.parametrize(
    ("strategy", "generator"),
    [
        ("auto", "reflect"),
        ("auto", "local_edit"),
        ("auto", "trajectory"),
        ("auto", "induce"),
        ("opro", "trajectory"),
    ],
)
def test_e9_a_planted_sentence_is_found_within_the_budget(strategy: str, generator: str) -> None:
    world = World(2, gain=0.3)
    budget = py.Budget(task_calls=1600)  # 1,000 of them pay the decision
    task = task_of(world, optimizer=in_any_form, generators=[generator], strategy=strategy)
    run = py.optimize(task, budget=budget)
    assert run.verdict.status == "pass"
    assert RULE in run.best.prompt.text
    assert run.search_task_calls <= 500
