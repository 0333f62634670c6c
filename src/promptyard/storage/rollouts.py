"""Rollouts, which never change, and the log of decisions on them; where manifests are published."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select

from promptyard.errors import Conflict, NotFound, Tampered
from promptyard.records.rollouts import (
    ENDED,
    Action,
    Decision,
    Rollout,
    RolloutRecord,
    RolloutState,
    active_rollout,
)
from promptyard.records.versions import Move
from promptyard.storage.stored_text import from_text, to_text
from promptyard.storage.tables import decisions, moves, pointers, publications, rollouts
from promptyard.storage.versions import (
    apply_move,
    is_protected,
    require_second_name,
    require_version,
)

_ENDS: dict[Action, RolloutState] = {
    "promote": "promoted",
    "roll_back": "rolled_back",
    "abort": "aborted",
}


def insert_rollout(connection: Connection, rollout: Rollout, first: Decision) -> RolloutRecord:
    """Store a rollout and its first decision; the caller holds the prompt's and the log's lock.

    Raises NotFound or Tampered for its versions, Conflict where it cannot start, ApprovalNeeded
    where it would run behind a protected pointer at once.
    """
    if first.rollout_id != rollout.id or first.seq != 1 or first.move is not None:
        raise Conflict(f"The first decision on rollout '{rollout.id}' has number 1 and no move.")
    for number, digest in (
        (rollout.control, rollout.control_digest),
        (rollout.treatment, rollout.treatment_digest),
    ):
        if require_version(connection, rollout.prompt, number).digest != digest:
            raise Conflict(
                f"Version {number} of prompt '{rollout.prompt}' has another digest than the "
                "rollout says; read the version again, then start."
            )
    _require_start(connection, rollout)
    taken = select(rollouts.c.id).where(rollouts.c.id == rollout.id)
    if connection.execute(taken).first() is not None:
        raise Conflict(f"There is a rollout '{rollout.id}' already; give this one another id.")
    if first.state != "awaiting_approval":
        _require_approval(connection, rollout, "")
    connection.execute(
        insert(rollouts).values(id=rollout.id, prompt=rollout.prompt, rollout=to_text(rollout))
    )
    _append(connection, first)
    return RolloutRecord(rollout=rollout, decisions=(first,))


def read_rollout(connection: Connection, rollout_id: str, *, last_only: bool) -> RolloutRecord:
    """Return a rollout with its decisions, or the last one. Raises NotFound naming some."""
    query = select(rollouts.c.rollout).where(rollouts.c.id == rollout_id)
    text = connection.execute(query).scalar()
    if text is None:
        newest = select(rollouts.c.id).order_by(rollouts.c.seq.desc()).limit(3)
        known = list(connection.execute(newest).scalars())
        raise NotFound(
            f"There is no rollout '{rollout_id}'; the newest: {', '.join(known) or 'none yet'}; "
            "`promptyard canary list` lists all."
        )
    return _record(connection, rollout_id, text, last_only=last_only)


def list_rollouts(
    connection: Connection, name: str | None, *, last_only: bool
) -> list[RolloutRecord]:
    """Rollouts of a prompt or of all, oldest first, with all decisions or with the last one."""
    of_prompt = () if name is None else (rollouts.c.prompt == name,)
    if last_only:
        query = _with_last().where(*of_prompt).order_by(rollouts.c.seq)
        rows = connection.execute(query)
        return [_read(rollout_id, text, [last] if last else []) for rollout_id, text, last in rows]
    all_of = select(rollouts.c.id, rollouts.c.rollout).where(*of_prompt).order_by(rollouts.c.seq)
    rows = connection.execute(all_of).all()
    return [_record(connection, rollout_id, text, last_only=False) for rollout_id, text in rows]


def list_decisions(
    connection: Connection, rollout_id: str, before: int | None, limit: int
) -> list[Decision]:
    """Decisions on a rollout below a number, newest first. Raises Tampered."""
    query = select(decisions.c.decision).where(decisions.c.rollout_id == rollout_id)
    if before is not None:
        query = query.where(decisions.c.seq < before)
    texts = connection.execute(query.order_by(decisions.c.seq.desc()).limit(limit)).scalars()
    try:
        return [from_text(Decision, text) for text in texts]
    except ValueError:
        raise _unreadable(rollout_id) from None


def insert_decision(connection: Connection, decision: Decision, at: str) -> Decision:
    """Append a decision and make its move; the caller holds the prompt's and the logs' locks.

    Raises Conflict when it is not the next one, or whatever the move raises: nothing is written.
    """
    record = read_rollout(connection, decision.rollout_id, last_only=True)
    if record.last.is_final:
        raise Conflict(
            f"Rollout '{decision.rollout_id}' has ended ({record.last.state}); start another one."
        )
    if decision.seq != record.last.seq + 1:
        raise Conflict(
            f"Decision {decision.seq} on rollout '{decision.rollout_id}' does not follow "
            f"{record.last.seq}, the last one; look again, then decide."
        )
    _require_fit(decision)
    logged = decision
    starts = record.last.state == "awaiting_approval" and decision.state in {"running", "paused"}
    if starts or decision.action == "approve":
        _require_approval(connection, record.rollout, decision.actor)
    if decision.move is not None:
        logged = decision.model_copy(
            update={"move": _apply_move(connection, record.rollout, decision.move, at)}
        )
    _append(connection, logged)
    return logged


def count_changes(connection: Connection) -> int:
    """How many moves and decisions there are: both logs only grow."""
    n_moves = connection.execute(select(func.count()).select_from(moves)).scalar_one()
    n_decisions = connection.execute(select(func.count()).select_from(decisions)).scalar_one()
    return n_moves + n_decisions


def insert_publication(connection: Connection, target: str, active: bool, at: str) -> None:
    """Log that manifests are published to `target`, or no longer."""
    connection.execute(insert(publications).values(target=target, is_active=int(active), at=at))


def list_publications(connection: Connection) -> list[str]:
    """Where manifests are published, sorted: the last entry of a target counts."""
    query = select(publications.c.target, publications.c.is_active).order_by(publications.c.seq)
    state = {target: bool(active) for target, active in connection.execute(query)}
    return sorted(target for target, active in state.items() if active)


def _require_start(connection: Connection, rollout: Rollout) -> None:
    of_prompt = list_rollouts(connection, rollout.prompt, last_only=True)
    running = active_rollout(of_prompt, rollout.pointer)
    where = f"pointer '{rollout.pointer}' of prompt '{rollout.prompt}'"
    if running is not None:
        raise Conflict(
            f"Rollout '{running.rollout.id}' behind {where} has not ended; wait for it or end it "
            f"with `promptyard canary abort {rollout.prompt}`."
        )
    here = (pointers.c.prompt == rollout.prompt, pointers.c.pointer == rollout.pointer)
    number = connection.execute(select(pointers.c.number).where(*here)).scalar()
    if number != rollout.control:
        now = "is not set" if number is None else f"is at version {number}"
        raise Conflict(
            f"The {where} {now}, not at version {rollout.control}: start from where it is."
        )


def _require_approval(connection: Connection, rollout: Rollout, approved_by: str) -> None:
    if is_protected(connection, rollout.prompt, rollout.pointer):
        require_second_name(
            rollout.started_by,
            approved_by,
            f"pointer '{rollout.pointer}'",
            f"`promptyard canary approve {rollout.prompt}`, by somebody else, lets it run",
        )


def _require_fit(decision: Decision) -> None:
    """Refuse a decision whose action, state and move do not say the same."""
    ends = _ENDS.get(decision.action)
    if ends != (decision.state if decision.state in ENDED else None):
        raise Conflict(
            f"Decision {decision.seq} on rollout '{decision.rollout_id}' says "
            f"'{decision.action}' and leaves it '{decision.state}': the two do not fit."
        )
    kind = None if decision.move is None else decision.move.kind
    allowed: dict[Action, tuple[str | None, ...]] = {
        "promote": ("promote",),
        "roll_back": (None, "rollback"),
    }
    if kind not in allowed.get(decision.action, (None,)):
        raise Conflict(
            f"Decision {decision.seq} on rollout '{decision.rollout_id}' says "
            f"'{decision.action}' with {'a move to ' + kind if kind else 'no move'}: a promotion "
            "has the move that promotes, only a rollback may have the move back."
        )


def _apply_move(connection: Connection, rollout: Rollout, move: Move, at: str) -> Move:
    versions = {rollout.control, rollout.treatment}
    if (move.prompt, move.pointer) != (rollout.prompt, rollout.pointer) or not {
        move.from_number,
        move.to_number,
    } <= versions:
        raise Conflict(
            f"A decision on rollout '{rollout.id}' moves pointer '{rollout.pointer}' of prompt "
            f"'{rollout.prompt}' between its two versions, and nothing else."
        )
    ends = (rollout.control, rollout.treatment)
    if (move.from_number, move.to_number) != (ends if move.kind == "promote" else ends[::-1]):
        raise Conflict(
            f"Rollout '{rollout.id}' promotes from version {ends[0]} to {ends[1]} and rolls back "
            f"from {ends[1]} to {ends[0]}, not from {move.from_number} to {move.to_number}."
        )
    if move.kind == "promote":
        _require_approval(connection, rollout, move.approved_by)
    return apply_move(connection, move, at)


def _append(connection: Connection, decision: Decision) -> None:
    """Append a decision under the next number of all; the caller holds the log's lock."""
    last = select(func.coalesce(func.max(decisions.c.number), 0)).scalar_subquery()
    connection.execute(
        insert(decisions).values(
            rollout_id=decision.rollout_id,
            seq=decision.seq,
            decision=to_text(decision),
            number=last + 1,
        )
    )


