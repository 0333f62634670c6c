"""Leases: who may do a piece of background work until when, by the database's clock."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select, text, update

from promptyard.records.base import Json
from promptyard.records.leases import Lease
from promptyard.storage.stored_text import json_text
from promptyard.storage.tables import leases


def take_lease(connection: Connection, name: str, owner: str, for_s: float) -> Lease | None:
    """Take or renew a lease; None where it is somebody else's. The caller holds its lock."""
    now_s = _now_s(connection)
    row = connection.execute(select(leases).where(leases.c.name == name)).mappings().first()
    if row is None:
        values = {"name": name, "owner": owner, "fence": 1, "ends_at_s": now_s + for_s}
        connection.execute(insert(leases).values({**values, "note": "{}"}))
        return Lease(name=name, owner=owner, fence=1, ends_in_s=for_s)
    if row["owner"] != owner and row["ends_at_s"] > now_s:
        return None
    fence = row["fence"] + (row["owner"] != owner)
    changed = {"owner": owner, "fence": fence, "ends_at_s": now_s + for_s}
    connection.execute(update(leases).where(leases.c.name == name).values(changed))
    note = json.loads(row["note"])
    return Lease(name=name, owner=owner, fence=fence, ends_in_s=for_s, note=note)


def end_lease(connection: Connection, name: str, owner: str) -> None:
    """Let one's own lease end now; its fence and note stay."""
    here = (leases.c.name == name, leases.c.owner == owner)
    connection.execute(update(leases).where(*here).values(ends_at_s=_now_s(connection)))


def delete_lease(connection: Connection, name: str, owner: str) -> None:
    """Delete one's own lease: nobody will ask for it again."""
    here = (leases.c.name == name, leases.c.owner == owner)
    connection.execute(delete(leases).where(*here))


def write_note(connection: Connection, name: str, owner: str, note: Mapping[str, Json]) -> None:
    """Replace the note of one's own lease."""
    here = (leases.c.name == name, leases.c.owner == owner)
    connection.execute(update(leases).where(*here).values(note=json_text(dict(note))))


def list_leases(connection: Connection) -> list[Lease]:
    """All leases, by name."""
    now_s = _now_s(connection)
    return [
        Lease(
            name=row["name"],
            owner=row["owner"],
            fence=row["fence"],
            ends_in_s=row["ends_at_s"] - now_s,
            note=json.loads(row["note"]),
        )
        for row in connection.execute(select(leases).order_by(leases.c.name)).mappings()
    ]


def _now_s(connection: Connection) -> float:
    """Seconds since 1970 by the clock that all owners share: a file's is that of its machine."""
    if connection.dialect.name == "sqlite":
        return time.time()
    now = text("SELECT extract(epoch FROM clock_timestamp())::float8")
    return float(connection.execute(now).scalar_one())
