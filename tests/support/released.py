"""A store with three versions of `p` that is published, for tests of rollouts: fixture `url`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from promptyard.line.publish import publish_to
from promptyard.protocols import Store
from support.registered import first_move, version_of
from support.stores import on_store

Result = TypeVar("Result")


def run(work: Awaitable[Result]) -> Result:
    async def awaited() -> Result:
        return await work

    return asyncio.run(awaited())


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store with three versions of `p`; production is at the first, the manifest published."""
    address = str(tmp_path / "store.db")

    async def fill(store: Store) -> None:
        for text in ("user:\nA {{x}}\n", "user:\nB {{x}}\n", "user:\nC {{x}}\n"):
            await store.add_version(version_of(text))
        await store.move_pointer(first_move())

    on_store(address, fill)
    run(publish_to(address, manifest_path(address)))
    return address


def manifest_path(url: str) -> Path:
    return Path(url).parent / "manifest.json"


def published(url: str) -> dict[str, Any]:
    return json.loads(manifest_path(url).read_text())["prompts"]["p"]