def _record(
    connection: Connection, rollout_id: str, text: str, *, last_only: bool
) -> RolloutRecord:
    query = select(decisions.c.decision).where(decisions.c.rollout_id == rollout_id)
    if last_only:
        query = query.order_by(decisions.c.seq.desc()).limit(1)
    else:
        query = query.order_by(decisions.c.seq)
    return _read(rollout_id, text, connection.execute(query).scalars())


def _read(rollout_id: str, text: str, decided: Iterable[str]) -> RolloutRecord:
    try:
        return RolloutRecord(
            rollout=from_text(Rollout, text),
            decisions=tuple(from_text(Decision, item) for item in decided),
        )
    except ValueError:
        raise _unreadable(rollout_id) from None


def _unreadable(rollout_id: str) -> Tampered:
    return Tampered(
        f"Rollout '{rollout_id}' of the store cannot be read: it is not what was stored; "
        "restore the store from a copy."
    )


def _with_last() -> Select[Any, Any, Any]:
    """Select every rollout with its last decision, in one query however many decisions it has."""
    newest = (
        select(decisions.c.rollout_id, func.max(decisions.c.seq).label("seq"))
        .group_by(decisions.c.rollout_id)
        .subquery()
    )
    is_last = (decisions.c.rollout_id == newest.c.rollout_id) & (decisions.c.seq == newest.c.seq)
    return (
        select(rollouts.c.id, rollouts.c.rollout, decisions.c.decision)
        .outerjoin(newest, newest.c.rollout_id == rollouts.c.id)
        .outerjoin(decisions, is_last)
    )
