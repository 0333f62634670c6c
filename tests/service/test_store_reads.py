"""How often the store is read does not depend on how many ask without a right."""

from __future__ import annotations

import asyncio
import random
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptyard.errors import StorageError
from promptyard.line.api_keys import create_key
from promptyard.protocols import Store
from promptyard.service.access import (
    UNKNOWN_BURST,
    UNKNOWN_PER_S,
    UNKNOWN_S,
    Access,
    Caller,
    KeyRefused,
)
from promptyard.service.changes import POLL_S, Changes
from promptyard.service.counts import Counts
from promptyard.service.manifest import ManifestBoard
from support.served import served
from support.stores import on_store

N = 200
PATH = "/api/v1/prompts"


class Reads:
    """Counts the calls of a method of a store; `before` is awaited in each before it reads."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, store: Store, *names: str) -> None:
        self.n = 0
        self.before: Callable[[], Any] = lambda: asyncio.sleep(0)
        for name in names:
            monkeypatch.setattr(store, name, self._counted(getattr(store, name)))

    def _counted(self, read: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*given: Any, **more: Any) -> Any:
            self.n += 1
            result = await read(*given, **more)
            await self.before()
            return result

        return call


def wrong_key() -> str:
    return f"py_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}"


def test_wrong_keys_cost_a_few_reads_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path) as service:
        known = service.new_key("read")
        reads = Reads(monkeypatch, service.state.store, "key", "keys")
        began_s = time.monotonic()
        for _ in range(N):
            assert service.get(PATH, key=wrong_key()).status in (401, 429)
        took_s = time.monotonic() - began_s
        assert reads.n <= UNKNOWN_BURST + 2 + (UNKNOWN_PER_S + 1 / UNKNOWN_S) * took_s < N / 2
        # Who has a right is let in, also with a key that was just made elsewhere.
        assert service.get(PATH, key=known).status == 200
        made = service.in_store(lambda store: create_key(store, "bob", ["read"], actor="me"))
        deadline_s = time.monotonic() + UNKNOWN_S + 0.5
        while service.get(PATH, key=made.secret).status == 401:
            assert time.monotonic() < deadline_s
            service.get(PATH, key=wrong_key())


def test_a_key_that_was_made_elsewhere_works_at_once(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        service.new_key("read")
        for number in range(3):
            assert service.get(PATH, key=wrong_key()).status == 401
            made = service.in_store(
                lambda store, name=f"n{number}": create_key(store, name, ["read"], actor="me")
            )
            assert service.get(PATH, key=made.secret).status == 200


def test_who_asks_together_waits_for_one_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does one who leaves take it away from the others."""

    async def body(store: Store) -> None:
        made = await create_key(store, "ada", ["read"], actor="me")
        access = Access(store)
        reads = Reads(monkeypatch, store, "key", "keys")
        asked = [asyncio.ensure_future(access.caller(made.secret, "")) for _ in range(50)]
        await asyncio.sleep(0)
        asked[0].cancel()
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [isinstance(item, Caller) for item in found] == [False] + [True] * 49
        assert reads.n == 1

    on_store(None, body)


def test_a_reading_that_began_before_a_change_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def body(store: Store) -> None:
        made = await create_key(store, "ada", ["read"], actor="me")
        access = Access(store)
        reads = Reads(monkeypatch, store, "keys")

        async def revoke_once() -> None:
            if reads.n == 1:
                await store.end_key(made.key.id, revoked_at="2026-01-01T00:00:00.000000+00:00")
                access.forget()

        reads.before = revoke_once
        with pytest.raises(KeyRefused, match="is revoked"):
            await access.caller(made.secret, "")
        assert reads.n == 2

    on_store(None, body)


def test_what_was_changed_here_is_not_taken_from_memory_in_an_outage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def body(store: Store) -> None:
        made = await create_key(store, "ada", ["read"], actor="me")
        access = Access(store)
        await access.caller(made.secret, "")
        monkeypatch.setattr("promptyard.service.access.CACHE_S", 0.0)
        await store.close()
        assert (await access.caller(made.secret, "")).name == "ada"
        access.forget()
        with pytest.raises(StorageError):
            await access.caller(made.secret, "")

    on_store(None, body)


