"""Replicas over one store: one is killed in the middle of a rollout, another one goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from promptyard.line.publish import publish_to
from promptyard.line.rollout_engine import replay_rollout
from promptyard.line.rollouts import By, start_rollout
from promptyard.protocols import Store
from promptyard.records.rollouts import LiveBaseline, Rollout, RolloutPlan, RolloutRecord
from promptyard.records.versions import Move
from support.live_traffic import SAME, WORSE, serve
from support.postgres import postgres_server, postgres_url
from support.registered import version_of
from support.replicas import Replica, replicas
from support.stores import on_store

__all__ = ["postgres_server", "postgres_url"]

Result = TypeVar("Result")
LEASE_S = 1.0
SETTINGS = f"canary_every_s: 0.05, lease_s: {LEASE_S}"
PLAN = RolloutPlan(
    steps=(10.0, 30.0, 60.0, 100.0),
    min_subjects=40,
    min_step_s=0.2,
    baseline=LiveBaseline(n_outcomes=200, latency_p95_s=2.0, cost_p999_usd=1.0),
    outcome_window_s=1e-3,
)


async def started(store: Store) -> Rollout:
    for text in ("user:\nA {{x}}\n", "user:\nB {{x}}\n"):
        await store.add_version(version_of(text))
    first = {"prompt": "p", "pointer": "production", "from_number": None, "to_number": 1}
    await store.move_pointer(Move.model_validate({**first, "actor": "ann", "reason": "first"}))
    record = await start_rollout(store, "p", "v2", pointer="production", plan=PLAN, by=By("ann"))
    return record.rollout


async def until(
    store: Store, rollout: Rollout, is_so: Callable[[RolloutRecord], bool], good: dict[str, float]
) -> RolloutRecord:
    """Let live traffic go on until the rollout has got there."""
    deadline_s = time.monotonic() + 90
    record = await store.rollout(rollout.id)
    while not is_so(record):
        assert time.monotonic() < deadline_s, record.last
        await serve(store, rollout, 200, good)
        await asyncio.sleep(0.03)
        record = await store.rollout(rollout.id)
    return record


def killed_in_the_middle(
    url: str, running: list[Replica], restarted: Callable[[], None], good: dict[str, float]
) -> tuple[RolloutRecord, float]:
    """Kill whoever watches; return how the rollout ended, and after how long another went on."""

    async def body(store: Store) -> tuple[RolloutRecord, float]:
        rollout = await started(store)
        before = await until(store, rollout, lambda found: found.last.step >= 1, SAME)
        watching = next(replica for replica in running if replica.holds("canary"))
        watching.kill()
        killed_s = time.monotonic()
        await asyncio.to_thread(restarted)
        n_before = (await store.rollout(rollout.id)).last.seq
        assert before.is_active
        await until(store, rollout, lambda found: found.last.seq > n_before, good)
        took_s = time.monotonic() - killed_s
        return await until(store, rollout, lambda found: not found.is_active, good), took_s

    return on_store(url, body)


def require_single_and_in_order(url: str, record: RolloutRecord) -> None:
    assert [item.seq for item in record.decisions] == list(range(1, record.last.seq + 1))
    _, replayed = asyncio.run(replay_rollout(url, record.rollout.id))
    assert len(replayed) >= record.last.seq - 1
    assert all(item.equal for item in replayed)
    moves = on_store(url, lambda store: store.moves("p"))
    assert len(moves) == (2 if record.last.state == "promoted" else 1)


def test_of_two_replicas_the_other_goes_on(postgres_url: str, tmp_path: Path) -> None:
    published = tmp_path / "manifest.json"
    with replicas(tmp_path, postgres_url, 2, SETTINGS) as running:
        asyncio.run(publish_to(postgres_url, published))
        record, took_s = killed_in_the_middle(postgres_url, running, lambda: None, SAME)
        left = next(replica for replica in running if replica.is_running)
        assert left.holds("canary")
        assert left.lease("canary")["fence"] == 2
        revision = on_store(postgres_url, lambda store: store.revision())
        deadline_s = time.monotonic() + 5
        while f'"revision":{revision}' not in published.read_text().replace(" ", ""):
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        assert left.end()[:2] == (0, "")
    assert record.last.state == "promoted"
    assert took_s < LEASE_S + PLAN.min_step_s + 8.0  # of a busy machine; exact: test_background
    require_single_and_in_order(postgres_url, record)
    leases = on_store(postgres_url, lambda store: store.leases())
    assert all(lease.ends_in_s <= 0 for lease in leases)


def test_one_that_slept_longer_than_its_lease_decides_nothing_twice(
    postgres_url: str, tmp_path: Path
) -> None:
    with replicas(tmp_path, postgres_url, 2, SETTINGS) as running:

        async def body(store: Store) -> RolloutRecord:
            rollout = await started(store)
            await until(store, rollout, lambda found: found.last.step >= 1, SAME)
            sleeper = next(replica for replica in running if replica.holds("canary"))
            sleeper.pause()
            n_before = (await store.rollout(rollout.id)).last.seq
            await until(store, rollout, lambda found: found.last.seq > n_before, SAME)
            sleeper.go_on()
            return await until(store, rollout, lambda found: not found.is_active, SAME)

        record = on_store(postgres_url, body)
        assert {replica.status("/readyz") for replica in running} == {200}
        assert [replica.end()[:2] for replica in running] == [(0, "")] * 2
    assert record.last.state == "promoted"
    require_single_and_in_order(postgres_url, record)


def test_over_sqlite_the_same_replica_goes_on_after_a_restart(tmp_path: Path) -> None:
    url = str(tmp_path / "store.db")
    with replicas(tmp_path, url, 1, SETTINGS) as running:

        def start_again() -> None:
            running.append(Replica(tmp_path, url))
            running[-1].wait()

        record, _ = killed_in_the_middle(url, running, start_again, WORSE)
        code, said, _ = running[-1].end()
    # The one that was killed may hold its lease for a moment longer, and is warned of then.
    assert (code, [line for line in said.splitlines() if "was killed within" not in line]) == (
        0,
        [],
    )
    assert record.last.state == "rolled_back"
    require_single_and_in_order(url, record)
