"""The process of one job, as the service sees it: started, listened to, interrupted, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from pathlib import Path

from pydantic import ValidationError

from promptyard.records.runs import Progress
from promptyard.service.job_messages import (
    MAX_LINE_BYTES,
    MESSAGES,
    Began,
    Finished,
    JobSpec,
    Refused,
    Stepped,
)

COMMAND = ("-P", "-m", "promptyard.service.job_process")
"""-P: modules of the folder that we happen to be in are none of its."""
MAX_ERROR_CHARS = 2_000
STDERR_LINES = 20
_OURS_ALONE = ("PROMPTYARD_WEBHOOK_SECRET",)
"""What the process of a job, which runs code of tasks, does not need to know."""


class JobChild:
    """A process and what it has said so far: the run, how far it is, what came of it."""

    def __init__(self) -> None:
        self.run_id: str | None = None
        self.progress: Progress | None = None
        self.finished: Finished | None = None
        self.error = ""
        self._process: asyncio.subprocess.Process | None = None
        self._reading: list[asyncio.Task[None]] = []
        self._last_words: deque[str] = deque(maxlen=STDERR_LINES)

    async def start(self, spec: JobSpec) -> None:
        """Start the process; it ends when we do, since its stdin then ends."""
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            *COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
            limit=MAX_LINE_BYTES + 1,
            start_new_session=True,  # an interrupt at the terminal is ours to pass on
        )
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):  # it is gone already; its end says why
            process.stdin.write(spec.model_dump_json().encode() + b"\n")
            await process.stdin.drain()
        self._reading = [
            asyncio.create_task(self._read_messages(process)),
            asyncio.create_task(self._read_errors(process)),
        ]

    @property
    def pid(self) -> int | None:
        """The process, None before it is started."""
        return None if self._process is None else self._process.pid

    @property
    def code(self) -> int | None:
        """How it ended, None while it runs: an exit code, or minus the signal that ended it."""
        return None if self._process is None else self._process.returncode

    async def wait(self, timeout_s: float) -> bool:
        """Wait for its end; returns whether it has ended, all that it said being read."""
        assert self._process is not None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), timeout_s)
        if self._process.returncode is None:
            return False
        # A process that it left behind may hold the pipes open for ever.
        _, still_open = await asyncio.wait(self._reading, timeout=1.0)
        for task in still_open:
            task.cancel()
        self._signal(signal.SIGKILL)
        return True

    def renew(self) -> None:
        """Tell it that its job is still ours: it ends when that is not said for `lease_s`."""
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):  # it is gone already; its end says why
            self._process.stdin.write(b"\n")

    def interrupt(self) -> None:
        """Ask it to stop, as Ctrl-C does: its run is marked and can be resumed."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it and all that it has started."""
        self._signal(signal.SIGKILL)

    def end_said(self) -> str:
        """Say how it ended where it has not said so itself."""
        code = self.code or 0
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
            return f"its process was ended by {name}"
        words = " ".join(self._last_words).split()
        said = f": {' '.join(words)[-300:]}" if words else ""
        return f"its process ended with {code}{said}"

    def _signal(self, number: int) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    async def _read_messages(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        try:
            async for line in process.stdout:
                self._take(line)
        except ValueError as error:  # what says so much is none of ours
            self.error = f"its process broke the protocol: {_short(str(error))}"
            self.kill()

    def _take(self, line: bytes) -> None:
        try:
            message = MESSAGES.validate_json(line)
        except ValidationError:
            raise ValueError(line[:100].decode(errors="replace")) from None
        match message:
            case Began(run_id=run_id):
                self.run_id = run_id
            case Stepped(progress=progress):
                self.progress = progress
            case Finished():
                self.finished = message
            case Refused(error=error):
                self.error = _short(error)

    async def _read_errors(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while chunk := await process.stderr.read(1 << 14):
            text = chunk.decode(errors="replace")
            self._last_words.extend(line[-500:] for line in text.splitlines())


def _short(text: str) -> str:
    return " ".join(text.split())[:MAX_ERROR_CHARS]


def _environment() -> dict[str, str]:
    """Our environment without our secrets, and the place that this package was loaded from."""
    place = str(Path(__file__).resolve().parents[2])
    paths = [place, *filter(None, [os.environ.get("PYTHONPATH")])]
    kept = {name: value for name, value in os.environ.items() if name not in _OURS_ALONE}
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)}
