"""How a database is opened and what its errors say."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from promptyard.errors import StorageError
from promptyard.storage import open_store
from promptyard.storage.address import parse_address
from promptyard.storage.database import Database
from support.postgres import PostgresServer

LIMITS = ("lock_timeout", "idle_in_transaction_session_timeout")


def test_an_sqlite_file_is_opened_for_durable_concurrent_use(tmp_path: Path) -> None:
    database = Database(parse_address(str(tmp_path / "a" / "b" / "runs.db")))
    database.open()
    with database.reading() as connection:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        values = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
    database.close()
    assert values == ["wal", 2, 1, 30_000]


def test_closing_leaves_one_file(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"

    async def write() -> None:
        store = open_store(str(path))
        await store.open()
        await store.start_attempt("run-1", "task", "key-1")
        await store.close()

    asyncio.run(write())
    assert [file.name for file in tmp_path.iterdir()] == ["runs.db"]


def test_a_file_that_is_no_database_is_named_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("The day was long, and nothing of it was a database.\n" * 50)
    before = path.read_bytes()
    _assert_refused(str(path), "notes.txt", "not a database", "another path")
    assert path.read_bytes() == before


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    _assert_refused(str(tmp_path), str(tmp_path), "is a folder")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    _assert_refused(str(tmp_path / "file" / "runs.db"), "file", "you may write to")
    _assert_refused(str(tmp_path / "file" / "sub" / "runs.db"), "sub", "you may write to")


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="no folder is closed to this user"
)
def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    _assert_refused(str(tmp_path / "runs.db"), "runs.db", "you may write to")
    tmp_path.chmod(0o700)


def test_a_server_that_does_not_answer_is_named_without_the_password() -> None:
    url = "postgresql://ann:hu%40sh@127.0.0.1:1/prompts"
    message = _assert_refused(url, "ann:***@127.0.0.1:1/prompts", "check the address")
    assert "hu" not in message


def test_an_unknown_database_is_named(postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database().replace("/store_", "/unknown_")
    _assert_refused(url, "unknown_", "does not exist")


def test_a_store_survives_that_its_connection_is_cut(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    async def body() -> None:
        store = open_store(postgres_url)
        await store.open()
        first = await store.start_attempt("run-1", "task", "key-1")
        postgres_server.drop_connections()
        await store.finish_attempt(first, outcome="timeout")
        postgres_server.drop_connections()
        assert [row["outcome"] for row in await store.attempts("run-1")] == ["timeout"]
        await store.close()

    asyncio.run(body())


def test_a_process_that_sleeps_in_a_transaction_loses_its_locks(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptyard.storage.database.IDLE_LIMIT_S", 0.5)
    sleeper, other = (Database(parse_address(postgres_url)) for _ in range(2))
    sleeper.open()
    other.open()

    def sleep_in_a_transaction() -> None:
        with sleeper.writing(["a"]) as connection:
            with other.writing(["a"]) as free:  # waits until the server has ended the sleeper
                free.execute(text("SELECT 1"))
            connection.execute(text("SELECT 1"))

    with pytest.raises(DBAPIError) as lost:
        sleep_in_a_transaction()
    assert "this process did nothing for 15 s" in str(sleeper.explain(lost.value))
    with sleeper.writing(["a"]) as connection:
        connection.execute(text("SELECT 1"))
    for database in (sleeper, other):
        database.close()


def test_a_lock_of_another_process_is_not_waited_for_for_ever(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptyard.storage.database.LOCK_TIMEOUT_S", 0.2)
    holder, other = (Database(parse_address(postgres_url)) for _ in range(2))
    with holder.writing(["a"]):
        with pytest.raises(DBAPIError) as late, other.writing(["a"]):
            raise AssertionError("nobody gets here")
        assert "another process has held it" in str(other.explain(late.value))
    with other.writing(["a"]) as connection:
        connection.execute(text("SELECT 1"))
    for database in (holder, other):
        database.close()


def test_limits_that_somebody_has_set_stay(postgres_url: str) -> None:
    url = postgres_url.replace("options=", "options=-clock_timeout%3D2s%20", 1)
    assert url != postgres_url
    database = Database(parse_address(url))
    with database.reading() as connection:
        shown = {name: connection.execute(text(f"SHOW {name}")).scalar_one() for name in LIMITS}
    database.close()
    assert shown == {"lock_timeout": "2s", "idle_in_transaction_session_timeout": "15s"}


def test_who_opens_a_store_waits_for_another_one_that_migrates_it(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptyard.storage.database.LOCK_TIMEOUT_S", 0.2)
    migrating, other = (Database(parse_address(postgres_url)) for _ in range(2))
    with ThreadPoolExecutor(1) as threads:
        with migrating.writing(["schema"]):
            opening = threads.submit(other.open)
            with pytest.raises(TimeoutError):
                opening.result(1.0)
        opening.result(20)
    for database in (migrating, other):
        database.close()


def test_a_locked_file_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"

    async def body() -> None:
        store = open_store(str(path))
        await store.open()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            starting = asyncio.create_task(store.start_attempt("run-1", "task", "key-1"))
            await asyncio.sleep(0.2)
            assert not starting.done()
            other.execute("COMMIT")
            assert await starting == 1
        await store.close()

    asyncio.run(body())


def test_processes_that_open_and_write_one_new_store_do_not_race(
    tmp_path: Path, postgres_url: str
) -> None:
    urls = (str(tmp_path / "runs.db"), postgres_url)
    script = f"import sys; sys.path[:0] = {sys.path!r}\n{_WRITER}"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, *urls], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        process.communicate(b"go\n")
    assert [process.returncode for process in processes] == [0, 0, 0]

    async def entries(url: str) -> list[int]:
        store = open_store(url)
        await store.open()
        journal = await store.journal("run-1")
        await store.close()
        return [entry["seq"] for entry in journal]

    for url in urls:
        assert asyncio.run(entries(url)) == list(range(1, 61))


_WRITER = """
import asyncio
from promptyard.storage import open_store

async def write(url):
    store = open_store(url)
    await store.open()
    for number in range(20):
        await store.append_journal("run-1", "note", {"number": number})
    await store.close()

async def main():
    open_store(None)
    print("ready", flush=True)
    sys.stdin.readline()
    await asyncio.gather(*(write(url) for url in sys.argv[1:]))

asyncio.run(main())
"""


def _assert_refused(url: str, *parts: str) -> str:
    """Open a store that cannot be opened; check and return the message."""

    async def body() -> tuple[StorageError, StorageError]:
        store = open_store(url)
        with pytest.raises(StorageError) as first:
            await store.open()
        with pytest.raises(StorageError) as second:
            await store.open()
        await store.close()
        return first.value, second.value

    error, again = asyncio.run(body())
    message = str(error)
    assert message == str(again)
    assert "\n" not in message
    assert [part for part in parts if part not in message] == []
    assert error.__cause__ is None
    return message
