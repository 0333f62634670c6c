"""How the store reaches its database: one thread, and every call as an operation on a connection.

How operations become transactions stands in `group_commit`, what differs between the databases in
`database`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection

from promptyard.storage.address import Address
from promptyard.storage.database import Database
from promptyard.storage.group_commit import DatabaseThread

Result = TypeVar("Result")
Operation: TypeAlias = Callable[[Connection], Any]


def utc_now() -> str:
    """The present time in UTC as ISO 8601 text with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


class SqlAccess:
    """What the parts of a store share: opening, closing, calls of the database thread.

    `url` is the address without the password, fit to be shown; `connect_url` is what another
    process needs to open the same store. `clock` gives the time of every row as text. A name or id
    holds up to 200 characters and no NUL; everything else any text.
    """

    def __init__(self, address: Address, clock: Callable[[], str] = utc_now) -> None:
        self.url = address.shown
        self.connect_url = address.target
        self._clock = clock
        self._database = Database(address)
        self._thread = DatabaseThread(self._database)

    async def open(self) -> None:
        """Open and migrate; does nothing when open. Raises StorageError saying what to do."""
        if self._thread.ended:
            self._thread = DatabaseThread(self._database)
        await self._thread.open()

    async def close(self) -> None:
        """Write what is queued and close. Safe to call twice; the store may be opened again."""
        await self._thread.close()

    async def _read(self, operation: Callable[[Connection], Result]) -> Result:
        return await self._thread.read(_each, operation)

    async def _write(
        self,
        operation: Callable[[Connection], Result],
        *,
        lock: str | tuple[str, ...] | None = None,
    ) -> Result:
        return await self._thread.write(_each, operation, lock=lock)


def _each(connection: Connection, operations: Sequence[Operation]) -> list[Any]:
    """The batch of calls that are made one by one."""
    return [operation(connection) for operation in operations]
