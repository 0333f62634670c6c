"""Runs regular expressions in child processes, so that a time limit on them really holds.

A match in `re` keeps the interpreter's lock until it is done: neither a thread nor the event loop
could stop it. A few children are kept; each answers in a fraction of a millisecond.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from promptyard.metrics.child_processes import MAX_CHILDREN, Children, shared
from promptyard.metrics.regex_worker import TIMED_OUT

_WORKER = Path(__file__).with_name("regex_worker.py")


async def search_within(pattern: str, flags: int, text: str, *, timeout_s: float) -> bool:
    """Search with the children that the whole program shares; see `RegexChildren.search`."""
    return await _children().search(pattern, flags, text, timeout_s=timeout_s)


async def last_match_within(pattern: str, text: str, *, timeout_s: float) -> str | None:
    """Look for the last match with the shared children; see `RegexChildren.last_match`."""
    return await _children().last_match(pattern, text, timeout_s=timeout_s)


class RegexChildren(Children):
    """Children that search."""

    def __init__(self, n_children: int) -> None:
        super().__init__([sys.executable, "-I", "-S", str(_WORKER)], n_children, "regex")

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

    def ask(self, line: bytes) -> bool | str | None:
        """Send one request to the child of this thread; one that died is replaced once."""
        code = 0
        for _ in range(2):
            child = self.child()
            answer = _exchange(child, line)
            if answer.endswith(b"\n"):
                found: bool | str | None = json.loads(answer)
                return found
            code = self.ended(child)
            if code == TIMED_OUT:
                raise TimeoutError
        raise OSError(f"the process that runs regular expressions ended with code {code}, twice")

    async def _answer(self, request: Mapping[str, str | float]) -> bool | str | None:
        line = json.dumps(request).encode("ascii") + b"\n"
        return await self.in_thread(partial(self.ask, line))


_shared: RegexChildren | None = None


def _children() -> RegexChildren:
    global _shared  # noqa: PLW0603 - processes are a resource of the whole program
    _shared = shared(_shared, lambda: RegexChildren(MAX_CHILDREN))
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
