"""Work on a store that is opened for it and closed after it, as another process would do it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from promptyard.protocols import Store
from promptyard.storage import open_store

Result = TypeVar("Result")


def on_store(url: str | None, work: Callable[[Store], Awaitable[Result]]) -> Result:
    """Open a store, do some work on it, close it."""

    async def run() -> Result:
        store = open_store(url)
        await store.open()
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())
