"""Runs regular expressions in child processes, so that a time limit on them really holds.

A match in `re` keeps the interpreter's lock until it is done: neither a thread nor the event loop
could stop it. A few children are kept; each answers in a fraction of a millisecond.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from promptyard.metrics.regex_worker import TIMED_OUT

MAX_CHILDREN = min(4, os.cpu_count() or 1)
_WORKER = Path(__file__).with_name("regex_worker.py")


async def search_within(pattern: str, flags: int, text: str, *, timeout_s: float) -> bool:
    """Search with the children that the whole program shares; see `RegexChildren.search`."""
    return await _children().search(pattern, flags, text, timeout_s=timeout_s)


async def last_match_within(pattern: str, text: str, *, timeout_s: float) -> str | None:
    """Look for the last match with the shared children; see `RegexChildren.last_match`."""
    return await _children().last_match(pattern, text, timeout_s=timeout_s)


class RegexChildren:
    """Up to `n_children` threads, each with a child process of its own, started when needed."""

    def __init__(self, n_children: int) -> None:
        self.pid = os.getpid()
        self._threads = ThreadPoolExecutor(n_children, thread_name_prefix="promptyard-regex")
        self._mine = threading.local()
        self._all: set[subprocess.Popen[bytes]] = set()

    async def search(self, pattern: str, flags: int, text: str, *, timeout_s: float) -> bool:
        """Whether `re.search` finds the pattern; waiting for a free child is not counted.

        Raises TimeoutError when the search takes longer than `timeout_s`, OSError when no child
        process can be run. May be cancelled: the child then finishes for nobody.
        """
        request = {"pattern": pattern, "flags": flags, "text": text, "timeout_s": timeout_s}
        return bool(await self._answer(request | {"want": "found"}))

    async def last_match(self, pattern: str, text: str, *, timeout_s: float) -> str | None:
        """Return what the last match took: its first group, or all of it where there is none.

        None where nothing matches. Raises and may be cancelled as `search`.
        """
        request = {"pattern": pattern, "flags": 0, "text": text, "timeout_s": timeout_s}
        found = await self._answer(request | {"want": "last"})
        return None if found is None else str(found)

    @property
    def child_pids(self) -> tuple[int, ...]:
        """Process ids of the children that are alive, as far as is known."""
        return tuple(child.pid for child in self._all)

    def ask(self, line: bytes) -> bool | str | None:
        """Send one request to the child of this thread; one that died is replaced once."""
        code = 0
        for _ in range(2):
            child = self._child()
            answer = _exchange(child, line)
            if answer.endswith(b"\n"):
                found: bool | str | None = json.loads(answer)
                return found
            code = self._ended(child)
            if code == TIMED_OUT:
                raise TimeoutError
        raise OSError(f"the process that runs regular expressions ended with code {code}, twice")

    def close(self) -> None:
        """End all children. Safe to call twice."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for child in tuple(self._all):
            child.kill()
            self._ended(child)

    async def _answer(self, request: Mapping[str, str | float]) -> bool | str | None:
        line = json.dumps(request).encode("ascii") + b"\n"
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self.ask, line)

    def _child(self) -> subprocess.Popen[bytes]:
        child: subprocess.Popen[bytes] | None = getattr(self._mine, "child", None)
        if child is None or child not in self._all:
            child = subprocess.Popen(  # noqa: S603 - our own file, run by the same interpreter
                [sys.executable, "-I", "-S", str(_WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self._mine.child = child
            self._all.add(child)
        return child

    def _ended(self, child: subprocess.Popen[bytes]) -> int:
        self._all.discard(child)
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                _close(pipe)
        return child.wait()


_shared: RegexChildren | None = None


def _children() -> RegexChildren:
    global _shared  # noqa: PLW0603 - processes are a resource of the whole program
    if _shared is None or _shared.pid != os.getpid():  # one that was forked has no threads
        _shared = RegexChildren(MAX_CHILDREN)
        atexit.register(_shared.close)
    return _shared


def _exchange(child: subprocess.Popen[bytes], line: bytes) -> bytes:
    """Send and receive; without a line break at its end when the child ended instead."""
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(line)
        child.stdin.flush()
    except OSError:
        return b""
    return child.stdout.readline()


def _close(pipe: IO[bytes]) -> None:
    """Close a pipe, also one with bytes that nobody will read any more."""
    with contextlib.suppress(OSError):
        pipe.close()
