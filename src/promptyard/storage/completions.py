"""Stored answers, and the attempts that were made to get them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, or_, select, update

from promptyard.errors import Conflict, NotFound
from promptyard.records.messages import CLEAN_FINISHES, Completion
from promptyard.storage.stored_text import shown_text, to_text
from promptyard.storage.tables import attempts, completions, insert_numbered, insert_once

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
    rows = [
        {"run_id": start.run_id, "role": start.role, "key": start.key, "started_at": start.at}
        for start in starts
    ]
    return insert_numbered(connection, attempts, rows)


def finish_attempts(connection: Connection, ends: Sequence[AttemptEnd]) -> list[None]:
    """Record how attempts ended, and the answers of those that went well.

    Raises NotFound for an attempt that was never started, Conflict for one that has ended before.
    """
    started = _open_attempts(connection, ends)
    # Always in the same order: two processes that write the same rows then cannot deadlock.
    ends_by_id = sorted(ends, key=lambda end: end.attempt_id)
    connection.execute(
        update(attempts)
        .where(attempts.c.id == bindparam("attempt_id"))
        .values(
            outcome=bindparam("new_outcome"),
            tokens=bindparam("new_tokens"),
            cost_usd=bindparam("new_cost_usd"),
            finished_at=bindparam("new_finished_at"),
        ),
        [_settlement(end) for end in ends_by_id],
    )
    answers = [
        _answer_row(end, end.completion, *started[end.attempt_id])
        for end in ends_by_id
        if end.outcome == "ok" and end.completion is not None
    ]
    if answers:
        answers.sort(key=lambda row: (row["key"], row["run_id"]))
        # Once stored an answer stands: somebody may have used it already.
        connection.execute(insert_once(connection, completions), answers)
    return [None] * len(ends)


def list_attempts(connection: Connection, run_id: str) -> list[dict[str, Any]]:
    """All attempts of a run in the order in which they were started."""
    query = select(attempts).where(attempts.c.run_id == run_id).order_by(attempts.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def _answers(connection: Connection, keys: Iterable[str], run_id: str) -> dict[str, Completion]:
    answers: dict[str, Completion] = {}
    own: set[str] = set()
    for chunk in _chunks(tuple(keys)):
        query = (
            select(completions.c.key, completions.c.run_id, completions.c.completion)
            .where(completions.c.key.in_(chunk))
            .where(
                or_(
                    completions.c.run_id == run_id,
                    completions.c.finish_reason.in_(sorted(CLEAN_FINISHES)),
                )
            )
            # Of others' answers the oldest, so that a resumed run finds the same again.
            .order_by(completions.c.id)
        )
        for key, writer, text in connection.execute(query):
            if writer == run_id:
                own.add(key)
            elif key in answers:
                continue
            answers[key] = Completion.model_validate({**json.loads(text), "cached": True})
    return answers


def _open_attempts(
    connection: Connection, ends: Sequence[AttemptEnd]
) -> Mapping[int, tuple[str, str]]:
    """Map attempt ids to their (run_id, key); raises unless each may end now."""
    ids = tuple(end.attempt_id for end in ends)
    started: dict[int, tuple[str, str]] = {}
    outcomes: dict[int, str | None] = {}
    for chunk in _chunks(ids):
        query = select(attempts.c.id, attempts.c.run_id, attempts.c.key, attempts.c.outcome).where(
            attempts.c.id.in_(chunk)
        )
        for attempt_id, run_id, key, outcome in connection.execute(query):
            started[attempt_id] = (run_id, key)
            outcomes[attempt_id] = outcome
    for end in ends:
        if end.attempt_id not in started:
            raise NotFound(f"There is no attempt {end.attempt_id}; start_attempt gives the ids.")
        outcome = outcomes[end.attempt_id]
        if outcome is not None:
            raise Conflict(
                f"Attempt {end.attempt_id} has ended already ({outcome}); an attempt ends once."
            )
        outcomes[end.attempt_id] = end.outcome
    return started


def _settlement(end: AttemptEnd) -> dict[str, Any]:
    completion = end.completion
    return {
        "attempt_id": end.attempt_id,
        "new_outcome": end.outcome,
        "new_tokens": None if completion is None else completion.usage.total_tokens,
        "new_cost_usd": None if completion is None else completion.cost_usd,
        "new_finished_at": end.at,
    }


def _answer_row(end: AttemptEnd, completion: Completion, run_id: str, key: str) -> dict[str, Any]:
    return {
        "key": key,
        "run_id": run_id,
        "base_url": shown_text(end.base_url),
        "replicate": end.replicate,
        "model": shown_text(completion.model),
        "body": end.body,
        "completion": to_text(completion),
        "finish_reason": completion.finish_reason,
        "created_at": end.at,
    }


def _chunks(items: tuple[Item, ...]) -> Iterator[tuple[Item, ...]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
