"""Records live events in the background: a bounded queue, one thread, a spool.

The application's thread appends a note to a queue and goes on. Trouble of the disk never reaches
it: notes wait and are tried again, and where the queue is full they are dropped and counted.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque
from typing import Any, TypeAlias

from promptyard.client.live_lines import ExposureNote, LineWriter, Note, exposure_line
from promptyard.client.sender import Sender
from promptyard.client.spool import SegmentLost, Spool

BATCH = 1_000
LINGER_S = 0.05
RETRY_S = 0.5
LOOK_UP_S = 30.0
EXIT_S = 2.0
"""How long the end of the process may wait for the disk, and for what is sent."""

_open: set[Recorder] = set()
"""Recorders with a thread. They are kept until everything is written, whoever forgot them."""


def new_owner() -> str:
    """Return a name that no other process and no other client has."""
    return f"{os.getpid()}-{os.urandom(6).hex()}"


class _Mark:
    """Stands in the queue behind everything that was recorded before a flush."""

    def __init__(self) -> None:
        self.is_durable = False
        self.done = threading.Event()


Item: TypeAlias = Note | str | _Mark
"""What waits in the queue: a note, a line that is written already, the mark of a flush."""


class Recorder:
    """Takes notes and writes them to a spool. For any number of threads.

    Attributes:
        n_dropped: notes that found the queue full, or the recorder closed.
        n_unversioned: outcomes of prompts without a version, which are not written.
        n_written: events written to the spool.
        n_lost: events whose segment somebody removed before they were made durable.
        n_faults: failures of the disk; `last_fault` is the last one in one line.
        sender: what sends the spool to a service, None where nothing does.
    """

    def __init__(
        self, spool: Spool, writer: LineWriter, *, queue_size: int, sender: Sender | None = None
    ) -> None:
        self.n_dropped = 0
        self.n_unversioned = 0
        self.n_written = 0
        self.n_lost = 0
        self.n_faults = 0
        self.last_fault = ""
        self.sender = sender
        self._spool = spool
        self._writer = writer
        self._limit = queue_size
        self._is_closed = False
        self._n_gone_before = 0
        self._begin()

    def _begin(self) -> None:
        self._queue: deque[Item] = deque()
        self._idle = True
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def n_queued(self) -> int:
        """How many notes wait to be written."""
        return len(self._queue)

    def put(self, note: Note) -> bool:
        """Leave a note; False where it is dropped. Never blocks."""
        queue = self._queue
        if len(queue) >= self._limit or self._is_closed:
            with self._lock:
                self.n_dropped += 1
            return False
        if len(queue) > self._limit // 2 and isinstance(note, ExposureNote):
            # Where one interpreter lock is shared, the thread cannot keep up with a caller that
            # never waits. So the caller writes the line, and the thread only has to store it.
            queue.append(exposure_line(note))
        else:
            queue.append(note)
        if self._idle:
            self._awake()
        return True

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything recorded so far is durable: fsynced.

        False where it is not within the time, or where events were dropped since the last flush: at
        the queue, out of a spool that is full, or with a segment that somebody removed.
        """
        n_dropped = self.n_dropped  # what is dropped from now on was not recorded so far
        mark = _Mark()
        self._queue.append(mark)
        self._hurry.set()
        self._awake()
        is_done = mark.done.wait(timeout_s)
        with self._lock:
            n_gone = n_dropped + self.n_lost + self._spool.n_dropped_events
            dropped = n_gone - self._n_gone_before
            self._n_gone_before = n_gone
        return is_done and mark.is_durable and not dropped

    def close(self, timeout_s: float) -> bool:
        """Flush, close the segment and take no more notes; in the time that is left, send them."""
        end_s = time.monotonic() + timeout_s
        is_durable = self.flush(timeout_s) if self.n_written or self._queue else True
        self._is_closed = True
        self._hurry.set()
        self._awake()
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        if self.sender is not None:
            self.sender.close(end_s - time.monotonic())
        return is_durable

    def release(self) -> None:
        """Let the thread write what waits, close the segment and end: nobody will record more.

        Takes no lock, so that it can be called when the client is collected as garbage.
        """
        self._is_closed = True
        if self.sender is not None and self._thread is None:
            self.sender.release()

    def after_fork(self) -> None:
        """Begin anew in a child: what waits is the parent's, and so is the segment."""
        self._spool.leave()
        self._spool.begin(new_owner())
        self._begin()

    def spool_state(self) -> dict[str, Any]:
        """Return what is known of the spool, for `status`."""
        try:
            n_segments, n_bytes = self._spool.sizes()
        except OSError:
            n_segments = n_bytes = None
        return {
            "folder": str(self._spool.folder),
            "segments": n_segments,
            "bytes": n_bytes,
            "dropped_bytes": self._spool.n_dropped_bytes,
            "dropped_events": self._spool.n_dropped_events,
        }

    # the thread

    def _awake(self) -> None:
        self._idle = False
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = self._started()
        self._wake.set()

    def _started(self) -> threading.Thread | None:
        thread = threading.Thread(target=self._run, name="promptyard-spool", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads: tried again at the next note
            self._note(error)
            self._idle = True
            return None
        _open.add(self)
        return thread

    def _run(self) -> None:
        this_queue = self._queue  # a fork gives the child another one
        while not (self._is_closed and not this_queue):
            self._idle = True
            if not this_queue and not self._is_closed:
                due_s = self._spool.due_in_s()
                self._wake.wait(LOOK_UP_S if due_s is None else min(due_s, LOOK_UP_S))
            self._wake.clear()
            self._idle = False
            if this_queue and not self._is_closed:
                self._hurry.wait(LINGER_S)  # others will follow: one write for all of them
            self._hurry.clear()
            while this_queue:
                self._write_batch(this_queue)
            self._try(self._spool.rotate_if_due)
            if self.sender is not None:
                self.sender.wake()
        self._try(self._spool.close)
        if self.sender is not None:
            self.sender.finish()
        _open.discard(self)
        self._thread = None

    def _write_batch(self, queue: deque[Item]) -> None:
        """Write notes up to the next mark, then honour it. Notes leave the queue once written."""
        lines: list[str] = []
        for note in list(_first(queue, BATCH)):
            if isinstance(note, _Mark):
                break
            lines.append(note if isinstance(note, str) else self._line(note))
        if lines:
            data = "".join(lines).encode("ascii")
            n_events = sum(map(bool, lines))
            while not self._try(lambda: self._spool.append(data, n_events)):
                if self._is_closed:  # there is no other disk to wait for
                    with self._lock:
                        self.n_dropped += n_events
                    break
                time.sleep(RETRY_S)
            else:
                self.n_written += n_events
            for _ in lines:
                queue.popleft()
            self._try(self._spool.rotate_if_due)
        if queue and isinstance(queue[0], _Mark):
            mark = queue[0]
            mark.is_durable = self._try(self._spool.sync)
            queue.popleft()
            mark.done.set()

    def _line(self, note: Note) -> str:
        try:
            return self._writer.line(note)
        except Exception as error:  # noqa: BLE001 - one note must not keep the others
            self._note(error)
            return ""

    def _try(self, work: Any) -> bool:
        try:
            work()
        except SegmentLost as error:
            self.n_lost += error.n_events
            self._note(error)
            return False
        except OSError as error:
            self._note(error)
            return False
        return True

    def _note(self, error: Exception) -> None:
        self.n_faults += 1
        self.last_fault = str(error) or repr(error)


def _first(queue: deque[Item], limit: int) -> list[Item]:
    """Return the first notes of a queue to which others append."""
    return [queue[index] for index in range(min(limit, len(queue)))]


def _close_all() -> None:
    for recorder in list(_open):
        recorder.close(EXIT_S)


def _after_fork() -> None:
    for recorder in list(_open):
        recorder.after_fork()
    _open.clear()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
