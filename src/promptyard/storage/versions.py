"""Prompt versions, which never change, and the pointers to them, whose every move is logged.

A protected pointer is promoted only with the name of a second person; that is decided here, in the
transaction that moves it, so that no way leads around it.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select, update

from promptyard.errors import ApprovalNeeded, Conflict, NotFound, Tampered
from promptyard.records.person_names import is_same_person, seen_name
from promptyard.records.versions import (
    Move,
    MoveRequest,
    Pointer,
    PromptVersion,
    Protection,
    past_numbers,
)
from promptyard.storage.stored_text import from_text, shown_text, to_text
from promptyard.storage.tables import move_requests, moves, pointers, protections, versions

_HOW_TO_ASK = "ask with `promptyard prompts request`, then `promptyard prompts approve`"


def insert_version(connection: Connection, version: PromptVersion, at: str) -> PromptVersion:
    """Register a version under the next number, or return the one of the same digest.

    The caller holds the lock of the prompt.
    """
    of_name = versions.c.name == version.name
    same = select(versions.c.version).where(of_name, versions.c.digest == version.digest)
    known = connection.execute(same).scalar()
    if known is not None:
        return from_text(PromptVersion, known)
    newest = select(func.max(versions.c.number)).where(of_name)
    number = (connection.execute(newest).scalar() or 0) + 1
    created_at = version.created_at or at
    registered = version.model_copy(update={"number": number, "created_at": created_at})
    connection.execute(
        insert(versions).values(
            name=registered.name,
            number=number,
            digest=registered.digest,
            created_at=shown_text(created_at),
            version=to_text(registered),
        )
    )
    return registered


def list_versions(connection: Connection, name: str) -> list[PromptVersion]:
    """All versions of a prompt, oldest first, to be looked at: their bytes are not proven.

    Raises Tampered for one that cannot be read at all.
    """
    query = select(versions.c.number, versions.c.version).where(versions.c.name == name)
    rows = connection.execute(query.order_by(versions.c.number))
    return [_read(name, number, text) for number, text in rows]


def list_newest_versions(
    connection: Connection, name: str, before: int | None, limit: int
) -> list[PromptVersion]:
    """Versions below a number, newest first; as `list_versions`."""
    query = select(versions.c.number, versions.c.version).where(versions.c.name == name)
    if before is not None:
        query = query.where(versions.c.number < before)
    rows = connection.execute(query.order_by(versions.c.number.desc()).limit(limit))
    return [_read(name, number, text) for number, text in rows]


def list_prompt_names(connection: Connection) -> list[str]:
    """Names of all prompts, sorted by code point: databases differ in how they sort text."""
    return sorted(connection.execute(select(versions.c.name).distinct()).scalars())


def list_pointers(connection: Connection, name: str) -> list[Pointer]:
    """All pointers of a prompt, by name."""
    query = select(pointers).where(pointers.c.prompt == name)
    found = [Pointer.model_validate(dict(row)) for row in connection.execute(query).mappings()]
    return sorted(found, key=lambda pointer: pointer.pointer)


def apply_move(connection: Connection, move: Move, at: str) -> Move:
    """Move a pointer that is where the move says, and log it; the caller holds the prompt's lock.

    Raises Conflict when the pointer is elsewhere, NotFound when there is no such version,
    ApprovalNeeded when the pointer is protected and nobody else has agreed, Tampered when the
    version's bytes are not those of its digest. A rollback, which needs nobody's consent, goes only
    to where the pointer was before: anything else raises Conflict.
    """
    require_version(connection, move.prompt, move.to_number)
    if move.kind == "promote" and is_protected(connection, move.prompt, move.pointer):
        require_second_name(move.actor, move.approved_by, f"pointer '{move.pointer}'", _HOW_TO_ASK)
    _require_place(connection, move)
    if move.kind == "rollback":
        _require_way_back(connection, move)
    logged = move if move.moved_at else move.model_copy(update={"moved_at": at})
    _set_pointer(connection, logged)
    connection.execute(
        insert(moves).values(
            prompt=logged.prompt,
            pointer=logged.pointer,
            from_number=logged.from_number,
            to_number=logged.to_number,
            moved_at=shown_text(logged.moved_at),
            move=to_text(logged),
        )
    )
    return logged


def list_moves(connection: Connection, name: str, pointer: str | None) -> list[Move]:
    """The log of a prompt's moves, or of one pointer's, oldest first."""
    query = select(moves.c.move).where(moves.c.prompt == name).order_by(moves.c.seq)
    if pointer is not None:
        query = query.where(moves.c.pointer == pointer)
    return [from_text(Move, text) for text in connection.execute(query).scalars()]


def require_version(connection: Connection, name: str, number: int) -> PromptVersion:
    """Return a version whose bytes are proven.

    Raises NotFound naming the numbers that exist, Tampered when its bytes have another digest.
    """
    query = select(versions.c.version, versions.c.digest).where(
        versions.c.name == name, versions.c.number == number
    )
    row = connection.execute(query).first()
    if row is None:
        raise NotFound(_no_version(connection, name, number))
    text, digest = row
    version = _read(name, number, text)
    if (version.name, version.number) != (name, number) or not (
        version.digest == version.program.id == digest
    ):
        raise Tampered(_other_bytes(name, number))
    return version


def _read(name: str, number: int, text: str) -> PromptVersion:
    try:
        return from_text(PromptVersion, text)
    except ValueError:
        raise Tampered(_other_bytes(name, number)) from None


def _other_bytes(name: str, number: int) -> str:
    return (
        f"Version {number} of prompt '{name}' is not what was registered: its bytes do not "
        "have its digest; restore the store from a copy."
    )


def is_protected(connection: Connection, name: str, pointer: str) -> bool:
    """Say whether the last word on a pointer is that it is protected."""
    last = [item for item in list_protections(connection, name) if item.pointer == pointer]
    return bool(last) and last[-1].is_protected


def insert_protection(connection: Connection, protection: Protection, at: str) -> Protection:
    """Log a protection or its end; the caller holds the prompt's lock. Raises ApprovalNeeded."""
    name, pointer = protection.prompt, protection.pointer
    if not protection.is_protected and is_protected(connection, name, pointer):
        require_second_name(
            protection.actor,
            protection.approved_by,
            f"pointer '{pointer}'",
            "give the name of who agrees that it is protected no longer",
        )
    logged = protection if protection.at else protection.model_copy(update={"at": at})
    connection.execute(
        insert(protections).values(prompt=name, pointer=pointer, protection=to_text(logged))
    )
    return logged


