"""The whole line against a server over real HTTP: proof, budget, failures, sealed splits."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

import promptyard as py
from promptyard.errors import ModelUnusable
from promptyard.records.cases import SplitName
from promptyard.records.runs import Run
from support.chat_server import ChatServer, Fault
from support.world import PROMPT, RULE, World

SMALL: dict[SplitName, int] = {"train": 60, "dev": 60, "holdout": 120}
TINY: dict[SplitName, int] = {"train": 40, "dev": 40, "holdout": 60}


def models_at(server: ChatServer) -> py.Models:
    return py.Models(task="openai/task", optimizer="openai/optimizer", base_url=server.base_url)


def task_of(world: World, server: ChatServer, **options: object) -> py.Task:
    return py.Task(
        name="world",
        prompt=py.Prompt.from_text(PROMPT),
        cases=world.cases,
        metrics=["exact_match"],
        models=models_at(server),
        **options,  # pyright: ignore[reportArgumentType]  (test shorthand)
    )


def optimized(world: World, *, seed: int = 0, store: str | None = None, **options: object) -> Run:
    with ChatServer(world.answer) as server:
        return py.optimize(task_of(world, server, **options), seed=seed, store=store)


def test_a_planted_gain_is_found_proven_and_registered(tmp_path: Path) -> None:
    world = World(1, gain=0.2)
    run = optimized(world, store=str(tmp_path / "runs.db"))
    assert run.verdict.status == "pass"
    assert RULE in run.best.prompt.text
    primary = run.verdict.comparisons[0]
    assert primary.interval is not None
    assert primary.interval.low > 0
    assert primary.n_cases == 400
    assert run.version == 2
    # One proposal only: even against measuring that one on every train and dev case.
    assert run.search_task_calls < run.naive_task_calls


def test_an_optimizer_that_cannot_be_read_leaves_the_baseline_and_says_so() -> None:
    world = World(3, n_cases=SMALL, optimizer="useless")
    with ChatServer(world.answer) as server:
        task = task_of(world, server, generators=["reflect"])
        run = py.optimize(task)
    assert run.verdict.status == "inconclusive"
    assert run.best.id == task.program.id
    assert {item.code for item in run.rejections} == {"no_edit"}
    assert "holdout stays sealed" in run.verdict.sentence
    assert not any("of holdout" in json.dumps(r.body) for r in server.requests)


def test_nothing_of_dev_or_holdout_reaches_the_optimizer() -> None:
    sentinel = "SENTINEL7f3a"
    world = World(4, n_cases=SMALL, gain=0.4, sentinel=sentinel)
    with ChatServer(world.answer) as server:
        run = py.optimize(task_of(world, server))
    requests = [json.dumps(item.body) for item in server.requests]
    to_optimizer = [text for text in requests if '"model": "optimizer"' in text]
    assert to_optimizer
    assert not [text for text in to_optimizer if sentinel in text]
    seen = "".join(requests)
    for split in ("dev", "holdout"):  # the check would be empty if they were never run
        assert f"{sentinel}{split}" in seen
    assert run.spent.optimizer_calls == len(to_optimizer)


@pytest.mark.parametrize("n_calls", [150, 400])
def test_a_server_that_fails_at_random_sees_no_more_requests_than_the_budget(
    n_calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTYARD_CONCURRENCY", "64")
    world = World(5, n_cases=SMALL)
    dice = random.Random(0)

    def faults(index: int, body: dict[str, object]) -> Fault | None:
        roll = dice.random()
        if index > 100 and roll < 0.05:
            return Fault.status(429, retry_after=0.01)
        if roll < 0.2:
            return Fault.status(500)
        return Fault("drop_connection") if roll < 0.25 else None

    budget = py.Budget(task_calls=n_calls, optimizer_calls=2)
    with ChatServer(world.answer, faults, latency_s=0.05) as server:
        task = task_of(world, server, budget=budget)
        run = py.optimize(task)
        by_model = Counter(str(item.body["model"]) for item in server.requests)
        assert server.max_in_flight > 8
    assert 60 <= by_model["task"] <= n_calls
    assert by_model["optimizer"] <= 2
    assert run.spent.task_calls == by_model["task"]
    assert run.verdict.status == "inconclusive"
    assert run.notes


FAULTS = {
    "429": ("rate_limited", Fault.status(429, retry_after=30)),
    "500": ("server_error", Fault.status(500)),
    "hang": ("timeout", Fault.hang(5)),
    "truncated JSON": ("bad_response", Fault("truncated_json")),
    "empty choices": ("bad_response", Fault("empty_choices")),
    "length": ("truncated_output", Fault("length")),
    "content filter": ("content_filter", Fault("content_filter")),
}


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_failure_is_typed_and_counted_and_none_is_a_score(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, fault = FAULTS[name]
    monkeypatch.setenv("PROMPTYARD_TIMEOUT_S", "3")  # healthy calls end in time on a busy machine
    world = World(6, n_cases={"train": 3, "dev": 12, "holdout": 3})
    doomed = {case["input"]["text"] for case in world.cases if case["id"] in ("dev3", "dev7")}

    def faults(index: int, body: dict[str, object]) -> Fault | None:
        messages = body["messages"]
        assert isinstance(messages, list)
        return fault if messages[-1]["content"] in doomed else None

    with ChatServer(world.answer, faults) as server:
        report = py.evaluate(task_of(world, server), split="dev")
    failed = {trial.case_id: trial for trial in report.trials if trial.status != "scored"}
    assert sorted(failed) == ["dev3", "dev7"]
    for trial in failed.values():
        assert trial.failure is not None
        assert trial.failure.kind == kind
        assert trial.score is None
    assert report.n_errors == 2
    assert report.coverage == pytest.approx(10 / 12)
    scored = [trial.score for trial in report.trials if trial.score is not None]
    assert report.score == pytest.approx(sum(scored) / 10)


def test_a_run_of_nothing_but_failures_is_an_error() -> None:
    world = World(6, n_cases={"train": 3, "dev": 4, "holdout": 3})
    with (
        ChatServer(world.answer, lambda index, body: Fault.status(400)) as server,
        pytest.raises(py.PromptyardError, match=r"4 of 4 ended in invalid_request"),
    ):
        py.evaluate(task_of(world, server), split="dev")


def test_a_server_that_nobody_runs_is_one_clear_error() -> None:
    world = World(6, n_cases={"train": 3, "dev": 4, "holdout": 3})
    with ChatServer(world.answer) as server:
        task = task_of(world, server)
    with pytest.raises(ModelUnusable, match=r"127\.0\.0\.1"):
        py.evaluate(task, split="dev")


def test_two_runs_with_the_same_seed_have_the_same_result() -> None:
    first = optimized(World(8, n_cases=TINY), seed=3)
    second = optimized(World(8, n_cases=TINY), seed=3)
    assert first.best.id == second.best.id
    assert [row for stage in first.stages for row in stage.rows] == [
        row for stage in second.stages for row in stage.rows
    ]


def test_a_second_run_on_the_same_store_pays_nothing_again(tmp_path: Path) -> None:
    world = World(9, n_cases=TINY)
    url = str(tmp_path / "runs.db")
    with ChatServer(world.answer) as server:
        first = py.optimize(task_of(world, server), store=url)
        n_requests = server.n_requests
        second = py.optimize(task_of(world, server), store=url)
        assert server.n_requests == n_requests
    assert second.best.id == first.best.id
    assert second.spent.task_calls == second.spent.optimizer_calls == 0
    assert second.spent.cached_calls > first.spent.task_calls


def test_looks_at_the_holdout_are_counted_and_worn_out_ones_are_said(tmp_path: Path) -> None:
    url = str(tmp_path / "runs.db")
    notes: list[str] = []
    for seed in range(6):
        world = World(10, n_cases=TINY, gain=0.3)
        prompt = PROMPT.replace("Sort the message", f"Sort message number {seed}")
        with ChatServer(world.answer) as server:
            task = py.Task(
                name="world",
                prompt=prompt,
                cases=world.cases,
                metrics=["exact_match"],
                models=models_at(server),
                generators=["reflect"],
            )
            run = py.optimize(task, store=url)
        assert run.decision is not None
        assert run.decision.looks == seed + 1
        notes = list(run.notes)
    assert any("looked at 6 times" in note for note in notes)
