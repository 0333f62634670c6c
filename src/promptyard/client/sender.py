"""Sends what stands in the spool to a service, in a thread, and removes what is acknowledged.

The spool is the buffer: what a service cannot take stays there, for a later attempt, a later
process of the same folder, or `promptyard traces collect`. An event counts once by its id, so
whatever is in doubt is sent again.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from promptyard.client.address import Address
from promptyard.client.backoff import Backoff
from promptyard.client.source import SourceFault, SourceState
from promptyard.client.spool import CLOSED, OPEN, Spool, close_abandoned

if TYPE_CHECKING:
    from promptyard.client.web import Line

try:
    import fcntl
except ImportError:  # not on Windows: there two processes may send the same segment
    fcntl = None

CHUNK_BYTES = 1 << 20
"""How much is sent at once, before it is compressed."""
READ_BYTES = 2 << 20
LINGER_S = 0.5
"""How long to wait for more before something new is sent."""
LOOK_UP_S = 30.0
FOREIGN_S = 30.0
"""How old a closed segment of another process has to be: its own sends it first."""
BYTE_S = 10.0
TOTAL_S = 60.0
FIRST_S, MOST_S = 1.0, 60.0
"""The waits before another attempt, the first and the longest that we choose ourselves."""
REJECTED = "rejected"
MAX_ANSWER_BYTES = 1 << 20


_senders: weakref.WeakSet[Sender] = weakref.WeakSet()


class _Segment(NamedTuple):
    """A file of the spool. `name` is the same while it is open and afterwards."""

    name: str
    path: Path
    is_open: bool


class _Answer(NamedTuple):
    n_new: int
    n_repeated: int
    rejected: Sequence[dict[str, Any]]
    n_rejected: int


class Sender:
    """Sends the segments of a spool. Nothing of it is ever waited for but in `close`.

    Attributes:
        n_new: events that the service has stored; `n_repeated` it had before.
        n_rejected: lines that it took for no events; they stand in the folder `rejected`.
        n_requests: requests that were acknowledged.
        n_faults: those that were not; `state` and `message` say how the last one went.
        sent_s: when something was acknowledged last, by the monotonic clock.
    """

    def __init__(self, spool: Spool, address: Address) -> None:
        self.n_new = 0
        self.n_repeated = 0
        self.n_rejected = 0
        self.n_requests = 0
        self.n_faults = 0
        self.state: SourceState = "unread"
        self.message = ""
        self.sent_s: float | None = None
        self.url = address.reports or ""
        self._key = address.key
        self._spool = spool
        self._chunk_bytes = CHUNK_BYTES
        self._begin()
        _senders.add(self)

    def _begin(self) -> None:
        self._is_closed = False
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._line: Line | None = None
        self._file: int | None = None
        self._offsets: dict[str, int] = {}

    def wake(self) -> None:
        """There may be something to send. Never blocks."""
        if self._thread is None and not self._is_closed:
            with self._lock:
                if self._thread is None:
                    self._thread = self._started()
        self._wake.set()

    def close(self, timeout_s: float) -> None:
        """Send what there is once more, for at most this time, and end."""
        self.finish()
        thread = self._thread
        if thread is not None:
            thread.join(max(0.0, timeout_s))
            if thread.is_alive() and self._line is not None:
                self._line.cut()

    def finish(self) -> None:
        """Let the thread send what there is once more, and end."""
        self._is_closed = True
        self._closing.set()
        self._wake.set()

    def release(self) -> None:
        """Let the thread end at its next look. Takes no lock: see `Recorder.release`."""
        self._is_closed = True

    def after_fork(self) -> None:
        """Begin anew in a child: thread and connection are the parent's, and so are its files."""
        if self._line is not None:
            self._line.leave()
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.close(self._file)
        is_closed = self._is_closed
        self._begin()
        self._is_closed = is_closed

    def _started(self) -> threading.Thread | None:
        thread = threading.Thread(target=self._run, name="promptyard-send", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads: tried again with the next event
            return None
        return thread

    # the thread

    def _run(self) -> None:
        backoff = Backoff(first_s=FIRST_S, most_s=MOST_S)
        while True:
            is_last = self._is_closed
            self._wake.clear()
            wait_s = self._pass(backoff)
            if is_last:
                return
            if wait_s is not None:
                self._closing.wait(wait_s)
            elif self._wake.wait(LOOK_UP_S):
                self._closing.wait(LINGER_S)

    def _pass(self, backoff: Backoff) -> float | None:
        """Send all there is; returns how long to wait where that did not go well."""
        try:
            self._spool.adopted.update(close_abandoned(self._spool.folder))
            for segment in self._segments():
                self._send(segment)
        except SourceFault as fault:
            self._note(fault.state, str(fault))
            return backoff.next(fault.retry_after_s)
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not end it
            self._note("unreadable", str(error) or repr(error))
            return backoff.next()
        backoff.reset()
        return None

    def _segments(self) -> list[_Segment]:
        """Return the segments that are ours to send, the oldest first."""
        found: list[_Segment] = []
        own, now_s = f"-{self._spool.owner}-", time.time()
        for path in self._spool.folder.glob(f"*{CLOSED}*"):
            is_own = own in path.name or path.name in self._spool.adopted
            if path.name.endswith(OPEN):
                if is_own:
                    found.append(_Segment(path.name.removesuffix(OPEN), path, is_open=True))
            elif path.name.endswith(CLOSED):
                with contextlib.suppress(FileNotFoundError):  # it has just been collected
                    # The age may be negative, if clocks differ: then it is not waited for.
                    if is_own or not 0.0 <= now_s - path.stat().st_mtime < FOREIGN_S:
                        found.append(_Segment(path.name.removesuffix(CLOSED), path, is_open=False))
        return sorted(found)

    def _send(self, segment: _Segment) -> None:
        """Send what is unsent of a segment; remove it when it is closed. Raises SourceFault."""
        try:
            file = os.open(segment.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:  # it has just been closed, or collected
            return
        self._file = file
        try:
            if not segment.is_open and _is_taken(file):
                return
            offset = self._offsets.get(segment.name, 0)
            while chunk := _chunk(file, offset, self._chunk_bytes):
                if self._post(segment.name, chunk):
                    offset += len(chunk)
                    self._offsets[segment.name] = offset
        finally:
            self._file = None
            os.close(file)
        if not segment.is_open:
            segment.path.unlink(missing_ok=True)
            self._offsets.pop(segment.name, None)

    def _post(self, name: str, chunk: bytes) -> bool:
        """Send some lines; False where they are to be sent in smaller parts. Raises SourceFault."""
        n_lines = sum(1 for line in chunk.split(b"\n") if line.strip())
        try:
            answer = self._asked(chunk, n_lines)
        except SourceFault as fault:
            if fault.state != "too_large":
                raise
            if n_lines > 1:
                self._chunk_bytes = max(1, len(chunk) // 2)
                return False
            told = {"line_number": 1, "kind": "too_long", "reason": str(fault)}
            answer = _Answer(0, 0, [told], 1)
        self.n_requests += 1
        self.n_new += answer.n_new
        self.n_repeated += answer.n_repeated
        self.n_rejected += answer.n_rejected
        self.state, self.message, self.sent_s = "ok", "", time.monotonic()
        if answer.n_rejected:
            self.message = f"{answer.n_rejected} lines were rejected: {answer.rejected[:1]}"
            self._keep(name, chunk, answer.rejected)
        return True

    def _asked(self, chunk: bytes, n_lines: int) -> _Answer:
        import gzip

        from promptyard.client.web import Line, asked, read_whole

        line = self._line = Line()
        headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
        body = gzip.compress(chunk, 6, mtime=0)
        with asked(
            self.url,
            key=self._key,
            timeout_s=BYTE_S,
            total_s=TOTAL_S,
            headers=headers,
            body=body,
            line=line,
        ) as response:
            if response is None:
                raise SourceFault("corrupt", f"{self.url} answers 304 to what was sent")
            content = read_whole(self.url, response, max_bytes=MAX_ANSWER_BYTES)
        answer = _answer_of(content)
        # What is not acknowledged line by line may be the page of some proxy, or somebody else's.
        if answer is None or answer.n_new + answer.n_repeated + answer.n_rejected != n_lines:
            raise SourceFault("corrupt", f"{self.url} does not acknowledge {n_lines:,} events")
        return answer

    def _keep(self, name: str, chunk: bytes, rejected: Sequence[dict[str, Any]]) -> None:
        """Keep rejected lines beside the spool, with the reasons, as the collector does."""
        lines = chunk.split(b"\n")
        kept: list[str] = []
        for told in rejected:
            number = told.get("line_number")
            if isinstance(number, int) and 0 < number < len(lines):
                text = lines[number - 1].decode("utf-8", "surrogateescape")
                kept.append(json.dumps({"segment": name, **told, "line": text}) + "\n")
        folder = self._spool.folder / REJECTED
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            with (folder / f"{name}{CLOSED}").open("a", encoding="ascii") as file:
                file.writelines(kept)
        except OSError as error:  # they are counted, and the others must not wait for the disk
            self._note("unreadable", f"rejected lines could not be kept: {error}")

    def _note(self, state: SourceState, message: str) -> None:
        self.n_faults += 1
        self.state, self.message = state, message


def sender_to(address: Address | None, spool: Spool) -> Sender | None:
    """Return what sends a spool to an address; None where nothing takes events there."""
    return None if address is None or address.reports is None else Sender(spool, address)


def _chunk(file: int, offset: int, most_bytes: int) -> bytes:
    """Return whole lines from there on: as many as fit, at least one, none at the end."""
    os.lseek(file, offset, os.SEEK_SET)
    data = os.read(file, READ_BYTES)
    end = data.rfind(b"\n", 0, most_bytes) + 1 or data.find(b"\n") + 1
    if not end and len(data) == READ_BYTES:  # no line of ours: the service says what it is
        return data[:-1] + b"\n"
    return data[:end]


def _is_taken(file: int) -> bool:
    """Whether another process is sending this segment."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks: what is sent twice counts once
        return False
    return False


def _answer_of(content: bytes) -> _Answer | None:
    """Read an acknowledgement; None for what is none."""
    try:
        value: Any = json.loads(content)
        counts = [value[name] for name in ("n_new", "n_repeated", "n_rejected")]
        if not all(type(count) is int and count >= 0 for count in counts):
            return None
        told: Any = value.get("rejected", [])
        rejected = [cast("dict[str, Any]", item) for item in told if isinstance(item, dict)]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return _Answer(counts[0], counts[1], rejected, counts[2])


def _after_fork() -> None:
    for sender in list(_senders):
        sender.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
