"""The application of the demo as a process: it serves, it ends with us, its end is noticed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from promptyard.errors import PromptyardError
from promptyard.line.application import RunningApplication
from promptyard.line.publish import publish_to
from promptyard.line.registering import register_prompt
from promptyard.line.replayed_traffic import TrafficPlan
from promptyard.line.ship import promote_version
from promptyard.line.task import load_task
from support.small_demo import write_small_demo


def plan_in(folder: Path) -> TrafficPlan:
    return TrafficPlan(
        task=str(folder / "task"),
        manifest=str(folder / "manifest.json"),
        spool=str(folder / "spool"),
    )


def test_it_serves_until_the_block_ends_and_leaves_a_closed_spool(tmp_path: Path) -> None:
    task = load_task(write_small_demo(tmp_path / "task"))
    url = str(tmp_path / "store.db")

    async def serve() -> int:
        await register_prompt(url, task, author="ann")
        await promote_version(url, task.name, "1", pointer="production", actor="ann", reason="")
        await publish_to(url, tmp_path / "manifest.json")
        async with RunningApplication(plan_in(tmp_path)) as application:

            async def enough() -> None:
                while application.served.n_messages < 50:
                    await asyncio.sleep(0.05)

            await application.during(enough())
        assert application.served.by_version == {1: application.served.n_messages}
        return application.served.n_messages

    n_messages = asyncio.run(serve())
    segments = [path.name for path in (tmp_path / "spool").iterdir()]
    assert segments
    assert all(name.endswith(".jsonl") for name in segments)
    lines = [
        line
        for path in (tmp_path / "spool").glob("*.jsonl")
        for line in path.read_text("utf-8").splitlines()
    ]
    assert len(lines) == n_messages


def test_an_application_that_stops_is_said_in_one_line(tmp_path: Path) -> None:
    async def wait_for_it() -> None:
        async with RunningApplication(plan_in(tmp_path)) as application:
            await application.during(asyncio.sleep(60))

    with pytest.raises(PromptyardError) as caught:
        asyncio.run(wait_for_it())
    said = str(caught.value)
    assert said.startswith("the application that replays the traffic has stopped: ")
    assert "there is no such folder" in said
    assert "\n" not in said


def test_trouble_of_what_goes_on_beside_it_is_raised_as_it_is(tmp_path: Path) -> None:
    write_small_demo(tmp_path / "task")

    async def fail() -> None:
        raise PromptyardError("the store is gone")

    async def both() -> None:
        async with RunningApplication(plan_in(tmp_path)) as application:
            await application.during(fail())

    with pytest.raises(PromptyardError, match="the store is gone"):
        asyncio.run(both())
