"""Prompts over the network: the plain files of an export as one tar archive, and back.

An archive is data of a stranger: plain files alone are taken out of it, into a folder that is
thrown away. What it says of its versions (authors, scores) is taken over as it stands, but it moves
and protects no pointer.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import tarfile
import tempfile
from collections.abc import AsyncGenerator, Generator, Mapping
from pathlib import Path, PurePosixPath

from promptyard.errors import PromptError, PromptyardError
from promptyard.evalset.wording import one_line
from promptyard.line.exchange import (
    Imported,
    ImportWishes,
    check_folders,
    import_prompts,
    prompt_files,
)
from promptyard.line.query import StoreOrUrl, opened, require_prompt
from promptyard.registry.exchange.plain_files import file_name

MAX_FILES = 20_000
"""Files of an archive: each is a file on the disk for a moment."""
MAX_DEPTH = 4
MAX_PART = 200
_BLOCK = 512
_END = bytes(2 * _BLOCK)
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)


async def export_archive(url: StoreOrUrl, name: str | None = None) -> AsyncGenerator[bytes]:
    """Yield a tar archive of what `export_prompts` writes, of one prompt or of all: one at a time.

    Equal stores give equal bytes. Raises NotFound, or Tampered as `export_prompts` does.
    """
    async with opened(url) as store:
        if name is not None:
            await require_prompt(store, name)
        names = [name] if name is not None else list(await store.prompt_names())
        check_folders(names)
        for item in names:
            files = await prompt_files(store, item)
            yield await asyncio.to_thread(_packed, file_name(item), files)
        yield _END


async def import_archive(
    url: StoreOrUrl, content: bytes, wishes: ImportWishes, *, file: str | None, actor: str
) -> Imported:
    """Read prompts out of a tar archive or, where `file` is its name, out of a single file.

    As `import_prompts`, without any move: who may write need not be allowed to release. Raises
    PromptError, also for a version whose bytes are not those of its digest, or ConfigError.
    """
    alone = wishes._replace(pointers=False, moves=False)
    with tempfile.TemporaryDirectory(prefix="promptyard-import-") as made, _named_from(made):
        folder = Path(made)
        if file is None:
            await asyncio.to_thread(_unpack, content, folder)
            path = folder
        else:
            path = folder / _checked_part(file)
            path.write_bytes(content)
        imported = await import_prompts(url, path, alone, actor=actor)
    refused = tuple(line.replace(f"{made}/", "") for line in imported.refused)
    return imported.model_copy(update={"refused": refused})


def _packed(folder: str, files: Mapping[str, bytes]) -> bytes:
    parts: list[bytes] = []
    for path, content in files.items():
        about = tarfile.TarInfo(f"{folder}/{path}")
        about.size = len(content)
        padding = bytes(-len(content) % _BLOCK)
        parts += [about.tobuf(tarfile.PAX_FORMAT), content, padding]
    return b"".join(parts)


def _unpack(content: bytes, folder: Path) -> None:
    """Write the plain files of an archive. Raises PromptError for anything else in it."""
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for number, member in enumerate(archive, 1):
                if number > MAX_FILES:
                    raise PromptError(f"the archive holds more than {MAX_FILES:,} files")
                _unpack_member(archive, member, folder)
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise PromptError(f"the body is no tar archive that can be read: {error}") from None


def _unpack_member(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    if member.isdir():
        return  # folders are made for their files
    parts = PurePosixPath(member.name).parts
    shown = one_line(member.name[:MAX_PART])
    if member.type not in _PLAIN:
        raise PromptError(
            f"'{shown}' in the archive is no plain file; leave links and the like out"
        )
    if not 0 < len(parts) <= MAX_DEPTH:
        raise PromptError(f"'{shown}' in the archive lies too deep; pack what an export writes")
    target = folder.joinpath(*(_checked_part(part) for part in parts))
    target.parent.mkdir(parents=True, exist_ok=True)
    source = archive.extractfile(member)
    assert source is not None  # a plain file has content
    target.write_bytes(source.read())


def _checked_part(part: str) -> str:
    """Return a part of a path. Raises PromptError for what is none, or leads elsewhere."""
    if part in {"", ".", ".."} or len(part) > MAX_PART or not part.isprintable() or "/" in part:
        raise PromptError(f"'{one_line(part[:MAX_PART])}' is no name of a file")
    return part


@contextlib.contextmanager
def _named_from(folder: str) -> Generator[None]:
    """Leave the folder out of what errors say: nobody else knows it.

    Bytes that are not those of their digest are here the sender's mistake, not the store's.
    """
    try:
        yield
    except PromptyardError as error:
        if not any(folder in line for line in error.lines):
            raise
        first, *others = [
            line.replace(f"{folder}/", "").replace(folder, "the archive")
            for line in error.lines_over_http
        ]
        raise PromptError(first, others=others) from None
