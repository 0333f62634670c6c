"""Gates over real HTTP: registered versions are judged on the holdout, once, with one verdict."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import promptyard as py
from promptyard.errors import EvalSetError, NotFound
from promptyard.line.gating import self_test_gates
from promptyard.line.wiring import build_store
from promptyard.records.prompts import Prompt
from promptyard.records.verdicts import GateSettings
from promptyard.records.versions import Move
from support.chat_server import ChatServer
from support.gated_world import GatedWorld
from support.world import PROMPT


@pytest.fixture
def registered(tmp_path: Path) -> GatedWorld:
    return GatedWorld(tmp_path)


def test_a_better_version_passes_all_gates_and_a_worse_one_fails(registered: GatedWorld) -> None:
    with ChatServer(registered.world.answer) as server:
        good = registered.gate(server, "v2", targets=("wrong_value",))
        bad = registered.gate(server, "3", "1")
    assert (good.status, good.baseline, good.candidate) == ("pass", "v1", "v2")
    assert [item.gate for item in good.gates] == ["holdout", "targets", "ceilings", "certificates"]
    primary = good.verdict.comparisons[0]
    assert primary.interval is not None
    assert primary.interval.low > 0
    assert bad.status == "fail"
    assert bad.sentence.startswith("The candidate fails the gate: [holdout] score: worse")
    assert bad.sentence.count("fails") == 1
    assert good.gates[0].sentence.startswith("score: better")


def test_the_same_pair_again_is_no_new_look_and_no_new_call(registered: GatedWorld) -> None:
    with ChatServer(registered.world.answer) as server:
        first = registered.gate(server, "2", "1")
        n_requests = len(server.requests)
        again = registered.gate(server, "2", "1")
        assert n_requests == 400
        assert len(server.requests) == n_requests
        assert registered.gate(server, "3", "1").looks == 2
    assert (first.looks, again.looks) == (1, 1)
    assert again.verdict == first.verdict


def test_the_baseline_is_what_is_in_production_unless_named(registered: GatedWorld) -> None:
    async def promote() -> None:
        store = build_store(registered.path)
        await store.open()
        move = Move(
            prompt="world",
            pointer="production",
            from_number=None,
            to_number=3,
            actor="a",
            reason="r",
        )
        await store.move_pointer(move)
        await store.close()

    with ChatServer(registered.world.answer) as server:
        assert registered.gate(server, "2").baseline == "v1"  # its parent: none is in production
        with pytest.raises(NotFound, match="has no parent"):
            registered.gate(server, "1")
        asyncio.run(promote())
        assert registered.gate(server, "2").baseline == "v3"
        assert registered.gate(server, "3").baseline == "v1"  # its parent: it is in production


def test_a_prompt_above_its_ceiling_fails_however_good_it_is(registered: GatedWorld) -> None:
    settings = GateSettings.model_validate({"ceilings": {"prompt_chars": len(PROMPT)}})
    with ChatServer(registered.world.answer) as server:
        found = registered.gate(server, "2", "1", settings)
    assert found.status == "fail"
    assert [item.gate for item in found.gates if item.status == "fail"] == ["ceilings"]


def test_what_cannot_be_judged_costs_no_call(registered: GatedWorld) -> None:
    with ChatServer(registered.world.answer) as server:
        with pytest.raises(NotFound, match="name two versions"):
            registered.gate(server, "2", "2")
        registered.world.cases = [
            case for case in registered.world.cases if case["split"] != "holdout"
        ]
        with pytest.raises(EvalSetError, match="no holdout"):
            registered.gate(server, "2", "1")
        assert not server.requests


def test_the_self_test_of_a_task_makes_no_call(registered: GatedWorld) -> None:
    task = py.Task(
        name="world",
        prompt=Prompt.from_text(PROMPT),
        cases=registered.world.cases,
        metrics=["exact_match"],
    )
    assert self_test_gates(task).status == "pass"
