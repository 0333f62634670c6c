"""Runs and what belongs to one: its journal and its look at the holdout."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update

from promptyard.errors import Conflict, NotFound
from promptyard.records.runs import Run, RunHeader, RunStatus
from promptyard.storage.statements import insert_once, run_for_each
from promptyard.storage.stored_text import from_text, shown_text, to_text
from promptyard.storage.tables import journal, looks, runs

MAX_COMPARED = 1_000  # newest runs among which the one that was meant is looked for


def insert_run(connection: Connection, header: RunHeader) -> None:
    """Record a new run as running. Raises Conflict when its id is taken."""
    row = {
        "id": header.id,
        "task": header.task,
        "status": "running",
        "started_at": shown_text(header.started_at),
        "sentence": "",
        "header": to_text(header),
    }
    inserted = insert_once(connection, runs).values(row).returning(runs.c.seq)
    if connection.execute(inserted).first() is None:
        raise Conflict(f"There is a run '{header.id}' already; resume it or take another id.")


def read_header(connection: Connection, run_id: str) -> RunHeader:
    """Return how a run was started. Raises NotFound."""
    return from_text(RunHeader, _run_row(connection, run_id)["header"])


def read_result(connection: Connection, run_id: str) -> Run | None:
    """Return the result of a run, None while it has none. Raises NotFound."""
    text = _run_row(connection, run_id)["result"]
    return None if text is None else from_text(Run, text)


def update_status(
    connection: Connection,
    run_id: str,
    status: RunStatus,
    result: Run | None,
    sentence: str = "",
) -> None:
    """Record how a run stands. Raises NotFound.

    Raises Conflict when a finished run would be interrupted or failed: that is said by a process
    that does not know of the result. It may be taken up again, with a larger budget for instance.
    """
    present = _run_row(connection, run_id)["status"]
    if present == "finished" and status in ("interrupted", "failed"):
        raise Conflict(
            f"Run '{run_id}' is finished and cannot become {status}; another process finished it."
        )
    changes: dict[str, Any] = {"status": status}
    if sentence:
        changes["sentence"] = shown_text(sentence)
    if result is not None:
        changes["result"] = to_text(result)
        changes["sentence"] = shown_text(result.verdict.sentence)
    connection.execute(update(runs).where(runs.c.id == run_id).values(changes))


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs are asked for; None leaves a condition out."""

    task: str | None
    limit: int
    before: str | None
    only: str | None


def list_runs(connection: Connection, wanted: RunQuery) -> list[dict[str, Any]]:
    """List runs, the one recorded last first. Raises NotFound for an unknown `before`."""
    query = select(runs.c.id, runs.c.task, runs.c.status, runs.c.started_at, runs.c.sentence)
    if wanted.task is not None:
        query = query.where(runs.c.task == wanted.task)
    if wanted.before is not None:
        query = query.where(runs.c.seq < _seq_of(connection, wanted.before))
    if wanted.only is not None:
        query = query.where(runs.c.id == wanted.only)
    query = query.order_by(runs.c.seq.desc()).limit(wanted.limit)
    return [dict(row) for row in connection.execute(query).mappings()]


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """An entry to append. `payload` is JSON text."""

    run_id: str
    kind: str
    payload: str
    at: str


def append_entries(connection: Connection, entries: Sequence[JournalEntry]) -> list[None]:
    """Append entries in their order; the caller holds the locks of their runs."""
    rows = [(item.run_id, item.run_id, item.kind, item.payload, item.at) for item in entries]
    run_for_each(connection, _APPEND_ENTRY, rows)
    return [None] * len(entries)


_APPEND_ENTRY = """
INSERT INTO journal (run_id, seq, kind, payload, at)
VALUES (?, (SELECT COALESCE(MAX(seq), 0) + 1 FROM journal WHERE run_id = ?), ?, ?, ?)
"""


def list_journal(connection: Connection, run_id: str) -> list[dict[str, Any]]:
    """All entries of a run in order."""
    query = (
        select(journal.c.seq, journal.c.kind, journal.c.payload, journal.c.at)
        .where(journal.c.run_id == run_id)
        .order_by(journal.c.seq)
    )
    rows = connection.execute(query).mappings()
    return [{**row, "payload": json.loads(row["payload"])} for row in rows]


def list_looks(connection: Connection, holdout_key: str) -> Sequence[str]:
    """List the pairs that have looked at a set of holdout cases, oldest first."""
    found = (
        select(looks.c.pair_key)
        .where(looks.c.holdout_key == holdout_key)
        .order_by(looks.c.looked_at, looks.c.pair_key)
    )
    return connection.execute(found).scalars().all()


def insert_look(connection: Connection, holdout_key: str, pair_key: str, at: str) -> int:
    """Record a look once and count the pairs; the caller holds the lock of the holdout."""
    row = {"holdout_key": holdout_key, "pair_key": pair_key, "looked_at": at}
    connection.execute(insert_once(connection, looks).values(row))
    count = select(func.count()).select_from(looks).where(looks.c.holdout_key == holdout_key)
    return connection.execute(count).scalar_one()


def require_run(connection: Connection, run_id: str) -> None:
    """Raise NotFound where there is no such run."""
    if connection.execute(select(runs.c.seq).where(runs.c.id == run_id)).first() is None:
        raise NotFound(_no_run(connection, run_id))


def _run_row(connection: Connection, run_id: str) -> Mapping[str, Any]:
    row = connection.execute(select(runs).where(runs.c.id == run_id)).mappings().first()
    if row is None:
        raise NotFound(_no_run(connection, run_id))
    return dict(row)


def _seq_of(connection: Connection, run_id: str) -> int:
    seq = connection.execute(select(runs.c.seq).where(runs.c.id == run_id)).scalar()
    if seq is None:
        raise NotFound(_no_run(connection, run_id))
    return int(seq)


def _no_run(connection: Connection, run_id: str) -> str:
    newest = select(runs.c.id).order_by(runs.c.seq.desc()).limit(MAX_COMPARED)
    ids = [str(name) for name in connection.execute(newest).scalars()]
    parts = [name for name in ids if run_id and (name.startswith(run_id) or name.endswith(run_id))]
    # Ids begin with a date, so that those of one day are alike by themselves.
    close = parts or difflib.get_close_matches(run_id, ids, n=1, cutoff=0.85)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"There is no run '{run_id}'; {hint}`promptyard runs list` names them."
