"""Asks the system for the addresses of a host, in threads of its own.

A name server that does not answer holds a thread for as long as the system waits, and nothing can
call that off. In a pool that is shared, names that hang would hold every thread others need.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

MAX_RESOLVING = 16
"""Names that are asked for at once by this process; more wait."""
_PAUSE_S = 0.02

_free = threading.BoundedSemaphore(MAX_RESOLVING)


async def resolve_by_system(host: str, port: int) -> Sequence[str]:
    """Ask the system for all addresses of a host; forms such as 127.1 are read as it reads them.

    Takes as long as the system does, and the wait for one of 16 threads: bound it with a timeout.
    Raises OSError where there is no address, UnicodeError for what is no name.
    """
    while not _free.acquire(blocking=False):  # noqa: ASYNC110 (the bound is of all loops)
        await asyncio.sleep(_PAUSE_S)
    answer: Future[list[Any]] = Future()
    answer.set_running_or_notify_cancel()  # whoever gives up waiting ends nothing
    thread = threading.Thread(
        target=_ask, args=(host, port, answer), name="promptyard-names", daemon=True
    )
    try:
        thread.start()
    except RuntimeError as error:
        _free.release()
        raise OSError(str(error)) from None
    found = await asyncio.wrap_future(answer)
    return list(dict.fromkeys(str(item[4][0]).partition("%")[0] for item in found))


def _ask(host: str, port: int, answer: Future[list[Any]]) -> None:
    found: list[Any] = []
    failure: Exception | None = None
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except Exception as error:  # noqa: BLE001 (whatever it is, who asked gets it)
        failure = error
    finally:
        _free.release()
    if failure is None:
        answer.set_result(found)
    else:
        answer.set_exception(failure)
