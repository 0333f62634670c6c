"""A few child processes, each with a thread that talks to it, started when they are needed."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TypeVar

MAX_CHILDREN = min(4, os.cpu_count() or 1)

Given = TypeVar("Given")
Pool = TypeVar("Pool", bound="Children")


class Children:
    """Up to `n_children` threads, each with a child of its own that answers line by line."""

    def __init__(self, command: Sequence[str], n_children: int, name: str) -> None:
        self.pid = os.getpid()
        self._command = tuple(command)
        self._threads = ThreadPoolExecutor(n_children, thread_name_prefix=f"promptyard-{name}")
        self._mine = threading.local()
        self._all: set[subprocess.Popen[bytes]] = set()

    @property
    def child_pids(self) -> tuple[int, ...]:
        """Process ids of the children that are alive, as far as is known."""
        return tuple(child.pid for child in self._all)

    async def in_thread(self, function: Callable[[], Given]) -> Given:
        """Run a function on a free thread. May be cancelled: it then finishes for nobody."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)

    def child(self) -> subprocess.Popen[bytes]:
        """Return the child of this thread, a new one where it has none. Raises OSError."""
        child: subprocess.Popen[bytes] | None = getattr(self._mine, "child", None)
        if child is None or child not in self._all:
            child = subprocess.Popen(  # noqa: S603 - our own files, run by the same interpreter
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the run, which then ends its children
            )
            self._mine.child = child
            self._all.add(child)
        return child

    def ended(self, child: subprocess.Popen[bytes], *, kill: bool = False) -> int:
        """Forget a child, with all processes that it has started, and return its exit code."""
        self._all.discard(child)
        if kill:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                _close(pipe)
        return child.wait()

    def close(self) -> None:
        """End all children. Safe to call twice."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for child in tuple(self._all):
            self.ended(child, kill=True)


def shared(pool: Pool | None, make: Callable[[], Pool]) -> Pool:
    """Return the pool that the whole program shares, or make it, until the program ends."""
    if pool is None or pool.pid != os.getpid():  # one that was forked has no threads
        pool = make()
        atexit.register(pool.close)
    return pool


def _close(pipe: IO[bytes]) -> None:
    """Close a pipe, also one with bytes that nobody will read any more."""
    with contextlib.suppress(OSError):
        pipe.close()
