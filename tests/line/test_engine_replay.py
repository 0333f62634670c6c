"""The engine's criteria E1, E3 and E7: a run repeats, pays nothing twice and survives a kill.

Anchors on algorithms, part C.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import pytest

import promptyard as py
from line.test_resume import finished, killed, repeated, start, stored_bodies
from promptyard.records.base import Json
from promptyard.records.messages import Completion
from promptyard.records.runs import Run
from promptyard.storage import open_store
from promptyard.testing import ScriptedModel
from search_worlds import PLANS
from search_worlds import cases as world_cases
from search_worlds.service import Service
from search_worlds.tasks import task_of
from search_worlds.world import World
from support.chat_server import ChatServer
from support.world import World as LabelWorld

# The same runs again and again; other tests reach these lines, and tracing doubles the time.
pytestmark = pytest.mark.no_cover

CLOCKS = ("seconds", "at")
COUNTS = ("calls", "cached_calls", "spent", "task_calls", "comparisons")


class Uneven(ScriptedModel):
    """Answers as a world does, each time after another while: the order of answers is chance."""

    def __init__(self, service: Service, role: Literal["task", "optimizer"], seed: int) -> None:
        super().__init__(lambda body: service.answer(body).choices[0].text, name=f"scripted/{role}")
        self._dice = random.Random(seed)

    async def send(self, body: Mapping[str, Json], *, timeout_s: float) -> Completion:
        await asyncio.sleep(self._dice.uniform(0.0, 0.002))
        answer = await super().send(body, timeout_s=timeout_s)
        return answer.model_copy(update={"latency_s": 0.01})


class Searched:
    """One run in a world of its own, and what was sent."""

    def __init__(
        self,
        store: Path,
        monkeypatch: pytest.MonkeyPatch,
        *,
        concurrency: int,
        luck: int = 0,
        strategy: str = "auto",
        budget: py.Budget | None = None,
    ) -> None:
        monkeypatch.setenv("PROMPTYARD_CONCURRENCY", str(concurrency))
        monkeypatch.setattr(world_cases, "SIZES", {"train": 60, "val": 24, "test": 24})
        world = World(PLANS["clinic-notes"], 3)
        service = Service(world)
        self.models = [Uneven(service, role, luck) for role in ("task", "optimizer")]
        models = py.Models(task=self.models[0], optimizer=self.models[1])
        task = task_of(world, models, n_holdout=24)
        self.run: Run = py.optimize(
            task, strategy=strategy, seed=3, store=str(store), budget=budget
        )
        self.journal = asyncio.run(journal_of(store, self.run.id))

    @property
    def sent(self) -> list[str]:
        """Every body that a model was sent."""
        return [json.dumps(body) for model in self.models for body in model.requests]


async def journal_of(store: Path, run_id: str) -> list[str]:
    """Return the entries of a run, its clocks, its name and its processes left out."""
    opened = open_store(str(store))
    await opened.open()
    try:
        entries = await opened.journal(run_id)
    finally:
        await opened.close()
    return [
        json.dumps([entry["kind"], without(entry["payload"], CLOCKS)]).replace(run_id, "RUN")
        for entry in entries
        if entry["kind"] != "session"
    ]


def without(value: Json, names: Sequence[str]) -> Json:
    """Return a JSON value without some keys, at any depth."""
    if isinstance(value, dict):
        fields = cast("dict[str, Json]", value)
        return {key: without(item, names) for key, item in fields.items() if key not in names}
    if isinstance(value, list):
        return [without(item, names) for item in cast("list[Json]", value)]
    return value


def uncounted(journal: Sequence[str]) -> list[Any]:
    """Return entries without what was paid for them: a replay pays nothing."""
    entries = [without(json.loads(line), COUNTS) for line in journal]
    return [entry for entry in entries if entry[0] not in ("spent", "searched")]


def hashed(journal: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(journal).encode()).hexdigest()


@pytest.mark.parametrize("strategy", ["auto", "opro"])
def test_e1_replay_is_byte_identical_at_any_concurrency_and_speed(
    strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = [
        Searched(tmp_path / f"{n}.db", monkeypatch, concurrency=n, luck=n, strategy=strategy)
        for n in (1, 64)
    ]
    assert len(live[0].journal) > 10
    assert live[0].journal == live[1].journal
    assert live[0].run.history == live[1].run.history
    replays = [
        Searched(tmp_path / "1.db", monkeypatch, concurrency=n, luck=n, strategy=strategy)
        for n in (64, 1)
    ]
    for replay in replays:
        assert not replay.sent
        assert hashed(replay.journal) == hashed(replays[0].journal)
        assert uncounted(replay.journal) == uncounted(live[0].journal)


SEARCH_RULES = """
import asyncio, sys
from pathlib import Path
import promptyard as py
from line.test_engine_replay import journal_of
from promptyard.testing.search_world import RULES
from support.rule_task import rule_task
in_vain = {**RULES, next(iter(RULES)): "Mind the weather."}
run = py.optimize(rule_task(sentences=in_vain), seed=1, store=sys.argv[1])
print(*asyncio.run(journal_of(Path(sys.argv[1]), run.id)), sep="\\n")
"""


def test_e1_a_run_repeats_whatever_the_order_of_sets_in_a_process(tmp_path: Path) -> None:
    journals = [
        subprocess.run(
            [sys.executable, "-c", SEARCH_RULES, str(tmp_path / f"{seed}.db")],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    first, second = (
        [item for item in map(json.loads, journal.splitlines()) if item[0] == "composed"]
        for journal in journals
    )
    assert max(len(payload["buckets"]) for _, payload in first) > 1
    assert first == second


@pytest.mark.parametrize("strategy", ["auto", "opro", "pareto", "halving", "racing"])
def test_e3_no_program_is_evaluated_twice_on_a_case(
    strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "s.db"
    searched = Searched(
        store, monkeypatch, concurrency=16, strategy=strategy, budget=py.Budget(task_calls=500)
    )
    with contextlib.closing(sqlite3.connect(store)) as connection:
        rows = connection.execute("select key, outcome from attempts").fetchall()
    # The key of an attempt is the hash of its exact body, its address and its replicate.
    answered = Counter(key for key, outcome in rows if outcome == "ok")
    assert len(answered) > 50
    assert set(answered.values()) == {1}
    given_up = {key for key, outcome in rows if outcome in ("cancelled", "unsent")}
    assert {key for key, n in Counter(key for key, _ in rows).items() if n > 1} <= given_up
    if strategy == "auto":  # it cancels nothing
        assert len(searched.sent) == len(rows)


@pytest.mark.parametrize("n_calls", [300, 400])
def test_e7_killed_at_any_moment_and_resumed_it_decides_the_same(
    n_calls: int, tmp_path: Path
) -> None:
    world = LabelWorld(17, n_cases={"train": 60, "dev": 30, "holdout": 30}, gain=0.3)
    with ChatServer(world.answer) as server:
        budget = {"task_calls": n_calls}
        task = world.write_task(tmp_path / "task", server.base_url, budget=budget)
        expected = finished(start(task, tmp_path / "whole.db"))
        n_whole = server.n_requests
        server.reset()
        store = tmp_path / "killed.db"
        stored: set[str] = set()
        for n_killed, share in enumerate((0.1, 0.45, 0.7, 0.95)):  # the last one as it decides
            seen = server.n_requests
            process = start(task, store, *(["--resume"] if n_killed else []))
            killed(process, server, round(share * n_whole))
            assert not repeated(server, seen, stored)
            stored = stored_bodies(store)
        seen = server.n_requests
        result = finished(start(task, store, "--resume"))
        assert not repeated(server, seen, stored)
    for key in ("verdict", "winner_score", "score_diff", "n_candidates"):
        assert result[key] == expected[key], key
    assert server.n_requests <= n_calls + result["optimizer_calls"]
    whole, resumed = (
        uncounted(asyncio.run(journal_of(tmp_path / name, run["run_id"])))
        for name, run in (("whole.db", expected), ("killed.db", result))
    )
    assert resumed[-len(whole) :] == whole
