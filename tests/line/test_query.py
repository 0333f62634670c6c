"""Where the line works: an open store is used as it is, an address is opened and closed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from promptyard.line.query import opened
from promptyard.line.ship import list_requests
from promptyard.storage import open_store
from support.registered import TEXTS, version_of


def test_a_store_that_is_open_is_used_and_stays_open(tmp_path: Path) -> None:
    async def work() -> tuple[bool, list[str]]:
        store = open_store(str(tmp_path / "s.db"))
        await store.open()
        await store.add_version(version_of(TEXTS[0]))
        async with opened(store) as given:
            is_same = given is store
        assert not await list_requests(store, "p")
        names = list(await store.prompt_names())  # would raise if it were closed
        await store.close()
        return is_same, names

    assert asyncio.run(work()) == (True, ["p"])
