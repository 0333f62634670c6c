"""Plain files as one tar archive, and back. Pure: bytes in, bytes out.

An archive may be that of a stranger. Its headers are read one by one here, since the reader of the
standard library ends in silence at a damaged one, takes the sizes of sparse files on trust and
copies global headers for each member: a small archive could fill the memory, and half of one pass
for the whole.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from promptyard.errors import PromptError

MAX_FILES = 20_000
"""Files of an archive: each may be a file on a disk for a moment."""
MAX_DEPTH = 4
MAX_PART_BYTES = 200
MAX_HEADER_BYTES = 1 << 16
"""How long a name that has a block of its own may be, with what else stands beside it."""
MAX_SHOWN = 60
_MAX_DIGITS = 6
_BLOCK = 512
END = bytes(2 * _BLOCK)
"""What an archive ends with: one without it was cut off."""
_GZIP = b"\x1f\x8b"
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)
_OF_MACOS = "._"
"""How the files begin in which macOS packs attributes of the files beside them."""
_NAMING = (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME)


def pack(folder: str, files: Mapping[str, bytes]) -> bytes:
    """Return files of a folder as members of an archive, which `END` ends."""
    parts: list[bytes] = []
    for path, content in files.items():
        about = tarfile.TarInfo(f"{folder}/{path}")
        about.size = len(content)
        parts += [about.tobuf(tarfile.PAX_FORMAT), content, bytes(-len(content) % _BLOCK)]
    return b"".join(parts)


def unpack(content: bytes) -> Iterator[tuple[tuple[str, ...], bytes]]:
    """Yield the files of an archive, the parts of the path before the bytes.

    Together they are never longer than the archive. Raises PromptError for anything else in it than
    plain files and folders, for paths that lead elsewhere, and at its place for what is damaged or
    cut off: who writes nothing before all is read has taken nothing of half an archive.
    """
    if content.startswith(_GZIP):
        raise _damaged("it is gzip; decompress it, or send it with Content-Encoding: gzip")
    n_files, at, named = 0, 0, None
    while content[at : at + _BLOCK].strip(b"\0"):
        about = _header(content, at)
        size = 0 if about.isdir() else about.size  # a folder has no bytes, whatever is said
        body = content[at + _BLOCK : at + _BLOCK + size]
        if len(body) < size:
            raise _damaged("it was cut off")
        at += _BLOCK + size + -size % _BLOCK
        if about.type in _NAMING:
            named = _long_name(about, body) or named
            continue
        if about.type == tarfile.XGLTYPE:
            continue
        name, named = named or about.name, None
        if about.type in _PLAIN:
            n_files += 1
            if n_files > MAX_FILES:
                raise PromptError(f"the archive holds more than {MAX_FILES:,} files")
            path = _path(name)
            if not path[-1].startswith(_OF_MACOS):
                yield path, body
        elif not about.isdir():
            said = f"{_shown(name)} in the archive is no plain file; leave links and the like out"
            raise PromptError(said)
    if len(content) - at < len(END) or named is not None:
        raise _damaged("it was cut off" if content else "it is empty")
    if content[at:].strip(b"\0"):
        raise _damaged(f"something follows its end at byte {at:,}; send one archive")


def checked_part(part: str) -> str:
    """Return a part of a path. Raises PromptError for what is none, or leads elsewhere."""
    if (
        part in {"", ".", ".."}
        or "/" in part
        or not part.isprintable()
        or len(part.encode()) > MAX_PART_BYTES
    ):
        raise PromptError(f"{_shown(part)} is no name of a file")
    return part


def _header(content: bytes, at: int) -> tarfile.TarInfo:
    try:
        about = tarfile.TarInfo.frombuf(content[at : at + _BLOCK], "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError):
        raise _damaged(f"there is no header at byte {at:,}") from None
    if about.size < 0 or (about.type in _NAMING and about.size > MAX_HEADER_BYTES):
        raise _damaged(f"the header at byte {at:,} gives a size that cannot be")
    return about


def _long_name(about: tarfile.TarInfo, body: bytes) -> str | None:
    """Read the name that the next member has, where the header does not hold it."""
    if about.type == tarfile.GNUTYPE_LONGNAME:
        return body.rstrip(b"\0").decode("utf-8", "surrogateescape")
    name, at = None, 0
    while at < len(body):
        blank = body.find(b" ", at, at + _MAX_DIGITS + 1)
        length = body[at:blank] if blank > at else b""
        end = at + int(length) if length.isdigit() else 0
        key, found, value = body[blank + 1 : end].partition(b"=")
        if not found or not value.endswith(b"\n") or end > len(body):
            raise _damaged("a header of it cannot be read")
        if key == b"size" or key.startswith(b"GNU.sparse."):
            raise PromptError("the archive holds a sparse file or a huge one; pack plain files")
        if key == b"path":
            name = value[:-1].decode("utf-8", "surrogateescape")
        at = end
    return name


def _path(name: str) -> tuple[str, ...]:
    parts = PurePosixPath(name).parts
    if not 0 < len(parts) <= MAX_DEPTH:
        said = f"{_shown(name)} in the archive lies too deep; pack what an export writes"
        raise PromptError(said)
    return tuple(checked_part(part) for part in parts)


def _shown(text: str) -> str:
    return repr(text[:MAX_SHOWN])


def _damaged(how: str) -> PromptError:
    return PromptError(f"the body is no tar archive that can be read: {how}")
