"""Reads a manifest file, with limits, and says in one word what is wrong with it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

MAX_BYTES = 16 * 1024 * 1024
"""How large a manifest may be. What is read of it is parsed and hashed in steps that stop all other
threads of a process; these take at most tenths of a second for a file of this size."""

SourceState: TypeAlias = Literal[
    "unread",
    "ok",
    "missing",
    "unreadable",
    "hung",
    "too_large",
    "corrupt",
    "other_format",
    "tampered",
    "older",
]
"""How a source is: `ok`, or what is wrong with it; `unread` before the first look."""


class SourceFault(Exception):
    """A file that cannot be used as a manifest: `state` in one word, the message in one line."""

    def __init__(self, state: SourceState, message: str) -> None:
        super().__init__(message)
        self.state: SourceState = state


class Stamp(NamedTuple):
    """What a file system says of a file; another one means other content."""

    mtime_ns: int
    size: int
    inode: int


def stamp_of(path: Path) -> Stamp:
    """Return the stamp of a file. Raises SourceFault."""
    try:
        return _stamp(os.stat(path))  # noqa: PTH116 - beside os.fstat, in the same terms
    except OSError as error:
        raise _fault(path, error) from None


def read_bytes(path: Path, *, max_bytes: int = MAX_BYTES) -> tuple[bytes, Stamp]:
    """Read a whole file. It may block for as long as the file system does. Raises SourceFault."""
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise SourceFault("unreadable", f"{path} is no plain file")
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise _fault(path, error) from None
    if len(data) > max_bytes:
        raise SourceFault("too_large", f"{path} has more than {max_bytes:,} bytes")
    return data, _stamp(about)


def _stamp(about: os.stat_result) -> Stamp:
    return Stamp(about.st_mtime_ns, about.st_size, about.st_ino)


def _fault(path: Path, error: OSError) -> SourceFault:
    if isinstance(error, FileNotFoundError):
        return SourceFault("missing", f"{path} does not exist")
    return SourceFault("unreadable", f"{path} cannot be read: {error.strerror or error}")
