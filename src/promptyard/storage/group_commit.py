"""The database thread of a store: calls that wait together are committed together.

Writing durably costs one fsync a transaction, however much it holds. So the thread takes all calls
that have queued up while it was busy, runs them in one transaction, and wakes the callers when it
is committed: 64 callers share one fsync.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection

from promptyard.errors import StorageError
from promptyard.storage.database import Database

Argument = TypeVar("Argument")
Result = TypeVar("Result")
Batch: TypeAlias = Callable[[Connection, Sequence[Argument]], Sequence[Result]]
"""Runs many calls of one kind at once: arguments in, as many results out, in their order.

It may be run again with some of the arguments after it raised, so it acts on the database only.
"""

_MAX_GROUP = 1024  # bounds the memory and the length of one transaction


@dataclass(slots=True, eq=False)
class _Call:
    batch: Batch[Any, Any]
    argument: Any
    writes: bool
    locks: tuple[str, ...]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


class DatabaseThread:
    """Runs a store's calls on its database, in one thread, from `open` to `close`, once.

    Calls that wait at the same time have no order among them, but a reading sees what was asked to
    be written before it. A call that fails fails alone; the others of its group are committed.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: SimpleQueue[_Call | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._opened: Future[None] = Future()
        self._closed: Future[None] = Future()
        self._is_open = False
        self._is_closing = False

    @property
    def ended(self) -> bool:
        """Whether the thread has done its work or could not open the database."""
        return self._closed.done()

    async def open(self) -> None:
        """Start the thread and open the database; does nothing when that is done."""
        if self._thread is None:
            # A daemon: a program that forgets to close may end, since what returned is durable.
            self._thread = threading.Thread(
                target=self._serve, name="promptyard-store", daemon=True
            )
            for future in (self._opened, self._closed):
                future.set_running_or_notify_cancel()  # a caller who gives up waiting ends nothing
            self._thread.start()
        await asyncio.wrap_future(self._opened)

    async def read(self, batch: Batch[Argument, Result], argument: Argument) -> Result:
        """Run a call that changes nothing; it sees what is committed."""
        return await self._submit(batch, argument, writes=False, locks=())

    async def write(
        self,
        batch: Batch[Argument, Result],
        argument: Argument,
        *,
        lock: str | tuple[str, ...] | None = None,
    ) -> Result:
        """Run a call that writes, and return when it is durable.

        `lock` names what no other process may change during the call. A caller that is cancelled
        does not take its call back: it is written all the same.
        """
        locks = (lock,) if isinstance(lock, str) else lock or ()
        return await self._submit(batch, argument, writes=True, locks=locks)

    async def close(self) -> None:
        """Finish what is queued, close the database and end the thread. Safe to call twice."""
        if self._thread is None:
            return
        if not self._is_closing:
            self._is_closing = True
            self._queue.put(None)
        await asyncio.wrap_future(self._closed)

    async def _submit(
        self,
        batch: Batch[Argument, Result],
        argument: Argument,
        *,
        writes: bool,
        locks: tuple[str, ...],
    ) -> Result:
        if self._is_closing or not self._is_open:
            raise StorageError(
                f"The store {self._database.address.shown} is not open; await its open() first."
            )
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._queue.put(_Call(batch, argument, writes, locks, loop, future))
        return await future

    def _serve(self) -> None:
        try:
            self._database.open()
        except Exception as error:  # noqa: BLE001 (whatever it is, the caller of open() gets it)
            self._closed.set_result(None)
            self._opened.set_exception(error)
            return
        self._is_open = True
        self._opened.set_result(None)
        try:
            more = True
            while more:
                group, more = self._take_group()
                # Writings first: a reading sees all that was asked for before it.
                self._write([call for call in group if call.writes])
                self._read([call for call in group if not call.writes])
            self._database.close()
        finally:
            self._closed.set_result(None)

    def _take_group(self) -> tuple[list[_Call], bool]:
        """Wait for a call and take all that wait with it; False when the store is closing."""
        group: list[_Call] = []
        call = self._queue.get()
        while call is not None:
            group.append(call)
            if len(group) == _MAX_GROUP:
                return group, True
            try:
                call = self._queue.get_nowait()
            except Empty:
                return group, True
        return group, False

    def _read(self, calls: Sequence[_Call]) -> None:
        for batch, members in _by_batch(calls).items():
            try:
                with self._database.reading() as connection:
                    _run_apart(connection, batch, members)
            except Exception as error:  # noqa: BLE001 (it belongs to the callers)
                _fail(members, error)
        self._deliver(calls)

    def _write(self, calls: Sequence[_Call]) -> None:
        if not calls:
            return
        groups = _by_batch(calls)
        locks = {lock for call in calls for lock in call.locks}
        try:
            try:
                with self._database.writing(locks) as connection:
                    for batch, members in groups.items():
                        _run_together(connection, batch, members)
            except _BatchError:
                # Nothing was committed. Once more, each kind behind a savepoint of its own.
                with self._database.writing(locks) as connection:
                    for batch, members in groups.items():
                        _run_apart(connection, batch, members)
        except Exception as error:  # noqa: BLE001 (nothing was committed: all callers get it)
            _fail(calls, error)
        self._deliver(calls)

    def _deliver(self, calls: Sequence[_Call]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Call]] = {}
        for call in calls:
            if call.error is not None:
                call.error = self._database.explain(call.error)
            by_loop.setdefault(call.loop, []).append(call)
        for loop, members in by_loop.items():
            with suppress(RuntimeError):  # the loop ended without waiting for its calls
                loop.call_soon_threadsafe(_wake, members)


def _by_batch(calls: Sequence[_Call]) -> dict[Batch[Any, Any], list[_Call]]:
    groups: dict[Batch[Any, Any], list[_Call]] = {}
    for call in calls:
        groups.setdefault(call.batch, []).append(call)
    return groups


class _BatchError(Exception):
    """A batch raised; which of its calls was the cause is not known."""


def _run_together(connection: Connection, batch: Batch[Any, Any], calls: Sequence[_Call]) -> None:
    """Run calls of one kind, as nearly always works. Raises _BatchError when one of them fails."""
    try:
        results = batch(connection, [call.argument for call in calls])
    except Exception as error:
        raise _BatchError from error
    for call, result in zip(calls, results, strict=True):
        call.result = result


def _run_apart(connection: Connection, batch: Batch[Any, Any], calls: Sequence[_Call]) -> None:
    """Run calls of one kind together; when that fails one by one, so that only the cause fails.

    Raises when the transaction itself is lost, with all that was written in it.
    """
    savepoint = connection.begin_nested()
    try:
        results = batch(connection, [call.argument for call in calls])
    except Exception as error:
        # Databases give a transaction up by themselves when the disk is full or the connection
        # breaks; then there is no savepoint to go back to, and this raises.
        savepoint.rollback()
        if connection.invalidated:
            raise
        if len(calls) == 1:
            calls[0].error = error
            return
        for call in calls:
            _run_apart(connection, batch, [call])
        return
    savepoint.commit()
    for call, result in zip(calls, results, strict=True):
        call.result = result


def _fail(calls: Sequence[_Call], error: Exception) -> None:
    for call in calls:
        call.error = error


def _wake(calls: Sequence[_Call]) -> None:
    for call in calls:
        if call.future.done():  # its caller was cancelled
            continue
        if call.error is None:
            call.future.set_result(call.result)
        else:
            call.future.set_exception(call.error)
