"""Runs the functions of the check `python` in child processes, which can be ended at any moment."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from promptyard.metrics.child_processes import MAX_CHILDREN, Children, shared
from promptyard.records.base import Json, as_object

LOAD_TIMEOUT_S = 60.0
_WORKER = Path(__file__).with_name("python_worker.py")
_CHUNK = 65_536


class FunctionFailed(Exception):
    """The function, or its process, gave no scores; `str(error)` says why in one line."""


async def grade_within(
    target: str, case: Mapping[str, Json], text: str, *, timeout_s: float
) -> Sequence[Mapping[str, Json]]:
    """Grade with the children that the whole program shares; see `PythonChildren.grade`."""
    global _shared  # noqa: PLW0603 - processes are a resource of the whole program
    _shared = shared(_shared, lambda: PythonChildren(MAX_CHILDREN))
    return await _shared.grade(target, case, text, timeout_s=timeout_s)


class PythonChildren(Children):
    """Children that call functions of a user; one that had to be ended is replaced."""

    def __init__(self, n_children: int) -> None:
        super().__init__([sys.executable, "-P", str(_WORKER)], n_children, "python")
        self._loaded: dict[int, set[str]] = {}

    async def grade(
        self, target: str, case: Mapping[str, Json], text: str, *, timeout_s: float
    ) -> Sequence[Mapping[str, Json]]:
        """Call a function with a case and an answer; return its scores as plain data.

        Waiting for a free child and loading the function (at most `LOAD_TIMEOUT_S`) are not
        counted. May be cancelled: the child then finishes for nobody.

        Raises TimeoutError when the call takes longer than `timeout_s`, FunctionFailed where it
        gives no scores, TypeError and ValueError where the case is no plain data.
        """
        request = {"target": target, "case": case, "text": text, "timeout_s": timeout_s}
        line = json.dumps(request).encode("ascii") + b"\n"
        return await self.in_thread(partial(self.ask, target, line, timeout_s))

    def ask(self, target: str, line: bytes, timeout_s: float) -> Sequence[Mapping[str, Json]]:
        """Ask the child of this thread; one that ended since its last answer is replaced once."""
        child = self.child()
        if child.pid in self._loaded:
            try:
                return self._asked(child, target, line, timeout_s)
            except FunctionFailed:
                if child.pid in self._loaded:
                    raise
        return self._asked(self.child(), target, line, timeout_s)

    def _asked(
        self, child: subprocess.Popen[bytes], target: str, line: bytes, timeout_s: float
    ) -> Sequence[Mapping[str, Json]]:
        before = b""
        if child.pid not in self._loaded:
            self._loaded[child.pid] = set()
            before = json.dumps({"path": sys.path}).encode("ascii") + b"\n"
        if target not in self._loaded[child.pid]:
            load = before + json.dumps({"load": target}).encode("ascii") + b"\n"
            try:
                self._answer(child, load, LOAD_TIMEOUT_S)
            except TimeoutError:
                raise FunctionFailed(f"loading took more than {LOAD_TIMEOUT_S:g} s") from None
            self._loaded[child.pid].add(target)
        found: Sequence[Mapping[str, Json]] = self._answer(child, line, timeout_s)["scores"]
        return found

    def _answer(
        self, child: subprocess.Popen[bytes], line: bytes, timeout_s: float
    ) -> Mapping[str, Json]:
        """Exchange two lines; a child that does not answer in time is ended."""
        try:
            got = _exchange(child, line, time.monotonic() + timeout_s)
        except TimeoutError:
            self._end(child)
            raise
        if not got.endswith(b"\n"):
            raise FunctionFailed(f"its process ended with code {self._end(child)}")
        try:
            answer = as_object(json.loads(got))
        except ValueError:
            answer = None
        if answer is None:
            self._end(child)
            raise FunctionFailed("its process answered nonsense")
        if "error" in answer:
            raise FunctionFailed(str(answer["error"]))
        return answer

    def _end(self, child: subprocess.Popen[bytes]) -> int:
        self._loaded.pop(child.pid, None)
        return self.ended(child, kill=True)


_shared: PythonChildren | None = None


def _exchange(child: subprocess.Popen[bytes], line: bytes, deadline: float) -> bytes:
    """Send and receive; without a line break at its end when the child ended instead.

    Raises TimeoutError at the deadline, in seconds of the monotonic clock.
    """
    assert child.stdin is not None
    assert child.stdout is not None
    left = memoryview(line)
    got: list[bytes] = []
    os.set_blocking(child.stdin.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdin, selectors.EVENT_WRITE)
        selector.register(child.stdout, selectors.EVENT_READ)
        while not got or not got[-1].endswith(b"\n"):
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                if key.fileobj is child.stdout:
                    part = os.read(key.fd, _CHUNK)
                    if not part:
                        return b""
                    got.append(part)
                    continue
                try:
                    left = left[os.write(key.fd, left[:_CHUNK]) :]
                except OSError:  # it ended: reading says so
                    left = left[:0]
                if not left:
                    selector.unregister(child.stdin)
    return b"".join(got)
