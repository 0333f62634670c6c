"""What the tables of releases refuse, whoever writes to them past the store."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import psycopg
import pytest

from promptyard.errors import Conflict, StorageError, Tampered
from promptyard.protocols import Store
from promptyard.records.rollouts import Rollout
from promptyard.records.versions import MoveRequest
from promptyard.storage import open_store
from promptyard.testing.store_suite import (
    sample_decision,
    sample_move,
    sample_rollout,
    sample_version,
)

Sql: TypeAlias = Callable[[str], None]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Sql]:
    """A URL of a new store, and a way to run SQL on its database past the store."""
    if request.param == "sqlite":
        path = tmp_path / "store.db"

        def on_sqlite(statement: str) -> None:
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute(statement)

        return str(path), on_sqlite
    url = str(request.getfixturevalue("postgres_url"))

    def on_postgres(statement: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement.encode())

    return url, on_postgres


def with_store(url: str, body: Callable[[Store], Awaitable[None]]) -> None:
    async def opened() -> None:
        store = open_store(url)
        await store.open()
        try:
            await body(store)
        finally:
            await store.close()

    asyncio.run(opened())


async def started(store: Store) -> Rollout:
    versions = [await store.add_version(sample_version(text)) for text in ("one", "two")]
    await store.move_pointer(sample_move(None, 1))
    rollout = sample_rollout(control_digest=versions[0].digest, treatment_digest=versions[1].digest)
    await store.start_rollout(rollout, sample_decision(1))
    return rollout


def tamper(sql: Sql, number: int) -> None:
    """Write another text into a version, as somebody with the password could."""
    with_trigger = "DROP TRIGGER versions_refuse_update"
    try:
        sql(with_trigger)
    except (sqlite3.Error, psycopg.Error):
        sql("DROP TRIGGER versions_refuse_change ON versions")
    sql(
        f"UPDATE versions SET version = replace(version, 'system:', 'system: Obey.') "
        f"WHERE number = {number}"
    )


@pytest.mark.parametrize("table", ["protections", "rollouts", "decisions", "versions", "moves"])
def test_logs_refuse_to_be_changed(database: tuple[str, Sql], table: str) -> None:
    url, sql = database

    async def write(store: Store) -> None:
        await started(store)

    with_store(url, write)
    if table == "protections":
        sql("INSERT INTO protections (seq, prompt, pointer, protection) VALUES (1, 'a', 'b', '{}')")
    column = {"protections": "protection", "rollouts": "rollout", "decisions": "decision"}
    name = column.get(table, table.rstrip("s"))
    for statement in (f"UPDATE {table} SET {name} = '{{}}'", f"DELETE FROM {table}"):
        with pytest.raises((sqlite3.Error, psycopg.Error), match="append-only"):
            sql(statement)


def test_a_version_whose_bytes_were_changed_is_not_released(database: tuple[str, Sql]) -> None:
    url, sql = database
    rollouts: list[Rollout] = []

    async def write(store: Store) -> None:
        rollouts.append(await started(store))

    async def use(store: Store) -> None:
        before = await store.revision()
        move = sample_move(1, 2, rollout_id="rollout-1")
        with pytest.raises(Tampered, match="Version 2"):
            await store.decide(sample_decision(2, action="promote", state="promoted", move=move))
        with pytest.raises(Tampered, match="Version 2"):
            await store.move_pointer(sample_move(1, 2))
        with pytest.raises(Tampered, match="Version 2"):
            await store.request_move(MoveRequest(id="r1", move=sample_move(1, 2)))
        assert len((await store.rollout("rollout-1")).decisions) == 1
        await store.decide(sample_decision(2, action="abort", state="aborted"))
        again = rollouts[0].model_copy(update={"id": "rollout-2"})
        with pytest.raises(Tampered, match="Version 2"):
            await store.start_rollout(again, sample_decision(1, rollout_id="rollout-2"))
        assert await store.revision() == before + 1

    with_store(url, write)
    tamper(sql, 2)
    with_store(url, use)


def test_a_rollout_of_ten_thousand_decisions_is_looked_at_in_no_time(tmp_path: Path) -> None:
    path = tmp_path / "store.db"

    async def body(store: Store) -> None:
        await started(store)
        rows = [
            ("rollout-1", seq, json.dumps(sample_decision(seq).model_dump(mode="json")), seq)
            for seq in range(2, 10_001)
        ]
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.executemany("INSERT INTO decisions VALUES (?, ?, ?, ?)", rows)
        start_s = time.perf_counter()
        assert (await store.rollout("rollout-1", last_only=True)).last.seq == 10_000
        (record,) = await store.rollouts("support", last_only=True)
        assert record.last.seq == 10_000
        await store.decide(sample_decision(10_001))
        with pytest.raises(Conflict, match="has not ended"):
            await store.start_rollout(
                record.rollout.model_copy(update={"id": "rollout-2"}),
                sample_decision(1, rollout_id="rollout-2"),
            )
        assert time.perf_counter() - start_s < 0.5

    with_store(str(path), body)


def test_an_event_that_was_changed_into_no_event_is_an_error_of_one_line(tmp_path: Path) -> None:
    path = tmp_path / "store.db"

    async def body(store: Store) -> None:
        await started(store)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(
                "INSERT INTO live_events VALUES (7, 'o1', 'outcome', 'support', NULL, NULL, '', ?)",
                ('{"kind": "nothing"}',),
            )
        with pytest.raises(StorageError, match=r"event 7.*cannot be read"):
            await store.live_events("support")

    with_store(str(path), body)
