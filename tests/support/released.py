"""A store with three versions of `p` that is published, for tests of rollouts: fixture `url`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from promptyard.line.publish import publish_to
from promptyard.protocols import Store
from promptyard.records.versions import Move
from promptyard.storage import open_store
from support.registered import version_of

Result = TypeVar("Result")


def run(work: Awaitable[Result]) -> Result:
    async def awaited() -> Result:
        return await work

    return asyncio.run(awaited())


def in_store(url: str, body: Callable[[Store], Awaitable[Result]]) -> Result:
    async def opened() -> Result:
        store = open_store(url)
        await store.open()
        try:
            return await body(store)
        finally:
            await store.close()

    return asyncio.run(opened())


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store with three versions of `p`; production is at the first, the manifest published."""
    address = str(tmp_path / "store.db")

    async def fill(store: Store) -> None:
        for text in ("user:\nA {{x}}\n", "user:\nB {{x}}\n", "user:\nC {{x}}\n"):
            await store.add_version(version_of(text))
        await store.move_pointer(
            Move(
                prompt="p",
                pointer="production",
                from_number=None,
                to_number=1,
                actor="ann",
                reason="first",
            )
        )

    in_store(address, fill)
    run(publish_to(address, manifest_path(address)))
    return address


def manifest_path(url: str) -> Path:
    return Path(url).parent / "manifest.json"


def published(url: str) -> dict[str, Any]:
    return json.loads(manifest_path(url).read_text())["prompts"]["p"]
