"""A watch over all rollouts: those that start later, and those that fail beside others."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from promptyard.errors import ConfigError
from promptyard.line.rollout_engine import Ticked
from promptyard.line.rollout_watch import watch
from promptyard.line.rollouts import By, abort_rollout, start_rollout
from promptyard.protocols import Store
from promptyard.records.live import Outcome
from promptyard.records.versions import Move
from promptyard.release.tally import Tally
from support.live_traffic import SAME, served
from support.registered import version_of
from support.released import run, url
from support.rolling import PLAN
from support.spool import write_segment
from support.stores import on_store

__all__ = ["url"]

BY = By("ann")


class Stopped(Exception):
    pass


def test_rollouts_that_start_later_are_watched_too(url: str) -> None:
    seen: list[Ticked] = []

    async def body() -> None:
        watching = asyncio.create_task(watch(url, every_s=0.02, on_tick=seen.append))
        while len(seen) < 2:
            await asyncio.sleep(0.01)
        await start_rollout(
            url,
            "p",
            "v3",
            pointer="production",
            plan=PLAN.model_copy(update={"max_age_s": 0.01}),
            by=BY,
        )
        last = await asyncio.wait_for(watching, 20)
        assert last.looks[0].record.last.state == "rolled_back"

    run(body())
    assert seen[0].looks == ()


def test_one_rollout_that_cannot_be_looked_at_stops_no_other(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def second_prompt(store: Store) -> None:
        for text in ("user:\nA {{x}}\n", "user:\nB {{x}}\n"):
            await store.add_version(version_of(text, "q"))
        await store.move_pointer(
            Move(
                prompt="q",
                pointer="production",
                from_number=None,
                to_number=1,
                actor="ann",
                reason="first",
            )
        )

    on_store(url, second_prompt)
    broken = run(start_rollout(url, "p", "v2", pointer="production", plan=PLAN, by=BY)).rollout
    whole = run(start_rollout(url, "q", "v2", pointer="production", plan=PLAN, by=BY)).rollout
    spool = tmp_path / "spool"
    write_segment(spool, "1", [*served(broken, 10, SAME), *served(whole, 400, SAME)])
    adding = Tally.add

    def failing(self: Tally, stored: object) -> None:
        event = getattr(stored, "event", None)
        if isinstance(event, Outcome) and event.rollout_id == broken.id and not healed:
            raise OverflowError("too large")
        adding(self, stored)  # pyright: ignore[reportArgumentType]

    healed: list[bool] = []
    monkeypatch.setattr(Tally, "add", failing)
    seen: list[Ticked] = []

    def on_tick(ticked: Ticked) -> None:
        seen.append(ticked)
        if len(seen) == 3:
            healed.append(True)
        if len(seen) == 5:
            raise Stopped

    with pytest.raises(Stopped):
        run(watch(url, spool=spool, every_s=0.01, on_tick=on_tick))
    for ticked in seen[:3]:
        assert broken.id in ticked.trouble
        assert "too large" in ticked.trouble
        assert [item.record.rollout.id for item in ticked.looks] == [whole.id]
    assert seen[0].looks[0].decision is not None
    assert seen[0].publication is not None
    for ticked in seen[3:]:
        assert not ticked.trouble
        assert {item.record.rollout.id for item in ticked.looks} == {broken.id, whole.id}


def test_a_spool_that_fails_is_said_and_rollouts_are_still_looked_at(
    url: str, tmp_path: Path
) -> None:
    rollout = run(start_rollout(url, "p", "v2", pointer="production", plan=PLAN, by=BY)).rollout
    spool = tmp_path / "spool"
    spool.write_text("no folder")
    seen: list[Ticked] = []

    async def body() -> Ticked:
        watching = asyncio.create_task(
            watch(url, "p", spool=spool, every_s=0.02, on_tick=seen.append)
        )
        while not seen:
            await asyncio.sleep(0.01)
        await abort_rollout(url, rollout.id, pointer=None, by=BY)
        return await asyncio.wait_for(watching, 20)

    assert run(body()).looks[0].record.last.state == "aborted"
    assert "spool" in seen[0].trouble
    assert len(seen[0].looks) == 1


def test_a_watch_needs_a_time_between_looks(url: str) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        run(watch(url, every_s=0.0, on_tick=lambda ticked: None))
