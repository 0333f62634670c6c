"""Runs the application of the demo beside us, and says when it ends before its time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from promptyard.errors import PromptyardError
from promptyard.line.replayed_traffic import Served, TrafficPlan

Result = TypeVar("Result")

COMMAND = ("-P", "-m", "promptyard.line.replayed_traffic")
"""-P: modules of the folder that we happen to be in are none of its."""
END_S = 10.0
"""How long it may take to write what it has and to end."""


class RunningApplication:
    """The application as a process of its own; it ends with the block, or with this process.

    `served` is what it has said last.
    """

    def __init__(self, plan: TrafficPlan) -> None:
        self.served = Served()
        self._plan = plan
        self._process: asyncio.subprocess.Process | None = None
        self._reading: list[asyncio.Task[Any]] = []
        self._last_words = ""

    async def __aenter__(self) -> RunningApplication:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
            start_new_session=True,  # an interrupt at the terminal is ours; it ends with us
        )
        self._process = process
        assert process.stdin is not None
        process.stdin.write(self._plan.model_dump_json().encode() + b"\n")
        await process.stdin.drain()
        self._reading = [
            asyncio.create_task(self._read_served(process)),
            asyncio.create_task(self._read_errors(process)),
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), END_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        await asyncio.gather(*self._reading)

    async def during(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return the result of `work`. Raises PromptyardError when the application ends first."""
        assert self._process is not None
        task = asyncio.ensure_future(work)
        ended = asyncio.create_task(self._process.wait())
        try:
            await asyncio.wait({task, ended}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
        finally:
            for item in (task, ended):
                item.cancel()
            await asyncio.gather(task, ended, return_exceptions=True)
        await asyncio.gather(*self._reading)
        said = self._last_words or f"it ended with {self._process.returncode}"
        raise PromptyardError(f"the application that replays the traffic has stopped: {said}")

    async def _read_served(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self.served = Served.model_validate_json(line)

    async def _read_errors(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            self._last_words = line.decode(errors="replace").strip() or self._last_words


def _environment() -> dict[str, str]:
    """Our environment, and the place that this package was loaded from."""
    place = str(Path(__file__).resolve().parents[2])
    paths = [place, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
