"""A database of any age becomes one of this version, or a clear error."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from promptyard.errors import StorageError
from promptyard.line.webhook_delivery import deliver_due
from promptyard.protocols import Store
from promptyard.records.audit import AuditEntry
from promptyard.records.jobs import Job
from promptyard.records.webhooks import Delivered, Delivery
from promptyard.storage import migrations, open_store
from promptyard.storage.address import parse_address
from promptyard.storage.database import Database
from promptyard.storage.stored_text import to_text
from promptyard.storage.tables import metadata
from promptyard.testing.store_suite import (
    UNUSUAL_TEXTS,
    sample_decision,
    sample_eval_set,
    sample_move,
    sample_origin,
    sample_report,
    sample_version,
)
from support.stores import on_store


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, one test for each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "runs.db")
    return request.getfixturevalue("postgres_url")


def test_the_list_of_revisions_is_that_of_the_scripts() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert scripts.get_heads() == [migrations.HEAD]
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert tuple(reversed(revisions)) == migrations.REVISIONS


def test_migrations_make_exactly_the_tables_that_are_declared(url: str) -> None:
    database = _opened(url)
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    database.close()


def test_a_new_sqlite_store_is_what_the_migrations_make(tmp_path: Path) -> None:
    with create_engine("sqlite://").begin() as connection:
        migrations.run_migrations(connection)
        migrated = migrations.snapshot(connection)
    written = migrations.snapshot_path().read_text("utf-8")
    assert written == migrated, "write it anew: python -m promptyard.storage.migrations"
    database = _opened(str(tmp_path / "new.db"))
    with database.reading() as connection:
        assert migrations.snapshot(connection) == migrated
        assert migrations.is_current(connection, "new.db")
    database.close()


def test_a_new_sqlite_store_opens_without_alembic() -> None:
    code = (
        "import asyncio, sys\n"
        "from promptyard.storage import open_store\n"
        "asyncio.run(open_store(None).open())\n"
        "assert 'alembic' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_opening_again_changes_nothing(url: str) -> None:
    database = _opened(url)
    with database.writing() as connection:
        connection.execute(text("INSERT INTO looks VALUES ('h', 'p', 'now')"))
    database.open()
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM looks")).scalar_one() == 1
    database.close()


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    _opened(str(path)).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [
            (migrations.HEAD,)
        ]


def test_a_database_without_revision_keeps_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "shared.db"
    _execute(path, "CREATE TABLE notes (note TEXT)", "INSERT INTO notes VALUES ('mine')")
    _opened(str(path)).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT note FROM notes").fetchall() == [("mine",)]
        assert connection.execute("SELECT count(*) FROM runs").fetchall() == [(0,)]


def test_tables_of_another_application_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    _execute(path, "CREATE TABLE runs (run_uuid TEXT)")
    with pytest.raises(StorageError, match=r"another application \(runs\).*of its own"):
        _opened(str(path))
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("runs",)]


def test_migrations_of_another_application_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    _execute(
        path,
        "CREATE TABLE alembic_version (version_num TEXT)",
        "INSERT INTO alembic_version VALUES ('0a1b2c')",
    )
    with pytest.raises(StorageError, match="migrations of another application"):
        _opened(str(path))


def test_a_store_of_a_newer_version_is_not_touched(url: str) -> None:
    database = _opened(url)
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(StorageError, match=r"was written by a newer Promptyard.*upgrade"):
        _opened(url)


def test_a_database_that_cannot_hold_all_text_is_refused(
    request: pytest.FixtureRequest,
) -> None:
    url = request.getfixturevalue("postgres_server").create_database(encoding="LATIN1")
    with pytest.raises(StorageError, match=r"encoding LATIN1.*UTF8"):
        _opened(url)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE versions SET digest = 'other'",
        "DELETE FROM versions",
        "UPDATE moves SET to_number = 2",
        "DELETE FROM moves",
        "UPDATE audit SET actor = 'bob'",
        "DELETE FROM audit",
    ],
)
def test_the_database_itself_refuses_to_rewrite_history(url: str, statement: str) -> None:
    async def write() -> None:
        store = open_store(url)
        await store.open()
        await store.add_version(sample_version("one"))
        await store.move_pointer(sample_move(None, 1))
        act = AuditEntry(actor="ada", action="a", target="t", status=200)
        said = await store.shorten_audit(act, before="9999")
        assert await store.prune_audit(limit=10) == 0  # it does not let itself go
        assert said.seq == 1
        await store.close()

    asyncio.run(write())
    database = Database(parse_address(url))
    with (
        pytest.raises(DBAPIError, match="is append-only"),
        database.writing() as connection,
    ):
        connection.execute(text(statement))
    database.close()


def test_a_store_of_the_first_revision_loses_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, eval_set = sample_report(3), sample_eval_set("aaaa1111", 3)
    older = {"run_id": "r", "purpose": "eval", "split": "dev", "report": to_text(report)}
    with monkeypatch.context() as first_revision:
        first_revision.setattr(migrations, "HEAD", "0001")
        database = _opened(url)
        with database.writing() as connection:
            for program_id, at in (("z", "2026-01-01"), ("a", "2026-01-02")):
                values = {**older, "program_id": program_id, "at": at}
                columns = "run_id, purpose, program_id, split, report, saved_at"
                places = ":run_id, :purpose, :program_id, :split, :report, :at"
                connection.execute(
                    text(f"INSERT INTO reports ({columns}) VALUES ({places})"), values
                )
            for name, at in (("new", "2026-01-02"), ("old", "2026-01-01")):
                stored = eval_set.model_copy(update={"name": name})
                connection.execute(
                    text("INSERT INTO eval_sets VALUES (:name, :version, :text, :at)"),
                    {"name": name, "version": "aaaa1111", "text": to_text(stored), "at": at},
                )
        database.close()

    async def read() -> None:
        store = open_store(url)
        await store.open()
        await store.save_report("r", "again", report)
        assert await store.reports("r") == [report] * 3
        assert await store.eval_set("aaaa") == eval_set.model_copy(update={"name": "old"})
        (version,) = await store.eval_set_versions("new")
        assert (version.n_cases, version.n_by_split) == (3, {"dev": 2, "holdout": 1})
        assert (version.parent, version.created_at) == (None, "2026-01-02")
        await store.close()

    asyncio.run(read())
    database = _opened(url)
    with database.reading() as connection:
        stored = connection.execute(
            text("SELECT program_id FROM reports ORDER BY seq, saved_at")
        ).scalars()
        assert list(stored) == ["z", "a", report.program_id]
    database.close()


def test_a_version_of_the_second_revision_is_read_and_has_no_origins(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = sample_version("one", number=1, created_at="2026-01-01")
    with monkeypatch.context() as second_revision:
        second_revision.setattr(migrations, "HEAD", "0002")
        database = _opened(url)
        with database.writing() as connection:
            record = older.model_dump_json(exclude={"origins"})
            values = {"digest": older.digest, "record": record}
            connection.execute(
                text("INSERT INTO versions VALUES ('support', 1, :digest, '2026-01-01', :record)"),
                values,
            )
            connection.execute(
                text("INSERT INTO attempts VALUES (1, 'r', 'task', 'k', '', 'ok', 1, NULL, '')")
            )
        database.close()

    async def read() -> None:
        store = open_store(url)
        await store.open()
        assert await store.versions("support") == [older]
        assert [call.attempt for call in await store.calls("r", "task")] == [1]
        newer = await store.add_version(sample_version("two", origins=[sample_origin("two")]))
        assert (await store.version("support", 2)).origins == newer.origins != ()
        await store.close()

    asyncio.run(read())


def test_decisions_of_the_sixth_revision_are_numbered_and_told_once(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two rollouts that ran at once, a webhook had been told some of either."""
    at = "2026-01-0{}T00:00:00+00:00"
    days = {"a": (1, 3, 5), "b": (2, 4, 3)}  # the last of b was decided by a clock that went back
    with monkeypatch.context() as sixth_revision:
        sixth_revision.setattr(migrations, "HEAD", "0006")
        database = _opened(url)
        with database.writing() as connection:
            for rollout_id, on in days.items():
                row = {"id": rollout_id}
                connection.execute(
                    text("INSERT INTO rollouts (id, prompt, rollout) VALUES (:id, 'p', '{}')"), row
                )
                for seq, day in enumerate(on, 1):
                    decided = sample_decision(seq).model_copy(
                        update={"rollout_id": rollout_id, "at": at.format(day), "action": "pause"}
                    )
                    connection.execute(
                        text("INSERT INTO decisions VALUES (:id, :seq, :decision)"),
                        {**row, "seq": seq, "decision": to_text(decided)},
                    )
            hook = {"url": "https://x.example/", "created_at": at.format(1), "created_by": "ada"}
            tries = {"n_failures": 2, "last_error": "answered 500", "retry_at": at.format(9)}
            for name, told in {"behind": {"a": 1, "b": 2}, "done": {"a": 3, "b": 3}}.items():
                record = {**hook, **tries, "id": name, "events": ["decision"]}
                record |= {"delivered_moves": 7, "delivered_decisions": told}
                connection.execute(
                    text("INSERT INTO webhooks (id, webhook) VALUES (:id, :record)"),
                    {"id": name, "record": json.dumps(record)},
                )
        database.close()

    async def read() -> None:
        store = open_store(url)
        await store.open()
        order = [(one.rollout_id, one.seq) for _, _, one in await store.decisions_after(0)]
        assert order == [("a", 1), ("b", 1), ("a", 2), ("b", 2), ("b", 3), ("a", 3)]
        told: list[str] = []

        async def send(delivery: Delivery) -> Delivered:
            told.append(delivery.id)
            return Delivered(status=200)

        await deliver_due(store, send)
        assert told == [f"behind_decision_{name}" for name in ("a_2", "b_3", "a_3")]
        for webhook in await store.webhooks():
            assert (webhook.progress_of("move").told, webhook.state) == (7, "fine")
            assert webhook.told_before == {}
        await store.close()

    asyncio.run(read())
    with pytest.raises(DBAPIError, match="append-only"):
        _execute_in(url, "UPDATE decisions SET number = 9")


