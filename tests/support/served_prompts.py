"""A service whose store has the prompt `p` with three versions, production at the first."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

from promptyard.protocols import Store
from support.registered import first_move, version_of
from support.served import Service, served

TEXTS = ("user:\nA {{x}}\n", "user:\nB {{x}}\n", "user:\nC {{x}}\n")


@contextlib.contextmanager
def served_prompts(where: Path | str, **settings: Any) -> Generator[Service]:
    """Serve the store in a folder, or at a URL, filled, until the block ends."""

    async def fill(store: Store) -> None:
        for number, text in enumerate(TEXTS):
            await store.add_version(version_of(text, parent=number or None))
        first = first_move()
        await store.move_pointer(first)

    with served(where, **settings) as service:
        service.in_store(fill)
        yield service


def pages(service: Service, path: str, limit: int) -> list[Any]:
    """Read a list page by page; every page but the last is full."""
    items: list[Any] = []
    cursor: str | None = None
    while True:
        sign = "&" if "?" in path else "?"
        more = "" if cursor is None else f"&cursor={cursor}"
        answer = service.get(f"{path}{sign}limit={limit}{more}")
        assert answer.status == 200, answer.body
        items += answer.json["items"]
        cursor = answer.json["next"]
        if cursor is None:
            return items
        assert len(answer.json["items"]) == limit
