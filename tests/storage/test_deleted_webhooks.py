"""Webhooks that two processes write at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest

from promptyard.errors import NotFound
from promptyard.protocols import Store
from promptyard.records.webhooks import KindProgress, Webhook
from promptyard.storage import open_store

HOOK = Webhook(id="h1", url="https://x.example/", created_at="2026", created_by="ada")


async def noted(store: Store) -> None:
    told = KindProgress(told=1)
    assert await store.note_webhook("h1", "move", told, n_enabled=0) is None


async def enabled(store: Store) -> None:
    with pytest.raises(NotFound, match="h1"):
        await store.enable_webhook("h1")


@pytest.mark.parametrize("write", [noted, enabled])
def test_what_is_written_while_a_webhook_is_deleted_does_not_bring_it_back(
    postgres_url: str, write: Callable[[Store], Awaitable[Any]]
) -> None:
    async def body() -> None:
        store = open_store(postgres_url)
        await store.open()
        try:
            await store.save_webhook(HOOK)
            with psycopg.connect(postgres_url) as other:
                other.execute("DELETE FROM webhooks WHERE id = 'h1'")
                writing = asyncio.ensure_future(write(store))
                waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                while not writing.done() and other.execute(waits).fetchone() == (0,):
                    await asyncio.sleep(0.01)
                assert not writing.done()  # it has read what is being deleted
                other.commit()
            await writing
            assert await store.webhooks() == []
        finally:
            await store.close()

    asyncio.run(body())
