"""Both ways to reach the models of a world: the counting server, and inside the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer

import promptyard as py
from promptyard.protocols import Model
from promptyard.testing import ModelContract
from search_worlds import world_of
from search_worlds.models import WorldModel
from search_worlds.server import Runs
from search_worlds.service import Service
from search_worlds.tasks import expected_of_program, models_of, task_of

WORLD, SEED = "clinic-notes+weak", 5
CASES = world_of(WORLD, SEED).val


def body(number: int, role: str = "task", **more: Any) -> dict[str, Any]:
    prompt = world_of(WORLD, SEED).seed_prompt
    turns = [
        {"role": "system", "content": prompt},
        {"role": "user", "content": CASES[number].input},
    ]
    return {"model": role, "messages": turns, **more}


@asynccontextmanager
async def server() -> AsyncGenerator[TestServer]:
    started = TestServer(Runs().application())
    await started.start_server()
    try:
        yield started
    finally:
        await started.close()


async def posted(
    session: aiohttp.ClientSession, address: TestServer, run: str, sent: Mapping[str, Any]
) -> dict[str, Any]:
    path = f"/runs/{run}/{WORLD}/{SEED}/v1/chat/completions"
    async with session.post(address.make_url(path), json=sent) as answer:
        return {"status": answer.status, **await answer.json()}


def text_of(document: Mapping[str, Any]) -> str:
    return str(document["choices"][0]["message"]["content"])


class TestWorldModel(ModelContract):
    def model(self) -> Model:
        return WorldModel(Service(world_of(WORLD, SEED)), "task")


def test_both_ways_give_the_same_answers_in_the_same_order() -> None:
    sent = [body(number) for number in range(20)]
    sent += [body(0, temperature=0.8)] * 6 + [body(1, role="optimizer", temperature=1.0)] * 3

    async def over_http() -> list[str]:
        async with server() as address, aiohttp.ClientSession() as session:
            return [text_of(await posted(session, address, "r", item)) for item in sent]

    service = Service(world_of(WORLD, SEED))
    inside = [service.answer(item).choices[0].text for item in sent]
    assert asyncio.run(over_http()) == inside
    assert len(set(inside[20:26])) > 1  # at a temperature the same call draws anew


def test_the_server_counts_calls_by_run_role_and_split() -> None:
    async def main() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        async with server() as address, aiohttp.ClientSession() as session:
            for number in (0, 1, 1):
                await posted(session, address, "one", body(number))
            await posted(session, address, "one", body(0, role="optimizer"))
            await posted(session, address, "two", body(0, n=3, temperature=1.0))
            said: list[dict[str, Any]] = []
            for run in ("one", "two", "three"):
                async with session.get(address.make_url(f"/runs/{run}")) as answer:
                    said.append(await answer.json())
            return said[0], said[1], said[2]

    one, two, three = asyncio.run(main())
    assert one["calls"] == {"task": 3, "optimizer": 1}
    assert one["splits"] == {"val": 3}
    assert one["distinct"] == 2
    assert one["prompt_tokens"]["task"] > 3 * 100
    assert two["calls"] == {"task": 3}
    assert three == {}


def test_bodies_that_make_no_sense_and_runs_of_another_world_are_refused() -> None:
    async def main() -> list[dict[str, Any]]:
        async with server() as address, aiohttp.ClientSession() as session:
            wrong = await posted(session, address, "r", {"model": "task", "messages": "hello"})
            await posted(session, address, "r", body(0))
            path = f"/runs/r/{WORLD}/6/v1/chat/completions"
            async with session.post(address.make_url(path), json=body(0)) as answer:
                other = {"status": answer.status, **await answer.json()}
            return [wrong, other]

    wrong, other = asyncio.run(main())
    assert wrong["status"] == other["status"] == 400
    assert "run 'r' is one of" in other["error"]["message"]


def test_an_answer_longer_than_allowed_is_cut_and_says_so() -> None:
    choice = Service(world_of(WORLD, SEED)).answer(body(0, max_tokens=5)).choices[0]
    assert choice.finish_reason == "length"
    assert len(choice.text) == 20


def test_a_world_is_a_task_of_the_line() -> None:
    """The line measures by calls what the world knows without any."""
    world = world_of("lease-clauses", 5)
    service = Service(world)
    task = task_of(world, models_of(service), n_holdout=300)
    report = py.evaluate(task, split="holdout")
    assert service.counts.splits == {"test": 300}
    assert report.score is not None
    assert abs(report.score - world.expected_score(world.seed_prompt)) < 0.04
    assert expected_of_program(world, task.program) == world.expected_score(world.seed_prompt)
    failed = next(trial for trial in report.trials if trial.score == 0.0)
    assert failed.scores[0].tags[0].startswith("label:")
