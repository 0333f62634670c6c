"""Where a manifest comes from: the seam between files and servers, and the file.

Everything is read with limits, and what is wrong is said in one word.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TypeAlias

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
    "unreachable",
    "unauthorized",
    "redirected",
    "refused",
    "server_error",
]
"""How a source is: `ok`, or what is wrong with it; `unread` before the first look.

Of a server: `unreachable`, no connection; `unauthorized`, the key is none or may not (401, 403);
`redirected`, to another place, where the key is not sent; `refused`, the request is (other 4xx);
`server_error`, it failed (5xx).
"""
UNREAD_POLLS = 10
"""After so many looks a file is read even if it seems unchanged: its clock may stand still."""


class SourceFault(Exception):
    """What cannot be used as a manifest: `state` in one word, the message in one line.

    `retry_after_s` is what a server asks for, None where it asks for nothing.
    """

    def __init__(
        self, state: SourceState, message: str, *, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.state: SourceState = state
        self.retry_after_s = retry_after_s


class Stamp(NamedTuple):
    """What a file system says of a file; another one means other content."""

    mtime_ns: int
    size: int
    inode: int


class WebMark(NamedTuple):
    """What a server says of a manifest, to be asked with the next time."""

    etag: str
    modified: str


Mark: TypeAlias = Stamp | WebMark
"""By what a source recognises what it said before."""


class Found(NamedTuple):
    """What a source says, and by what it recognises that."""

    data: bytes
    mark: Mark


class Source(Protocol):
    """Where a manifest comes from. `str` names it for people; `hint` says how it comes to be."""

    hint: str

    def read(self, known: Mark | None) -> Found | None:
        """Read the manifest; None where it still is what `known` marks. Raises SourceFault.

        It may take for ever: it is called in threads that can be left behind.
        """
        ...

    def has_moved(self) -> bool:
        """Whether there is another thing now than the one at which reads hang."""
        ...


class FileSource:
    """A manifest file, as the registry publishes it."""

    hint = "`promptyard prompts publish FILE` writes it"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._hung_at: Stamp | None = None
        self._n_unread = 0

    def __str__(self) -> str:
        return str(self.path)

    def read(self, known: Mark | None) -> Found | None:
        """Read the file, unless it seems to be the one that is known. Raises SourceFault."""
        stamp = stamp_of(self.path)
        if known == stamp and self._n_unread < UNREAD_POLLS:
            self._n_unread += 1
            return None
        self._hung_at = stamp  # unless it comes back
        data, stamp = read_bytes(self.path)
        self._n_unread = 0
        return Found(data, stamp)

    def has_moved(self) -> bool:
        """Whether another file has come into the place of the one at which reads hang.

        This may hang itself.
        """
        try:
            return stamp_of(self.path) != self._hung_at
        except SourceFault:  # gone, or not there yet
            return False


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
