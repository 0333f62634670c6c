"""Calls that wait together are one transaction, and stay apart in all other respects."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from promptyard.errors import StorageError
from promptyard.records.messages import Completion
from promptyard.storage import open_store
from promptyard.storage.address import parse_address
from promptyard.storage.sql_store import SqlStore


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where a new store is to be."""
    return str(tmp_path / "runs.db")


def test_calls_that_wait_together_share_a_commit(path: str) -> None:
    async def body(store: SqlStore) -> None:
        with _counting("commit") as commits:
            ids = await asyncio.gather(
                *(store.start_attempt("run-1", "task", f"key-{i}") for i in range(64))
            )
        assert 1 <= len(commits) <= 8
        assert len(set(ids)) == 64
        assert ids == sorted(ids), "calls of one kind keep their order"

    _run(body, path)


def test_one_commit_has_a_limit(path: str) -> None:
    async def body(store: SqlStore) -> None:
        with _counting("commit") as commits:
            ids = await asyncio.gather(
                *(store.start_attempt("run-1", "task", f"key-{i}") for i in range(2500))
            )
        assert len(commits) >= 3
        assert len(set(ids)) == len(await store.attempts("run-1")) == 2500

    _run(body, path)


def test_lookups_that_wait_together_share_a_query(path: str) -> None:
    async def body(store: SqlStore) -> None:
        with _counting("before_cursor_execute") as statements:
            await asyncio.gather(*(store.completions([f"key-{i}"], "run-1") for i in range(64)))
        assert len([sql for sql in statements if "SELECT" in sql]) <= 8

    _run(body, path)


def test_a_call_returns_only_when_others_see_what_it_wrote(path: str) -> None:
    async def body(store: SqlStore) -> None:
        other = open_store(path)
        await other.open()
        for number in range(20):
            await store.start_attempt("run-1", "task", f"key-{number}")
            assert len(await other.attempts("run-1")) == number + 1
        await other.close()

    _run(body, path)


def test_a_call_whose_caller_gave_up_is_written_all_the_same(path: str) -> None:
    async def body(store: SqlStore) -> None:
        starting = asyncio.create_task(store.start_attempt("run-1", "task", "key-1"))
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert len(await store.attempts("run-1")) == 1

    _run(body, path)


def test_closing_writes_what_is_queued(path: str) -> None:
    async def body(store: SqlStore) -> None:
        starting = [
            asyncio.create_task(store.start_attempt("run-1", "task", f"key-{i}")) for i in range(64)
        ]
        await asyncio.sleep(0)
        await store.close()
        await asyncio.gather(*starting)
        await store.open()
        assert len(await store.attempts("run-1")) == 64

    _run(body, path)


def test_a_store_can_be_used_from_one_event_loop_after_another(path: str) -> None:
    store = open_store(path)
    asyncio.run(store.open())
    assert asyncio.run(store.start_attempt("run-1", "task", "key-1")) == 1
    assert asyncio.run(store.start_attempt("run-1", "task", "key-2")) == 2
    asyncio.run(store.close())


def test_an_event_loop_that_ends_early_harms_nobody(path: str) -> None:
    async def leave(store: SqlStore) -> None:
        asyncio.get_running_loop().call_soon(asyncio.get_running_loop().stop)
        await store.start_attempt("run-1", "task", "key-1")

    store = open_store(path)
    asyncio.run(store.open())
    loop = asyncio.new_event_loop()
    leaving = loop.create_task(leave(store))
    loop.run_forever()
    leaving.cancel()
    loop.close()
    assert len(asyncio.run(store.attempts("run-1"))) == 1
    asyncio.run(store.close())


def test_the_clock_of_the_store_stamps_its_rows() -> None:
    async def body() -> None:
        store = SqlStore(parse_address(None), clock=lambda: "2026-01-01T00:00:00Z")
        await store.open()
        attempt = await store.start_attempt("run-1", "task", "key-1")
        await store.finish_attempt(attempt, outcome="ok", completion=Completion(text="a"))
        (row,) = await store.attempts("run-1")
        await store.close()
        assert row["started_at"] == row["finished_at"] == "2026-01-01T00:00:00Z"

    asyncio.run(body())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot limit the size of a file")
def test_a_full_disk_fails_the_calls_it_could_not_store_and_no_other(path: str) -> None:
    script = f"import sys; sys.path[:0] = {sys.path!r}\n{_WRITE_UNTIL_FULL}"
    answer = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, check=True
    )
    *stored, refusal = answer.stdout.splitlines()
    assert stored
    assert refusal.startswith(f"StorageError: The store {path} failed: ")

    async def body(store: SqlStore) -> None:
        keys = [row["key"] for row in await store.attempts("run-1") if row["outcome"] == "ok"]
        assert sorted(keys) == sorted(stored)
        assert set(await store.completions(keys, "run-1")) == set(stored)

    _run(body, path)


_WRITE_UNTIL_FULL = """
import asyncio, resource
from promptyard.errors import StorageError
from promptyard.records.messages import Completion
from promptyard.storage import open_store

async def write(store, number):
    attempt = await store.start_attempt("run-1", "task", f"key-{number}")
    answer = Completion(text="word " * 10_000)
    await store.finish_attempt(attempt, outcome="ok", completion=answer)
    print(f"key-{number}", flush=True)

async def main():
    store = open_store(sys.argv[1])
    await store.open()
    # Every write beyond this size of a file fails, as it does on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
    results = []
    for first in range(0, 400, 4):
        numbers = range(first, first + 4)
        writes = (write(store, number) for number in numbers)
        results += await asyncio.gather(*writes, return_exceptions=True)
        if errors := [result for result in results if result]:
            break
    assert all(isinstance(error, StorageError) for error in errors), errors
    print(f"StorageError: {errors[0]}")
    await store.close()

asyncio.run(main())
"""


def test_a_store_may_be_closed_while_it_opens(path: str) -> None:
    async def body() -> None:
        store = open_store(path)
        opening = asyncio.create_task(store.open())
        await asyncio.sleep(0)
        await store.close()
        await opening
        with pytest.raises(StorageError, match="not open"):
            await store.prompt_names()

    asyncio.run(body())


def test_a_call_before_the_store_is_open_is_refused(tmp_path: Path) -> None:
    async def body() -> None:
        store = open_store(str(tmp_path))
        opening = asyncio.create_task(store.open())
        await asyncio.sleep(0)
        with pytest.raises(StorageError, match="not open"):
            await store.prompt_names()
        with pytest.raises(StorageError, match="folder"):
            await opening

    asyncio.run(body())


def test_a_store_that_failed_to_open_refuses_calls(tmp_path: Path) -> None:
    async def body() -> None:
        store = open_store(str(tmp_path))
        with pytest.raises(StorageError, match="folder"):
            await store.open()
        with pytest.raises(StorageError, match="not open"):
            await store.prompt_names()
        await store.close()

    asyncio.run(body())


def _run(body: Any, path: str) -> None:
    async def opened() -> None:
        store = open_store(path)
        await store.open()
        work: Coroutine[Any, Any, None] = body(store)
        try:
            await work
        finally:
            await store.close()

    asyncio.run(opened())


@contextmanager
def _counting(name: str) -> Generator[list[str]]:
    """Gather what SQLAlchemy reports under the name of an event: SQL texts, or nothing much."""
    seen: list[str] = []

    def note(_connection: Any, *arguments: Any) -> None:
        seen.append(str(arguments[1]) if arguments else name)

    event.listen(Engine, name, note)
    try:
        yield seen
    finally:
        event.remove(Engine, name, note)
