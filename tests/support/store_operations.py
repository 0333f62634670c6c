"""What a store asks of its SQLite database, one operation after the other."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from promptyard.storage.sql_access import SqlAccess


def surround_operations(
    monkeypatch: pytest.MonkeyPatch,
    around: Callable[[sqlite3.Connection], AbstractContextManager[object]],
) -> None:
    """Enter `around` with the connection before each operation of a store; leave it after."""

    def wrapped(run: Callable[..., Any]) -> Callable[..., Any]:
        async def call(self: SqlAccess, operation: Callable[..., Any], **more: Any) -> Any:
            def each(connection: Any) -> Any:
                with around(connection.connection.dbapi_connection):
                    return operation(connection)

            return await run(self, each, **more)

        return call

    for name in ("_read", "_write"):
        monkeypatch.setattr(SqlAccess, name, wrapped(getattr(SqlAccess, name)))
