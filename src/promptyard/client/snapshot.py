"""The snapshot: the last good manifest on the disk of this machine, for a start without source."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from promptyard.client.contents import Contents, contents_of_bytes
from promptyard.client.source import SourceFault, read_bytes


def load_snapshot(path: Path) -> tuple[Contents, float]:
    """Read a snapshot; returns what it says and its age in seconds. Raises SourceFault.

    The age is by the clock of the machine, and at least 0 whatever that clock says.
    """
    data, stamp = read_bytes(path)
    return contents_of_bytes(data), max(0.0, time.time() - stamp.mtime_ns / 1e9)


def save_snapshot(path: Path, data: bytes, revision: int) -> None:
    """Put a manifest in place of the snapshot, whole or not at all; an older one never.

    Several processes may share a snapshot. Raises OSError.
    """
    with contextlib.suppress(SourceFault):
        if load_snapshot(path)[0].revision > revision:
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


def confirm_snapshot(path: Path) -> None:
    """Note that the source still says what the snapshot does. Raises OSError."""
    os.utime(path)


def fsync_folder(folder: Path) -> None:
    """Make renames in a folder durable, where the system can."""
    with contextlib.suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
