"""Background work: who holds it, how it goes on when it fails, and that it is given back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from promptyard.config.service_shape import ServiceConfig
from promptyard.errors import ConfigError
from promptyard.protocols import Store
from promptyard.records.leases import Lease
from promptyard.service.background import Did, Turn, Worker, run_background
from promptyard.service.state import ServiceState
from promptyard.storage import open_store
from support.served import served
from support.stores import on_store

EVERY_S = 0.01
LEASE_S = 0.4


def a_worker(name: str, turn: Turn) -> Worker:
    return Worker(name, lambda _: EVERY_S, lambda _: turn)


def during(path: Path, workers: list[Worker], body: Callable[[ServiceState], Any]) -> list[Lease]:
    """Run workers on a store while `body` runs; return the leases as they are left behind."""

    async def run() -> list[Lease]:
        store = open_store(str(path / "store.db"))
        await store.open()
        state = ServiceState.of(store, ServiceConfig(lease_s=LEASE_S))
        working = asyncio.create_task(run_background(state, workers))
        try:
            await asyncio.wait_for(body(state), 10)
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            left = list(await store.leases())
            await store.close()
        return left

    return asyncio.run(run())


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        await asyncio.sleep(0.005)


def test_one_that_fails_or_hangs_keeps_no_other_waiting(tmp_path: Path) -> None:
    seen = dict.fromkeys(("fails", "breaks", "hangs", "works"), 0)

    async def fails() -> Did:
        seen["fails"] += 1
        raise ConfigError("not like this")

    async def breaks() -> Did:
        seen["breaks"] += 1
        return Did("half of it", trouble="the other half")

    async def hangs() -> Did:
        seen["hangs"] += 1
        await asyncio.sleep(60)
        return Did("")

    async def works() -> Did:
        seen["works"] += 1
        return Did("all of it")

    turns = {"fails": fails, "breaks": breaks, "hangs": hangs, "works": works}
    workers = [a_worker(name, turn) for name, turn in turns.items()]

    async def body(_: ServiceState) -> None:
        await until(lambda: min(seen["fails"], seen["breaks"], seen["works"]) >= 3)

    began_s = time.monotonic()
    left = {lease.name: lease for lease in during(tmp_path, workers, body)}
    assert time.monotonic() - began_s < 5
    assert seen["hangs"] == 1
    assert left["fails"].note["error"] == "not like this"
    assert left["fails"].note["n_failed"] == left["fails"].note["n_turns"] >= 2
    assert (left["breaks"].note["did"], left["breaks"].note["error"]) == (
        "half of it",
        "the other half",
    )
    assert (left["works"].note["did"], left["works"].note["error"]) == ("all of it", "")
    assert left["works"].note["next_at"] >= left["works"].note["last_at"]
    assert all(lease.ends_in_s <= 0 for lease in left.values())  # given back, not run out


def test_only_the_holder_works_and_the_other_goes_on_in_time(tmp_path: Path) -> None:
    """A holder that dies without a word is one whose lease nobody renews."""
    turns: list[float] = []

    async def turn() -> Did:
        turns.append(time.monotonic())
        return Did("")

    async def body(state: ServiceState) -> None:
        took = await state.store.take_lease("work", "the dead", for_s=LEASE_S)
        assert took is None or took.owner == "the dead"

    async def first(store: Store) -> None:
        assert await store.take_lease("work", "the dead", for_s=LEASE_S) is not None

    on_store(str(tmp_path / "store.db"), first)
    died_s = time.monotonic()

    async def wait(state: ServiceState) -> None:
        await body(state)
        await until(lambda: len(turns) >= 2)

    (left,) = during(tmp_path, [a_worker("work", turn)], wait)
    assert left.fence == 2
    assert turns[0] - died_s >= LEASE_S
    assert turns[0] - died_s < 2 * LEASE_S


def test_a_store_that_fails_for_a_while_does_not_end_the_work(tmp_path: Path) -> None:
    turns: list[int] = []

    async def turn() -> Did:
        turns.append(1)
        return Did("")

    async def body(state: ServiceState) -> None:
        await until(lambda: bool(turns))
        await state.store.close()  # every call fails now, as with a server that is gone
        await asyncio.sleep(1.5 * LEASE_S)
        n = len(turns)
        assert state.counts.store_errors > 0
        await asyncio.sleep(LEASE_S / 2)
        assert len(turns) == n  # the lease has run out: somebody else may hold it
        await state.store.open()
        await until(lambda: len(turns) > n)

    (left,) = during(tmp_path, [a_worker("work", turn)], body)
    assert left.note["n_turns"] > 1


def test_the_state_of_the_work_can_be_read(tmp_path: Path) -> None:
    with served(tmp_path, lease_s=0.2) as service:

        def read() -> dict[str, Any]:
            found = service.get("/api/v1/background").json
            works = {lease["name"]: lease for lease in found["leases"]}
            return {"replica": found["replica"], **works}

        works = read()
        while not all(works.get(name, {}).get("note") for name in ("canary", "retention")):
            time.sleep(0.05)
            works = read()
        assert works["canary"]["owner"] == works["replica"]
        assert works["canary"]["note"]["did"] == "looked at 0 rollouts, 0 decisions"
        assert works["retention"]["note"]["error"] == ""
        text = service.get("/metrics").body.decode()
    assert 'promptyard_lease_held{work="canary"} 1.0' in text
    left = on_store(str(tmp_path / "service.db"), lambda store: store.leases())
    assert all(lease.ends_in_s <= 0 for lease in left)
