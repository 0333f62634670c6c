"""A store with some versions of a prompt, for tests of the registry and of releases."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from promptyard.protocols import Store
from promptyard.records.prompts import Program, Prompt
from promptyard.records.versions import Move, PromptVersion
from promptyard.storage import open_store

Result = TypeVar("Result")
TEXTS = ("user:\r\nA 👩‍👩‍👧 {{x}}\r\n", "user:\nB é {{x}}", "user:\nC {{x}}\n\n\n")


def version_of(text: str, name: str = "p", parent: int | None = None) -> PromptVersion:
    program = Program.single(Prompt.from_text(text))
    return PromptVersion(
        name=name, number=0, digest=program.id, program=program, author="a", parent=parent
    )


def first_move(prompt: str = "p") -> Move:
    """The move that puts version 1 into production."""
    return Move(
        prompt=prompt,
        pointer="production",
        from_number=None,
        to_number=1,
        actor="ann",
        reason="first",
    )


def with_store(
    work: Callable[[Store], Awaitable[Result]],
    url: str | None = None,
    texts: Sequence[str] = TEXTS,
) -> Result:
    """Do some work with an open store that has the texts as versions of the prompt `p`."""

    async def run() -> Result:
        store = open_store(url)
        await store.open()
        try:
            for text in texts:
                await store.add_version(version_of(text))
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def tamper(path: Path, number: int, old: str, new: str) -> None:
    """Change bytes of a stored version behind the store's back, as a triggerless tool could."""
    with closing(sqlite3.connect(path)) as connection:
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'versions'"
        ).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        changed = connection.execute(
            "UPDATE versions SET version = replace(version, ?, ?) WHERE number = ?",
            (old, new, number),
        )
        assert changed.rowcount == 1
        connection.commit()