def test_where_the_store_hangs_known_keys_are_taken_and_it_is_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However steadily wrong keys come, and whoever of them leaves."""

    async def body(store: Store) -> None:
        made = await create_key(store, "ada", ["read"], actor="me")
        access = Access(store)
        await access.caller(made.secret, "")
        monkeypatch.setattr("promptyard.service.access.CACHE_S", 0.0)
        monkeypatch.setattr("promptyard.service.access.READ_S", 0.3)
        hanging = asyncio.Event()
        reads = Reads(monkeypatch, store, "keys")
        reads.before = hanging.wait
        wrong: list[asyncio.Task[Caller]] = []

        async def come_steadily() -> None:
            while True:
                wrong.append(asyncio.create_task(access.caller(wrong_key(), "")))
                await asyncio.sleep(0.05)

        coming = asyncio.create_task(come_steadily())
        first = await asyncio.gather(*(access.caller(made.secret, "") for _ in range(50)))
        assert {item.name for item in first} == {"ada"}
        began_s = time.monotonic()
        for _ in range(50):  # the reading is overdue: nobody waits for it any more
            assert (await access.caller(made.secret, "")).name == "ada"
        assert time.monotonic() - began_s < 50 * 0.3 / 2
        coming.cancel()
        for item in wrong[::2]:
            item.cancel()
        ends = await asyncio.gather(*wrong, return_exceptions=True)
        assert {type(item) for item in ends} <= {StorageError, asyncio.CancelledError}
        assert reads.n == 1
        hanging.set()
        async with asyncio.timeout(10):
            while reads.n == 1:  # what comes now is read anew
                await asyncio.sleep(0.01)
                with pytest.raises((KeyRefused, StorageError)):
                    await access.caller(wrong_key(), "")
        with pytest.raises(KeyRefused):
            await access.caller(wrong_key(), "")
        assert (await access.caller(made.secret, "")).name == "ada"

    on_store(None, body)


def test_who_leaves_at_any_moment_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many who ask with known and unknown keys while keys change, some are called off."""

    async def body(store: Store) -> None:
        made = await create_key(store, "ada", ["read"], actor="me")
        access = Access(store)
        monkeypatch.setattr("promptyard.service.access.CACHE_S", 0.0)
        reads = Reads(monkeypatch, store, "keys")
        reads.before = lambda: asyncio.sleep(0.001)
        dice = random.Random(7)
        asked: list[tuple[str, bool, asyncio.Task[Caller]]] = []
        for number in range(600):
            kind = dice.choice(("known", "unknown", "none"))
            text = {"known": made.secret, "unknown": wrong_key(), "none": None}[kind]
            task = asyncio.create_task(access.caller(text, ""))
            leaves = dice.random() < 0.3
            if leaves:
                asyncio.get_running_loop().call_later(dice.random() * 0.005, task.cancel)
            asked.append((kind, leaves, task))
            if number % 40 == 0:
                access.forget()
            if dice.random() < 0.2:
                await asyncio.sleep(dice.random() * 0.002)
        async with asyncio.timeout(10):
            found = await asyncio.gather(*(task for *_, task in asked), return_exceptions=True)
        for (kind, leaves, _), item in zip(asked, found, strict=True):
            right = Caller if kind == "known" else KeyRefused
            assert isinstance(item, right) or (leaves and isinstance(item, asyncio.CancelledError))
        assert sum(isinstance(item, asyncio.CancelledError) for item in found) > 20
        assert (await access.caller(made.secret, "")).name == "ada"

    on_store(None, body)


def test_where_the_store_hangs_the_process_is_said_to_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path) as service:
        assert service.get("/readyz").status == 200
        monkeypatch.setattr("promptyard.service.access.READ_S", 0.1)
        monkeypatch.setattr("promptyard.service.routes.health.STORE_S", 1.0)
        monkeypatch.setattr("promptyard.service.changes.FRESH_S", 0.2)
        hanging = Reads(monkeypatch, service.state.store, "keys", "revision")
        is_over = threading.Event()

        async def hang() -> None:
            while not is_over.is_set():
                await asyncio.sleep(0.01)

        hanging.before = hang
        service.state.access.forget()
        assert service.get("/healthz").status == 200
        slow = service.get("/readyz")
        assert (slow.status, "has not answered" in slow.json["detail"]) == (503, True)
        assert service.get(PATH).status == 503
        is_over.set()
        for _ in range(500):
            if service.get("/readyz").status == service.get(PATH).status == 200:
                return
            time.sleep(0.01)
        raise AssertionError("the service did not find its store again")


def test_readiness_costs_no_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(tmp_path) as service:
        service.new_key("read")
        reads = Reads(monkeypatch, service.state.store, "revision")
        began_s = time.monotonic()
        assert {service.get("/readyz").status for _ in range(N)} == {200}
        # Polls, and a few looks that background work asks for when it begins.
        assert reads.n <= 10 + (time.monotonic() - began_s) / POLL_S < N / 2


def test_polls_that_fail_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the revision, and the readings of the manifest."""
    counts = Counts()

    async def body(store: Store) -> None:
        changes = Changes(store, counts)
        board = ManifestBoard(store, changes, counts)
        await store.close()
        polling = asyncio.create_task(changes.run())
        with pytest.raises(StorageError, match="not open"):
            await changes.check(timeout_s=5)
        assert counts.store_errors == 1
        changes.revision = 1
        building = asyncio.create_task(board.run())
        assert await board.get() is None
        assert "could not be built" in board.trouble
        assert counts.store_errors == 2
        for task in (polling, building):
            task.cancel()
        await asyncio.gather(polling, building, return_exceptions=True)

    on_store(None, body)


def test_a_store_that_does_not_answer_is_not_waited_for_for_ever() -> None:
    async def body(store: Store) -> None:
        with pytest.raises(TimeoutError):
            await Changes(store, Counts()).check(timeout_s=0.01)

    on_store(None, body)