def _execute_in(url: str, statement: str) -> None:
    database = _opened(url)
    try:
        with database.writing() as connection:
            connection.execute(text(statement))
    finally:
        database.close()


def test_jobs_of_the_sixth_revision_go_when_they_ended(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(id="j", kind="eval", task="t", requested_by="ada", created_at="2026-01-01")
    ended = {"state": "failed", "error": UNUSUAL_TEXTS[3], "ended_at": "2026-01-02"}
    with monkeypatch.context() as sixth_revision:
        sixth_revision.setattr(migrations, "HEAD", "0006")
        database = _opened(url)
        with database.writing() as connection:
            for number in range(150):
                state = ended if number else {}
                stored = job.model_copy(update={"id": f"j{number}", **state})
                connection.execute(
                    text("INSERT INTO jobs VALUES (:seq, :id, :active, 0, :job)"),
                    {
                        "seq": number + 1,
                        "id": stored.id,
                        "active": int(not number),
                        "job": to_text(stored),
                    },
                )
        database.close()

    async def read(store: Store) -> None:
        assert await store.n_ended_jobs(before="2026-01-02") == 0
        assert await store.prune_jobs(before="2026-01-03", limit=1_000) == 149
        assert [item.id for item in await store.jobs()] == ["j0"]

    on_store(url, read)


def _opened(url: str) -> Database:
    database = Database(parse_address(url))
    database.open()
    return database


def _execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
