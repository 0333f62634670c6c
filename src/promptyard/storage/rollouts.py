"""Rollouts, which never change, and the log of decisions on them; where manifests are published."""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select

from promptyard.errors import Conflict, NotFound
from promptyard.records.rollouts import Decision, Rollout, RolloutRecord, active_rollout
from promptyard.storage.stored_text import from_text, to_text
from promptyard.storage.tables import decisions, moves, pointers, publications, rollouts
from promptyard.storage.versions import apply_move, require_version


def insert_rollout(connection: Connection, rollout: Rollout, first: Decision) -> RolloutRecord:
    """Store a rollout and its first decision; the caller holds the prompt's lock.

    Raises NotFound or Tampered for its versions, Conflict where it cannot start.
    """
    for number in (rollout.control, rollout.treatment):
        require_version(connection, rollout.prompt, number)
    _require_start(connection, rollout)
    taken = select(rollouts.c.id).where(rollouts.c.id == rollout.id)
    if connection.execute(taken).first() is not None:
        raise Conflict(f"There is a rollout '{rollout.id}' already; give this one another id.")
    connection.execute(
        insert(rollouts).values(id=rollout.id, prompt=rollout.prompt, rollout=to_text(rollout))
    )
    _append(connection, first)
    return RolloutRecord(rollout=rollout, decisions=(first,))


def read_rollout(connection: Connection, rollout_id: str) -> RolloutRecord:
    """Return a rollout with its decisions. Raises NotFound naming those that exist."""
    query = select(rollouts.c.rollout).where(rollouts.c.id == rollout_id)
    text = connection.execute(query).scalar()
    if text is None:
        newest = select(rollouts.c.id).order_by(rollouts.c.seq.desc()).limit(3)
        known = list(connection.execute(newest).scalars())
        raise NotFound(
            f"There is no rollout '{rollout_id}'; the newest: {', '.join(known) or 'none yet'}; "
            "`promptyard canary list` lists all."
        )
    return _with_decisions(connection, from_text(Rollout, text))


def list_rollouts(connection: Connection, name: str | None) -> list[RolloutRecord]:
    """Rollouts of a prompt or of all, oldest first, each with its decisions."""
    query = select(rollouts.c.rollout).order_by(rollouts.c.seq)
    if name is not None:
        query = query.where(rollouts.c.prompt == name)
    texts = connection.execute(query).scalars().all()
    return [_with_decisions(connection, from_text(Rollout, text)) for text in texts]


def insert_decision(connection: Connection, decision: Decision, at: str) -> Decision:
    """Append a decision and make its move; the caller holds the prompt's lock.

    Raises Conflict when it is not the next one, or whatever the move raises: nothing is written.
    """
    record = read_rollout(connection, decision.rollout_id)
    if record.last.is_final:
        raise Conflict(
            f"Rollout '{decision.rollout_id}' has ended ({record.last.state}); start another one."
        )
    if decision.seq != record.last.seq + 1:
        raise Conflict(
            f"Decision {decision.seq} on rollout '{decision.rollout_id}' comes too late: "
            f"{record.last.seq} are there already; look again, then decide."
        )
    logged = decision
    if decision.move is not None:
        moved = apply_move(connection, decision.move, at)
        logged = decision.model_copy(update={"move": moved})
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
    running = active_rollout(list_rollouts(connection, rollout.prompt), rollout.pointer)
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


def _append(connection: Connection, decision: Decision) -> None:
    connection.execute(
        insert(decisions).values(
            rollout_id=decision.rollout_id, seq=decision.seq, decision=to_text(decision)
        )
    )


def _with_decisions(connection: Connection, rollout: Rollout) -> RolloutRecord:
    query = select(decisions.c.decision).where(decisions.c.rollout_id == rollout.id)
    texts = connection.execute(query.order_by(decisions.c.seq)).scalars()
    return RolloutRecord(
        rollout=rollout, decisions=tuple(from_text(Decision, text) for text in texts)
    )
