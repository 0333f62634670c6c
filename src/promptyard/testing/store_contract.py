"""What every store must do, as tests: subclass, say where a fresh store is, run under pytest."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable

from promptyard.errors import Conflict, StorageError
from promptyard.protocols import Store
from promptyard.records.live import StoredEvent
from promptyard.records.messages import Completion
from promptyard.records.rollouts import Decision
from promptyard.records.versions import Move
from promptyard.testing.store_call_contract import CallContract
from promptyard.testing.store_live_contract import LiveContract
from promptyard.testing.store_measure_contract import EvalSetContract, MeasureContract
from promptyard.testing.store_protection_contract import ProtectionContract
from promptyard.testing.store_pruning_contract import PruningContract
from promptyard.testing.store_release_contract import RolloutContract
from promptyard.testing.store_run_contract import RegistryContract, RunContract
from promptyard.testing.store_service_contract import ServiceContract
from promptyard.testing.store_suite import (
    raises,
    record_answer,
    sample_decision,
    sample_header,
    sample_move,
    sample_outcome,
    sample_rollout,
    sample_run,
    sample_version,
)
from promptyard.testing.store_traffic_contract import TrafficContract
from promptyard.testing.store_webhook_contract import WebhookContract


class TransientStoreContract(
    CallContract,
    RunContract,
    MeasureContract,
    EvalSetContract,
    RegistryContract,
    ProtectionContract,
    RolloutContract,
    LiveContract,
    ServiceContract,
    TrafficContract,
    PruningContract,
    WebhookContract,
):
    """What also a store does that forgets everything when it is closed. See `StoreContract`."""

    def test_opening_and_closing_twice_does_no_harm(self) -> None:
        """Whoever passes a store on need not know who opened it."""

        async def body() -> None:
            store = self.store(self.url())
            assert isinstance(store.url, str)
            await store.close()
            await asyncio.gather(store.open(), store.open())
            await store.open()
            await store.start_attempt("run-1", "task", "key-1")
            await store.close()
            await store.close()

        asyncio.run(body())

    def test_a_closed_store_refuses_calls(self) -> None:
        """A call to a store that is not open fails at once; it neither waits nor is lost."""

        async def body() -> None:
            store = self.store(self.url())
            with raises(StorageError):
                await store.prompt_names()
            await store.open()
            await store.close()
            with raises(StorageError):
                await store.start_attempt("run-1", "task", "key-1")

        asyncio.run(body())


class StoreContract(TransientStoreContract):
    """The contract of the seam `Store`; a subclass whose name begins with Test is a suite.

        class TestMyStore(StoreContract):
            factory = "my_package.stores:open_my_store"

            def url(self) -> str:
                return f"mystore://localhost/{uuid.uuid4()}"

    Every test asks for a URL of its own. Stores of the same URL share what they hold.
    """

    def test_everything_is_there_after_reopening(self) -> None:
        """What a call has returned from is stored, not kept in memory."""
        url = self.url()

        async def write(store: Store) -> None:
            await store.start_run(sample_header("run-1"))
            await record_answer(store, "run-1", "key", Completion(text="paid"))
            await store.set_run_status("run-1", "finished", sample_run(sample_header("run-1")))
            await store.append_journal("run-1", "note", {"a": 1})
            await store.count_look("holdout", "pair-1")
            await store.add_version(sample_version("one"))
            await store.move_pointer(sample_move(None, 1))
            await store.add_live_events([sample_outcome("o1", rollout_id="rollout-1")])

        async def read(store: Store) -> None:
            assert await store.run_result("run-1") == sample_run(sample_header("run-1"))
            assert (await store.completions(["key"], "run-1"))["key"].text == "paid"
            assert len(await store.journal("run-1")) == 1
            assert await store.count_look("holdout", "pair-1") == 1
            assert len(await store.versions("support")) == 1
            assert len(await store.pointers("support")) == len(await store.moves("support")) == 1
            assert await store.start_attempt("run-1", "task", "key") == 2
            assert len(await store.live_events("support", rollout_id="rollout-1")) == 1

        self.with_store(write, url)
        self.with_store(read, url)

    def test_stores_of_one_url_see_each_other(self) -> None:
        """What one has written, the other reads."""

        async def body(one: Store, two: Store) -> None:
            await record_answer(one, "run-1", "key", Completion(text="shared"))
            assert (await two.completions(["key"], "run-2"))["key"].text == "shared"
            await two.append_journal("run-1", "note", {})
            assert len(await one.journal("run-1")) == 1

        self._with_two_stores(body)

    def test_racing_attempts_get_ids_of_their_own(self) -> None:
        """An id names one attempt, whichever store started it."""

        async def body(one: Store, two: Store) -> None:
            ids = await asyncio.gather(
                *(store.start_attempt("run-1", "task", "key") for store in (one, two) * 20)
            )
            assert len(set(ids)) == 40
            rows = await two.attempts("run-1")
            assert {row["id"] for row in rows} == set(ids)

        self._with_two_stores(body)

    def test_one_of_two_racing_moves_wins(self) -> None:
        """Of all who move a pointer from the same place exactly one succeeds."""

        async def body(one: Store, two: Store) -> None:
            await one.add_version(sample_version("one"))
            await one.add_version(sample_version("two"))
            for round_number in range(10):
                move = sample_move(None, 2, pointer=f"pointer-{round_number}")
                results = await asyncio.gather(
                    *(store.move_pointer(move) for store in (one, two) * 4),
                    return_exceptions=True,
                )
                won = [result for result in results if isinstance(result, Move)]
                lost = [result for result in results if isinstance(result, Conflict)]
                assert (len(won), len(lost)) == (1, 7)
            assert len(await one.moves("support")) == 10

        self._with_two_stores(body)

    def test_one_of_two_racing_decisions_counts(self) -> None:
        """Two engines in two processes that looked at the same state cannot both promote."""

        async def body(one: Store, two: Store) -> None:
            numbers = [(await one.add_version(sample_version(t))).digest for t in ("one", "two")]
            digests = {"control_digest": numbers[0], "treatment_digest": numbers[1]}
            for n in range(10):
                name, pointer = f"rollout-{n}", f"pointer-{n}"
                await one.move_pointer(sample_move(None, 1, pointer=pointer))
                rollout = sample_rollout(id=name, pointer=pointer, **digests)
                await one.start_rollout(rollout, sample_decision(1, rollout_id=name))
                move = sample_move(1, 2, pointer=pointer, rollout_id=name)
                end = sample_decision(
                    2, rollout_id=name, action="promote", state="promoted", move=move
                )
                results = await asyncio.gather(
                    *(store.decide(end) for store in (one, two) * 4), return_exceptions=True
                )
                won = [result for result in results if isinstance(result, Decision)]
                lost = [result for result in results if isinstance(result, Conflict)]
                assert (len(won), len(lost)) == (1, 7)
                assert len(await two.moves("support", pointer)) == 2

        self._with_two_stores(body)

    def test_live_events_of_several_stores_are_numbered_in_the_order_of_commits(self) -> None:
        """Who has read up to a number misses nothing below it, whoever writes; each id is once."""

        async def body(one: Store, two: Store) -> None:
            seen: list[StoredEvent] = []
            writers = [
                asyncio.ensure_future(
                    store.add_live_events(
                        [sample_outcome(f"o{w}-{n}", rollout_id="rollout-1") for n in range(3)]
                    )
                )
                for w in range(40)
                for store in (one, two)
            ]
            while not all(writer.done() for writer in writers):
                seen += await two.live_events("support", after=seen[-1].seq if seen else 0)
            seen += await two.live_events("support", after=seen[-1].seq if seen else 0)
            assert sum(writer.result() for writer in writers) == len(seen) == 120
            assert seen == await one.live_events("support")

        self._with_two_stores(body)

    def test_racing_registrations_get_dense_numbers(self) -> None:
        """Numbers are unique across stores, and a program that both register is one version."""

        async def body(one: Store, two: Store) -> None:
            texts = [f"text {number}" for number in range(20)]
            added = await asyncio.gather(
                *(store.add_version(sample_version(text)) for text in texts for store in (one, two))
            )
            assert {version.number for version in added} == set(range(1, 21))
            assert len(await one.versions("support")) == 20

        self._with_two_stores(body)

    def test_racing_entries_of_a_journal_are_all_kept(self) -> None:
        """No entry takes the place of another one."""

        async def body(one: Store, two: Store) -> None:
            await asyncio.gather(
                *(store.append_journal("run", "n", {}) for _ in range(20) for store in (one, two))
            )
            assert [entry["seq"] for entry in await one.journal("run")] == list(range(1, 41))

        self._with_two_stores(body)

    def test_nothing_acknowledged_is_lost_when_the_process_is_killed(self) -> None:
        """`kill -9` in full flight: every answer whose call had returned is there afterwards."""
        url = self.url()
        assert url is not None
        acknowledged = self._keys_written_until_killed(url)

        async def body(store: Store) -> None:
            found = await store.completions(acknowledged, "run-1")
            assert set(found) == set(acknowledged)
            outcomes = {row["key"]: row["outcome"] for row in await store.attempts("run-1")}
            assert all(outcomes[key] == "ok" for key in acknowledged)
            assert outcomes["pending"] is None

        self.with_store(body, url)

    def _keys_written_until_killed(self, url: str) -> list[str]:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with subprocess.Popen(  # noqa: S603 (our own program, in the interpreter of the tests)
            [sys.executable, "-c", _ENDLESS_WRITER, self.factory, url],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        ) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(100)]
            process.kill()
            lines.extend(process.stdout.readlines())
        keys = [line.strip() for line in lines if line.endswith("\n")]
        assert len(keys) >= 100, "the writer ended by itself"
        return keys

    def _with_two_stores(self, body: Callable[[Store, Store], Awaitable[None]]) -> None:
        url = self.url()

        async def opened() -> None:
            stores = self.store(url), self.store(url)
            # Both at once: the first opening of a new store is a race, too.
            await asyncio.gather(*(store.open() for store in stores))
            try:
                await body(*stores)
            finally:
                await asyncio.gather(*(store.close() for store in stores))

        asyncio.run(opened())


_ENDLESS_WRITER = """
import asyncio, itertools, pkgutil, sys
from promptyard.records.messages import Completion

async def write(store, worker):
    for number in itertools.count():
        key = f"key-{worker}-{number}"
        attempt = await store.start_attempt("run-1", "task", key)
        await store.finish_attempt(
            attempt, outcome="ok", body={"number": number}, completion=Completion(text="paid")
        )
        print(key, flush=True)

async def main():
    store = pkgutil.resolve_name(sys.argv[1])(sys.argv[2])
    await store.open()
    await store.start_attempt("run-1", "task", "pending")
    await asyncio.gather(*(write(store, worker) for worker in range(8)))

asyncio.run(main())
"""