def list_protections(connection: Connection, name: str) -> list[Protection]:
    """The log of a prompt's protections, oldest first."""
    query = select(protections.c.protection).where(protections.c.prompt == name)
    texts = connection.execute(query.order_by(protections.c.seq)).scalars()
    return [from_text(Protection, text) for text in texts]


def insert_request(connection: Connection, request: MoveRequest, at: str) -> MoveRequest:
    """Store a move that waits for a second name. Raises NotFound, Tampered, Conflict."""
    require_version(connection, request.move.prompt, request.move.to_number)
    _require_place(connection, request.move)
    taken = select(move_requests.c.id).where(move_requests.c.id == request.id)
    if connection.execute(taken).first() is not None:
        raise Conflict(f"There is a request '{request.id}' already; give this one another id.")
    waiting = request if request.at else request.model_copy(update={"at": at})
    connection.execute(
        insert(move_requests).values(
            id=waiting.id, prompt=waiting.move.prompt, request=to_text(waiting)
        )
    )
    return waiting


def list_requests(connection: Connection, name: str) -> list[MoveRequest]:
    """The requests that nobody has made yet and whose pointer has not moved meanwhile."""
    query = select(move_requests.c.request).where(move_requests.c.prompt == name)
    texts = connection.execute(query.order_by(move_requests.c.seq)).scalars()
    requests = [from_text(MoveRequest, text) for text in texts]
    done = {move.request_id for move in list_moves(connection, name, None)}
    at = {item.pointer: item.number for item in list_pointers(connection, name)}
    return [
        item
        for item in requests
        if item.id not in done and at.get(item.move.pointer) == item.move.from_number
    ]


def require_second_name(actor: str, approved_by: str, what: str, how: str) -> None:
    """Raise ApprovalNeeded unless somebody other than the actor has agreed."""
    if not seen_name(approved_by) or is_same_person(approved_by, actor):
        who = f"somebody other than {actor.strip()}" if actor.strip() else "somebody else"
        raise ApprovalNeeded(f"{what} is protected: {who} must approve; {how}")


def _require_place(connection: Connection, move: Move) -> int | None:
    here = (pointers.c.prompt == move.prompt, pointers.c.pointer == move.pointer)
    number = connection.execute(select(pointers.c.number).where(*here)).scalar()
    if number != move.from_number:
        raise Conflict(_moved_before(move, number))
    return number


def _require_way_back(connection: Connection, move: Move) -> None:
    log = list_moves(connection, move.prompt, move.pointer)
    past = past_numbers(log)
    before = past[:-1]
    if len(past) == 1:
        # The first promotion replaced what the version was made from.
        of_first = versions.c.number == past[0]
        query = select(versions.c.version).where(versions.c.name == move.prompt, of_first)
        parent = _read(move.prompt, past[0], connection.execute(query).scalar_one()).parent
        before = [] if parent is None else [parent]
    if move.to_number in before:
        return
    was_there = any(move.to_number in {item.from_number, item.to_number} for item in log)
    why = "has gone back from it since" if was_there else f"never was at version {move.to_number}"
    raise Conflict(
        f"Pointer '{move.pointer}' of prompt '{move.prompt}' cannot be rolled back to version "
        f"{move.to_number}: it {why}; promote the version instead."
    )


def _set_pointer(connection: Connection, move: Move) -> None:
    here = (pointers.c.prompt == move.prompt, pointers.c.pointer == move.pointer)
    number = _require_place(connection, move)
    values = {"number": move.to_number, "moved_at": shown_text(move.moved_at)}
    if number is None:
        created = {"prompt": move.prompt, "pointer": move.pointer, **values}
        connection.execute(insert(pointers).values(created))
    else:
        connection.execute(update(pointers).where(*here).values(values))


def _moved_before(move: Move, number: int | None) -> str:
    pointer = f"Pointer '{move.pointer}' of prompt '{move.prompt}'"
    expected = "unset" if move.from_number is None else f"at version {move.from_number}"
    now = "is not set" if number is None else f"is at version {number}"
    return f"{pointer} {now}, not {expected}: somebody moved it first; look, then move it again."


def _no_version(connection: Connection, name: str, number: int) -> str:
    bounds = select(func.min(versions.c.number), func.max(versions.c.number))
    first, last = connection.execute(bounds.where(versions.c.name == name)).one()
    if first is None:
        return f"There is no prompt '{name}'; register a version of it first."
    existing = f"only version {first}" if first == last else f"versions {first} to {last}"
    return (
        f"Prompt '{name}' has no version {number}; it has {existing}; "
        f"`promptyard prompts log {name}` lists them."
    )
