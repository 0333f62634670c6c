"""Prompts over the network: the plain files of an export as one tar archive, and back.

What an archive says of its versions (authors, scores) is taken over as it stands, but it moves and
protects no pointer.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from promptyard.errors import PromptError, PromptyardError
from promptyard.line.exchange import (
    Imported,
    ImportWishes,
    check_folders,
    import_source,
    prompt_files,
    read_wished,
)
from promptyard.line.prompt_sources import PromptSource
from promptyard.line.query import StoreOrUrl, opened, require_prompt
from promptyard.registry.exchange.archive import END, checked_part, pack, unpack
from promptyard.registry.exchange.plain_files import file_name


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
            yield await asyncio.to_thread(pack, file_name(item), files)
        yield END


async def import_archive(
    url: StoreOrUrl, content: bytes, wishes: ImportWishes, *, file: str | None, actor: str
) -> Imported:
    """Read prompts out of a tar archive or, where `file` is its name, out of a single file.

    As `import_prompts`, without any move: who may write need not be allowed to release. Raises
    PromptError, also for a version whose bytes are not those of its digest, or ConfigError.
    """
    alone = wishes._replace(pointers=False, moves=False)
    source = await asyncio.to_thread(_read_archive, content, alone, file)
    return await import_source(url, source, alone, actor=actor)


def _read_archive(content: bytes, wishes: ImportWishes, file: str | None) -> PromptSource:
    """Read what is in an archive or a file, by way of a folder that nobody hears of."""
    with tempfile.TemporaryDirectory(prefix="promptyard-import-") as made, _named_from(made):
        folder = Path(made)
        if file is not None:
            path = folder / checked_part(file)
            path.write_bytes(content)
            source = read_wished(path, wishes)
        else:
            _write(unpack(content), folder)
            source = read_wished(folder, wishes)
    refused = tuple(line.replace(f"{made}/", "") for line in source.refused)
    return replace(source, refused=refused)


def _write(files: Iterable[tuple[Sequence[str], bytes]], folder: Path) -> None:
    for parts, content in files:
        target = folder.joinpath(*parts)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            name = "/".join(parts)
            raise PromptError(f"'{name}' in the archive is a file and a folder") from None


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
