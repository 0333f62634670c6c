"""Keys of the service, and the log of what was done with them."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from promptyard.errors import Conflict, NotFound
from promptyard.records.api_keys import ApiKey
from promptyard.records.audit import AuditEntry
from promptyard.storage.stored_text import from_text, shown_text, to_text
from promptyard.storage.tables import api_keys, audit


def insert_key(connection: Connection, key: ApiKey) -> None:
    """Store a new key. Raises Conflict when its id is taken."""
    try:
        connection.execute(insert(api_keys).values(id=key.id, api_key=to_text(key)))
    except IntegrityError:
        raise Conflict(f"There is a key '{key.id}' already; give this one another id.") from None


def list_keys(connection: Connection) -> list[ApiKey]:
    """All keys, oldest first."""
    query = select(api_keys.c.api_key).order_by(api_keys.c.seq)
    return [from_text(ApiKey, text) for text in connection.execute(query).scalars()]


def read_key(connection: Connection, key_id: str) -> ApiKey | None:
    """Return a key, None where there is none."""
    query = select(api_keys.c.api_key).where(api_keys.c.id == key_id)
    text = connection.execute(query).scalar()
    return None if text is None else from_text(ApiKey, text)


def update_key_end(
    connection: Connection, key_id: str, *, revoked_at: str | None, expires_at: str | None
) -> ApiKey:
    """Set the end of a key; an earlier one stays. Raises NotFound naming the keys there are."""
    key = _require_key(connection, key_id)
    ended = key.model_copy(
        update={
            "revoked_at": _earlier(key.revoked_at, revoked_at),
            "expires_at": _earlier(key.expires_at, expires_at),
        }
    )
    changed = update(api_keys).where(api_keys.c.id == key_id).values(api_key=to_text(ended))
    connection.execute(changed)
    return ended


def insert_successor(connection: Connection, key: ApiKey, expires_at: str, at: str) -> ApiKey:
    """Store a key in the place of another, which expires; the caller holds the old one's lock."""
    old = _require_key(connection, key.rotated_from or "")
    if old.state(at) != "active":
        raise Conflict(f"The key '{old.id}' is {old.state(at)}; make a new one.")
    for other in list_keys(connection):
        if other.rotated_from == old.id and other.state(at) == "active":
            raise Conflict(
                f"The key '{old.id}' has been rotated already, to '{other.id}': rotate that one, "
                "or revoke it first if its secret is lost."
            )
    insert_key(connection, key)
    return update_key_end(connection, old.id, revoked_at=None, expires_at=expires_at)


def insert_audit(
    connection: Connection, entry: AuditEntry, at: str, *, prunes_before: str | None = None
) -> AuditEntry:
    """Log an act under the next number; its time is now. Entries before `prunes_before` may go."""
    timed = entry.model_copy(update={"at": at})
    values = {
        "actor": shown_text(entry.actor),
        "at": at,
        "entry": to_text(timed),
        "prunes_before": prunes_before,
    }
    seq = connection.execute(insert(audit).values(values).returning(audit.c.seq)).scalar_one()
    return timed.model_copy(update={"seq": seq})


def list_audit(
    connection: Connection, actor: str | None, before: int | None, limit: int
) -> list[AuditEntry]:
    """Entries, newest first."""
    query = select(audit.c.seq, audit.c.entry).order_by(audit.c.seq.desc()).limit(limit)
    if actor is not None:
        query = query.where(audit.c.actor == shown_text(actor))
    if before is not None:
        query = query.where(audit.c.seq < before)
    rows = connection.execute(query).all()
    return [from_text(AuditEntry, text).model_copy(update={"seq": seq}) for seq, text in rows]


def count_audit(connection: Connection, before: str) -> int:
    """How many entries are from before a time."""
    query = select(func.count()).select_from(audit).where(audit.c.at < before)
    return connection.execute(query).scalar_one()


def delete_audit(connection: Connection, limit: int) -> int:
    """Delete the oldest entries that a later one lets go, `limit` at most; returns how many."""
    last = select(audit.c.seq, audit.c.prunes_before).where(audit.c.prunes_before.is_not(None))
    row = connection.execute(last.order_by(audit.c.prunes_before.desc()).limit(1)).first()
    if row is None:
        return 0
    seq, before = row
    some = select(audit.c.seq).where(audit.c.at < before, audit.c.seq < seq)
    numbers = some.order_by(audit.c.at).limit(limit).scalar_subquery()
    return connection.execute(delete(audit).where(audit.c.seq.in_(numbers))).rowcount


def _require_key(connection: Connection, key_id: str) -> ApiKey:
    key = read_key(connection, key_id)
    if key is None:
        known = ", ".join(item.id for item in list_keys(connection)) or "none yet"
        raise NotFound(f"There is no key '{key_id}'; keys: {known}.")
    return key


def _earlier(one: str | None, other: str | None) -> str | None:
    given = [time for time in (one, other) if time is not None]
    return min(given) if given else None
