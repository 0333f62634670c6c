"""Stored answers, and the attempts that were made to get them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, RowMapping, bindparam, or_, select

from promptyard.errors import Conflict, NotFound, Tampered
from promptyard.records.calls import StoredCall
from promptyard.records.messages import CLEAN_FINISHES, Completion
from promptyard.storage.statements import insert_numbered, run_for_each
from promptyard.storage.stored_text import from_text, shown_text, to_text
from promptyard.storage.tables import attempts, completions

_CHUNK = 500  # keys in one query; databases limit the parameters of a statement
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Lookup:
    """The keys whose answers a run asks for."""

    keys: tuple[str, ...]
    run_id: str


@dataclass(frozen=True, slots=True)
class AttemptStart:
    """An attempt that is about to be sent."""

    run_id: str
    role: str
    key: str
    at: str


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """How an attempt ended. `body` is JSON text."""

    attempt_id: int
    outcome: str
    body: str | None
    completion: Completion | None
    base_url: str
    replicate: int
    at: str


def find_completions(
    connection: Connection, lookups: Sequence[Lookup]
) -> list[dict[str, Completion]]:
    """Look up answers for many callers, with one query per run and chunk of keys."""
    keys_by_run: dict[str, dict[str, None]] = {}
    for lookup in lookups:
        keys_by_run.setdefault(lookup.run_id, {}).update(dict.fromkeys(lookup.keys))
    found = {run_id: _answers(connection, keys, run_id) for run_id, keys in keys_by_run.items()}
    return [
        {key: found[lookup.run_id][key] for key in lookup.keys if key in found[lookup.run_id]}
        for lookup in lookups
    ]


def start_attempts(connection: Connection, starts: Sequence[AttemptStart]) -> list[int]:
    """Record attempts as sent; returns their ids."""
    rows = [(start.run_id, start.role, start.key, start.at) for start in starts]
    return insert_numbered(connection, attempts, ("run_id", "role", "key", "started_at"), rows)


def finish_attempts(connection: Connection, ends: Sequence[AttemptEnd]) -> list[None]:
    """Record how attempts ended, and the answers of those that went well.

    Raises NotFound for an attempt that was never started, Conflict for one that has ended before;
    nothing that was written of the others may then be kept.
    """
    # Always in the same order: two processes that write the same rows then cannot deadlock.
    ends_by_id = sorted(ends, key=lambda end: end.attempt_id)
    n_ended = run_for_each(connection, _END_ATTEMPT, [_settlement(end) for end in ends_by_id])
    if n_ended != len(ends):
        raise _not_to_be_ended(connection, ends[0])
    answers = [
        _answer_row(end, end.completion)
        for end in sorted(ends, key=_order_of_keys)
        if end.outcome == "ok" and end.completion is not None
    ]
    if answers:
        run_for_each(connection, _STORE_ANSWER, answers)
    return [None] * len(ends)


def list_attempts(connection: Connection, run_id: str) -> list[dict[str, Any]]:
    """All attempts of a run in the order in which they were started."""
    query = select(attempts).where(attempts.c.run_id == run_id).order_by(attempts.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def list_calls(
    connection: Connection, run_id: str, role: str | None, limit: int, offset: int
) -> list[StoredCall]:
    """Attempts of a run, or of one role in it, as started, with what was sent and came back."""
    # Retries share the key: the body of the one that was answered is that of all of them.
    same_call = (completions.c.key == attempts.c.key) & (completions.c.run_id == attempts.c.run_id)
    query = (
        select(attempts, completions.c.base_url, completions.c.body, completions.c.completion)
        .select_from(attempts.outerjoin(completions, same_call))
        .where(attempts.c.run_id == run_id)
        .order_by(attempts.c.id)
        .limit(limit)
        .offset(offset)
    )
    if role is not None:
        query = query.where(attempts.c.role == role)
    return [_stored_call(row) for row in connection.execute(query).mappings()]


def _stored_call(row: RowMapping) -> StoredCall:
    answered = row["outcome"] == "ok" and row["completion"] is not None
    return StoredCall(
        attempt=row["id"],
        role=row["role"],
        outcome=row["outcome"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        tokens=row["tokens"],
        cost_usd=row["cost_usd"],
        base_url=row["base_url"] or "",
        body=None if row["body"] is None else json.loads(row["body"]),
        completion=_read_answer(row["key"], row["completion"]) if answered else None,
    )


def _answers(connection: Connection, keys: Iterable[str], run_id: str) -> dict[str, Completion]:
    answers: dict[str, Completion] = {}
    own: set[str] = set()
    for chunk in _chunks(tuple(keys)):
        asked = {"keys": chunk, "run_id": run_id}
        for key, writer, text in connection.execute(_FIND_ANSWERS, asked):
            if writer == run_id:
                own.add(key)
            elif key in answers:
                continue
            answers[key] = _read_answer(key, text).model_copy(update={"cached": True})
    return answers


def _read_answer(key: str, text: str) -> Completion:
    try:
        return from_text(Completion, text)
    except ValueError:
        raise Tampered(
            f"The stored answer {key[:12]} cannot be read: it is not what was stored; restore the "
            "store from a copy."
        ) from None


# Built once: building it costs as much as asking it.
_FIND_ANSWERS = (
    select(completions.c.key, completions.c.run_id, completions.c.completion)
    .where(completions.c.key.in_(bindparam("keys", expanding=True)))
    .where(
        or_(
            completions.c.run_id == bindparam("run_id"),
            completions.c.finish_reason.in_(sorted(CLEAN_FINISHES)),
        )
    )
    # Of others' answers the oldest, so that a resumed run finds the same again.
    .order_by(completions.c.id)
)


def _not_to_be_ended(connection: Connection, end: AttemptEnd) -> Exception:
    """Say why an attempt cannot end now; of several, the group is run again one by one."""
    query = select(attempts.c.outcome).where(attempts.c.id == end.attempt_id)
    row = connection.execute(query).first()
    if row is None:
        return NotFound(f"There is no attempt {end.attempt_id}; start_attempt gives the ids.")
    return Conflict(
        f"Attempt {end.attempt_id} has ended already ({row.outcome}); an attempt ends once."
    )


_END_ATTEMPT = """
UPDATE attempts SET outcome = ?, tokens = ?, cost_usd = ?, finished_at = ?
WHERE id = ? AND outcome IS NULL
"""


def _order_of_keys(end: AttemptEnd) -> tuple[str, str, int]:
    """Give ends an order that depends on nothing but their keys, which are hashes of this."""
    return end.body or "", end.base_url, end.replicate


def _settlement(end: AttemptEnd) -> tuple[Any, ...]:
    completion = end.completion
    tokens = None if completion is None else completion.usage.total_tokens
    cost_usd = None if completion is None else completion.cost_usd
    return end.outcome, tokens, cost_usd, end.at, end.attempt_id


# Once stored an answer stands: somebody may have used it already.
_STORE_ANSWER = """
INSERT INTO completions (key, run_id, base_url, replicate, model, body, completion, finish_reason,
                         created_at)
SELECT key, run_id, ?, ?, ?, ?, ?, ?, ? FROM attempts WHERE id = ? ON CONFLICT DO NOTHING
"""


def _answer_row(end: AttemptEnd, completion: Completion) -> tuple[Any, ...]:
    return (
        shown_text(end.base_url),
        end.replicate,
        shown_text(completion.model),
        end.body,
        to_text(completion),
        completion.finish_reason,
        end.at,
        end.attempt_id,
    )


def _chunks(items: tuple[Item, ...]) -> Iterator[tuple[Item, ...]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
