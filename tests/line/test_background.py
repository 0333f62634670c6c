"""Who works on a store."""

from __future__ import annotations

from pathlib import Path

from promptyard.line.background import other_replica
from promptyard.protocols import Store
from support.postgres import postgres_server, postgres_url
from support.stores import on_store

__all__ = ["postgres_server", "postgres_url"]


async def found(store: Store) -> list[str | None]:
    """Return who is found before, while and after somebody holds leases."""
    owners: list[str | None] = []
    for name, for_s in (("j-1", 60.0), ("canary", 60.0), ("canary", -1.0)):
        await store.take_lease(name, "first", for_s=for_s)
        lease = await other_replica(store)
        owners.append(lease and lease.owner)
    return owners


def test_a_replica_is_found_while_it_holds_background_work(tmp_path: Path) -> None:
    assert on_store(str(tmp_path / "runs.db"), found) == [None, "first", None]


def test_over_postgresql_there_may_be_many(postgres_url: str) -> None:
    assert on_store(postgres_url, found) == [None, None, None]
