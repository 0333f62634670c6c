"""The snapshot: the last good manifest on the disk of this machine, for a start without source."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

from promptyard.client.contents import Contents, contents_of_bytes
from promptyard.client.source import SourceFault, read_bytes
from promptyard.client.tasks import Task

CONFIRM_EVERY_S = 60.0
CLOSE_S = 1.0


class Snapshot:
    """Keeps a snapshot in the background. What could not be written is tried again.

    Attributes:
        n_faults: how often it could not be read or written.
        message: what happened last, in one line.
    """

    def __init__(self, path: Path | None) -> None:
        self.n_faults = 0
        self.message = ""
        self._path = path
        self._unsaved: tuple[bytes, Contents] | None = None
        self._confirmed_s = time.monotonic()
        self.begin()

    def begin(self) -> None:
        """Begin without a thread, as after a fork."""
        self._lock = threading.Lock()
        self._writing: Task | None = None

    def load(self) -> tuple[Contents, float] | None:
        """Return what the snapshot says and its age in seconds; None where there is none."""
        if self._path is None:
            return None
        try:
            return load_snapshot(self._path)
        except SourceFault as fault:
            if fault.state != "missing":
                self._note(str(fault))
            return None

    def keep(self, data: bytes, contents: Contents) -> None:
        """Save a manifest that is served now."""
        self._unsaved = (data, contents)
        self.confirm()

    def confirm(self) -> None:
        """The source still says what it said: save what is unsaved, else note the time."""
        path = self._path
        with self._lock:
            if path is None or not (self._writing is None or self._writing.done.is_set()):
                return
            unsaved, now = self._unsaved, time.monotonic()
            if unsaved is None and now - self._confirmed_s < CONFIRM_EVERY_S:
                return
            self._confirmed_s = now
            self._writing = Task("snapshot", lambda: self._write(path, unsaved))

    def close(self) -> None:
        """Wait a little for what is being written."""
        writing = self._writing
        if writing is not None:
            writing.done.wait(CLOSE_S)

    def _write(self, path: Path, unsaved: tuple[bytes, Contents] | None) -> None:
        try:
            if unsaved is None:
                os.utime(path)
            else:
                unsaved[1].prove_programs()
                save_snapshot(path, *unsaved)
        except SourceFault as fault:  # what is kept is better
            self._note(f"not saved: {fault}")
        except OSError as error:
            self._note(f"{path} cannot be written: {error.strerror or error}")
            return
        with self._lock:
            if self._unsaved is unsaved:
                self._unsaved = None

    def _note(self, message: str) -> None:
        with self._lock:
            self.n_faults += 1
            self.message = message


def load_snapshot(path: Path) -> tuple[Contents, float]:
    """Read a snapshot; returns what it says and its age in seconds. Raises SourceFault.

    The age is by the clock of the machine, and at least 0 whatever that clock says.
    """
    data, stamp = read_bytes(path)
    return contents_of_bytes(data), max(0.0, time.time() - stamp.mtime_ns / 1e9)


def save_snapshot(path: Path, data: bytes, contents: Contents) -> None:
    """Put a manifest in place of the snapshot, whole or not at all; an older one never.

    That of another store is replaced, whatever its revision.

    Several processes may share a snapshot. Raises OSError.
    """
    with contextlib.suppress(SourceFault):
        if load_snapshot(path)[0].is_newer_than(contents):
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with written.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        written.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            written.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


def fsync_folder(folder: Path) -> None:
    """Make renames in a folder durable, where the system can."""
    with contextlib.suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
