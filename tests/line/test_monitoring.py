"""Monitors over a store: the same after a restart, each alert once; anchors over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import promptyard as py
from promptyard.errors import NotFound
from promptyard.line.anchors import run_anchors
from promptyard.line.monitoring import list_alerts, look_at_traffic
from promptyard.line.wiring import build_store
from promptyard.records.live import Outcome
from promptyard.records.monitoring import AnchorReport, MonitorPlan
from promptyard.records.prompts import Program, Prompt
from promptyard.records.versions import Move, PromptVersion
from promptyard.registry.versions import PRODUCTION
from support.chat_server import ChatServer
from support.world import PROMPT, RULE, World

PLAN = MonitorPlan(window_s=3600, reference_s=86_400)


def outcomes(n: int, *, error: str = "") -> list[Outcome]:
    return [
        Outcome(
            id=f"o{number}{error}",
            prompt="world",
            version=1,
            digest="d",
            subject=f"s{number}",
            at="2026-11-27T00:00:00+00:00",
            latency_s=0.1,
            error=error,
        )
        for number in range(n)
    ]


async def registered(path: str, program: Program, events: list[Outcome]) -> None:
    store = build_store(path)
    await store.open()
    version = PromptVersion(name="world", number=0, digest=program.id, program=program, author="a")
    found = await store.add_version(version)
    if not await store.pointers("world"):
        await store.move_pointer(
            Move(
                prompt="world",
                pointer=PRODUCTION,
                from_number=None,
                to_number=found.number,
                actor="a",
                reason="r",
            )
        )
    await store.add_live_events(events)
    await store.close()


SEED = Program.single(Prompt.from_text(PROMPT))


def test_an_alert_is_recorded_once_a_window_and_survives_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "runs.db")
    asyncio.run(registered(path, SEED, outcomes(100, error="timeout")))
    later = (datetime.now(UTC) + timedelta(minutes=5)).isoformat(timespec="microseconds")
    for _ in range(3):
        report = asyncio.run(look_at_traffic(path, "world", PLAN, now=later))
        assert report.status == "fail"
    alerts = asyncio.run(list_alerts(path, "world"))
    assert sorted(alert.metric for alert in alerts) == ["error_rate", "hard_failure_rate"]
    assert all(alert.at == later for alert in alerts)


def test_what_has_left_the_window_is_no_alert_any_more(tmp_path: Path) -> None:
    path = str(tmp_path / "runs.db")
    asyncio.run(registered(path, SEED, outcomes(100, error="timeout")))
    tomorrow = (datetime.now(UTC) + timedelta(hours=10)).isoformat(timespec="microseconds")
    report = asyncio.run(look_at_traffic(path, "world", PLAN, now=tomorrow))
    assert (report.status, report.n_window, report.n_reference) == ("inconclusive", 0, 100)


def test_an_unknown_prompt_is_said(tmp_path: Path) -> None:
    path = str(tmp_path / "runs.db")
    asyncio.run(registered(path, SEED, []))
    with pytest.raises(NotFound, match="did you mean 'world'"):
        asyncio.run(look_at_traffic(path, "wrld", PLAN))


class Moving:
    """A world whose model can be replaced by a worse one, and renamed."""

    def __init__(self) -> None:
        self.world = World(2, n_cases={"train": 2, "dev": 60, "holdout": 2}, noise=0.0, base=0.9)
        self.is_worse = False
        self.n_requests = 0

    def answer(self, body: Mapping[str, Any]) -> str:
        self.n_requests += 1
        right = self.world.answer(body)
        return "topic_00" if self.is_worse and self.n_requests % 3 else right


def test_anchors_are_asked_afresh_and_tell_when_the_model_moves(tmp_path: Path) -> None:
    path = str(tmp_path / "runs.db")
    moving = Moving()
    program = Program.single(Prompt.from_text(PROMPT.replace("only.", f"only. {RULE}")))
    asyncio.run(registered(path, program, outcomes(1)))
    with ChatServer(moving.answer) as server:
        task = py.Task(
            name="world",
            prompt=Prompt.from_text(PROMPT),
            cases=moving.world.cases,
            metrics=["exact_match"],
            models=py.Models(task="openai/task", base_url=server.base_url),
        )

        def look() -> AnchorReport:
            return asyncio.run(run_anchors(task, store=path, on_progress=lambda progress: None))

        first, second = look(), look()
        assert moving.n_requests == 60  # 30 anchors, and again: no stored answer was taken
        assert (first.status, second.status) == ("pass", "pass")
        moving.is_worse = True
        third = look()
    assert third.status == "fail"
    assert third.alert is not None
    assert third.alert.cause == "model_or_judge"
    (alert,) = asyncio.run(list_alerts(path, "world"))
    assert alert.kind == "anchor"
    report = asyncio.run(look_at_traffic(path, "world", PLAN))
    assert report.status == "inconclusive"
