"""The spool: a folder of segments, files of one event a line, which the line collects.

A segment is written as `*.jsonl.open` and only appended to; when it is large or old enough it is
closed, that is renamed to `*.jsonl`. While it is open its owner holds a lock on it, so that others
can tell one that is in use from one that a killed process left behind.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from promptyard.client.snapshot import fsync_folder

try:
    import fcntl
except ImportError:  # not on Windows: there a segment that was left behind stays `.open`
    fcntl = None

CLOSED = ".jsonl"
OPEN = ".jsonl.open"
SEGMENT_BYTES = 4 * 1024 * 1024
SEGMENT_S = 60.0
MAX_BYTES = 256 * 1024 * 1024


class SegmentLost(OSError):
    """The open segment is no longer in the folder: somebody removed it with its events."""

    def __init__(self, n_events: int) -> None:
        super().__init__(f"{n_events} events are gone: their segment was removed from the spool")
        self.n_events = n_events


class Spool:
    """Appends lines to segments of a folder. For one thread.

    Every method may raise OSError; none leaves half a line behind.

    Attributes:
        owner: what stands in the names of its segments.
        adopted: names of segments whose process had gone, closed by this one.
        n_dropped_bytes: bytes of closed segments that were deleted to stay within `max_bytes`.
        n_dropped_events: the events in them.
    """

    def __init__(
        self,
        folder: Path,
        owner: str,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        segment_s: float = SEGMENT_S,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.folder = folder
        self.adopted: set[str] = set()
        self.n_dropped_bytes = 0
        self.n_dropped_events = 0
        self._segment_bytes = min(segment_bytes, max_bytes // 4)
        self._segment_s = segment_s
        self._max_bytes = max_bytes
        self._number = 0
        self.begin(owner)

    def begin(self, owner: str) -> None:
        """Begin without an open segment, under a name that no other process has."""
        self.owner = owner
        self._file: int | None = None
        self._path = self.folder
        self._size = 0
        self._n_events = 0
        self._opened_s = 0.0

    def append(self, lines: bytes, n_events: int) -> None:
        """Write whole lines, all or none."""
        file = self._file if self._file is not None else self._open()
        written = 0
        try:
            while written < len(lines):
                written += os.write(file, lines[written:])
        except OSError:
            self._take_back(file)
            raise
        self._size += len(lines)
        self._n_events += n_events

    def sync(self) -> None:
        """Make everything appended so far durable. Raises SegmentLost where it is gone."""
        if self._file is None:
            return
        os.fsync(self._file)
        try:
            there = self._path.stat().st_ino
        except FileNotFoundError:
            there = None
        if there != os.fstat(self._file).st_ino:
            n_events = self._n_events
            os.close(self._file)
            self.begin(self.owner)
            raise SegmentLost(n_events)

    def rotate_if_due(self) -> None:
        """Close the open segment when it is large or old enough."""
        if self._file is not None and (self._size >= self._segment_bytes or self.due_in_s() == 0.0):
            self.close()

    def due_in_s(self) -> float | None:
        """Return in how many seconds the open segment is old enough; None where there is none."""
        if self._file is None:
            return None
        return max(0.0, self._opened_s + self._segment_s - time.monotonic())

    def close(self) -> None:
        """Make the open segment durable and close it; then delete the oldest beyond the limit."""
        if self._file is None:
            return
        self.sync()
        file = self._file
        self._file = None
        try:
            if self._size:
                self._path.rename(self._path.with_suffix(""))
            else:
                self._path.unlink()
        finally:
            os.close(file)  # and with it the lock
        fsync_folder(self.folder)
        self._drop_oldest()

    def leave(self) -> None:
        """Forget the open segment, which is another process's now: that of the parent."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def sizes(self) -> tuple[int, int]:
        """Return the number of segments in the folder and their bytes."""
        sizes = [size for _, _, size in _segments(self.folder)]
        return len(sizes), sum(sizes)

    def _open(self) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.adopted.update(close_abandoned(self.folder))
        self._number += 1
        path = self.folder / f"{time.time_ns():020}-{self.owner}-{self._number:06}{OPEN}"
        new = path.with_suffix(".new")  # not seen by others before it is locked
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            _lock(file)
            new.rename(path)
        except OSError:
            os.close(file)
            raise
        fsync_folder(self.folder)
        self._file, self._path, self._opened_s = file, path, time.monotonic()
        self._size = self._n_events = 0
        return file

    def _take_back(self, file: int) -> None:
        """Remove what was written of lines that did not fit."""
        try:
            os.ftruncate(file, self._size)
        except OSError:  # half a line stays; the next lines go to another segment
            with contextlib.suppress(OSError):
                os.close(file)
            self._file = None

    def _drop_oldest(self) -> None:
        closed = sorted(item for item in _segments(self.folder) if item[1].suffix == CLOSED)
        total = sum(size for _, _, size in closed)
        for _, path, size in closed[:-1]:
            if total <= self._max_bytes:
                return
            n_events = path.read_bytes().count(b"\n")
            path.unlink(missing_ok=True)
            total -= size
            self.n_dropped_bytes += size
            self.n_dropped_events += n_events


def _segments(folder: Path) -> Iterator[tuple[int, Path, int]]:
    """Walk through the segments of a folder: when written, where, how large."""
    for path in folder.glob(f"*{CLOSED}*"):
        if path.name.endswith((CLOSED, OPEN)):
            with contextlib.suppress(FileNotFoundError):  # it has just been collected
                about = path.stat()
                yield about.st_mtime_ns, path, about.st_size


def _lock(file: int) -> bool:
    """Lock a segment; False when somebody else has it."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def close_abandoned(folder: Path) -> list[str]:
    """Close the segments whose process has gone: nobody holds their lock. Returns their names."""
    closed: list[str] = []
    for path in folder.glob(f"*{OPEN}"):
        with contextlib.suppress(OSError):  # its owner was faster
            file = os.open(path, os.O_RDWR)
            try:
                if _lock(file):
                    # Half a line was never promised to anybody.
                    os.ftruncate(file, path.read_bytes().rfind(b"\n") + 1)
                    path.rename(path.with_suffix(""))
                    closed.append(path.with_suffix("").name)
            finally:
                os.close(file)
    return closed
