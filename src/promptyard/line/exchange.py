"""Brings prompts into the store out of files, and writes them as plain files."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from promptyard.errors import Advised, ApprovalNeeded, ConfigError, PromptError
from promptyard.line.prompt_sources import PromptSource, read_source
from promptyard.line.publish import Publication, publish_after
from promptyard.line.query import StoreOrUrl, opened, require_prompt
from promptyard.protocols import Store
from promptyard.records.base import Record
from promptyard.records.versions import PromptVersion
from promptyard.registry.exchange.foreign import ForeignVersion
from promptyard.registry.exchange.plain_files import PlainPrompt, file_name, write_plain
from promptyard.registry.versions import check_pointer_name, promote


class ImportedPrompt(Record):
    """What became of one prompt. `numbers` maps their numbers to ours, `n_new` of them are new.

    `pointers` are those that were moved, `n_moves` the moves of the log that were made again.
    """

    name: str
    numbers: Mapping[int, int]
    n_new: int
    pointers: Mapping[str, int] = Field(default_factory=dict)
    n_moves: int = 0


class Imported(Record):
    """What became of an import.

    `format` is the tool whose files they were. `prompts` are those that are there now. `notes` say
    what was left out. `refused` has a line for each prompt that could not be had.
    """

    format: str
    prompts: tuple[ImportedPrompt, ...]
    notes: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    publication: Publication | None = None


class ImportWishes(NamedTuple):
    """How to import: see the options of `promptyard prompts import`.

    Without `moves` versions alone are taken: no pointer is moved and none protected.
    """

    format_name: str | None = None
    name: str | None = None
    syntax: str = "double"
    pointers: bool = False
    skip_refused: bool = False
    moves: bool = True

    @property
    def how_to_move(self) -> str:
        """What moves the pointers that stay."""
        return "--pointers moves them" if self.moves else "promote these versions to move them"


async def import_prompts(
    url: StoreOrUrl, path: Path, wishes: ImportWishes, *, actor: str
) -> Imported:
    """Read prompts out of a file or folder into the store, which is made if there is none.

    Everything is read and checked before anything is written. Raises PromptError or Tampered, a
    line for each prompt that cannot be had unless these are to be skipped.
    """
    source = await asyncio.to_thread(read_wished, path, wishes)
    return await import_source(url, source, wishes, actor=actor, origin=path.name)


def read_wished(path: Path, wishes: ImportWishes) -> PromptSource:
    """Read and check a file or folder. Raises PromptError or Tampered as `import_prompts` does."""
    source = read_source(
        path, format_name=wishes.format_name, name=wishes.name, syntax=wishes.syntax
    )
    refused = source.refused
    if refused and not wishes.skip_refused:
        first = refused[0]
        if source.has_prompts:
            how = "imports the others)"
            first = Advised(first, f" (--skip-refused {how}", f" (skip_refused {how}")
        raise PromptError(first, others=refused[1:])
    if not source.has_prompts:
        raise PromptError(f"{path}: there is no prompt in it")
    return source


async def import_source(
    url: StoreOrUrl, source: PromptSource, wishes: ImportWishes, *, actor: str, origin: str = ""
) -> Imported:
    """Write what was read into the store. `origin` is the file that moves of pointers speak of."""
    async with opened(url, must_exist=False) as store:
        return await _import(store, source, wishes, actor, origin)


async def export_prompts(url: StoreOrUrl, names: Sequence[str] | None, folder: Path) -> list[Path]:
    """Write prompts (None: all) as plain files, a folder each; return these folders.

    What is there already is overwritten with the same bytes: versions never change. Raises Tampered
    for a version whose bytes are not those that were registered, ConfigError for a folder that
    cannot be written.
    """
    async with opened(url) as store:
        for name in names or ():
            await require_prompt(store, name)
        chosen = list(names) if names is not None else list(await store.prompt_names())
        check_folders(chosen)
        return [await _export(store, name, folder / file_name(name)) for name in chosen]


async def prompt_files(store: Store, name: str) -> Mapping[str, bytes]:
    """Return the plain files of a prompt by their path in its folder. Raises Tampered."""
    versions = [await store.version(name, item.number) for item in await store.versions(name)]
    return write_plain(
        versions,
        await store.pointers(name),
        await store.moves(name),
        await store.protections(name),
    )


async def _export(store: Store, name: str, folder: Path) -> Path:
    files = await prompt_files(store, name)
    try:
        for path, content in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    except OSError as error:
        raise ConfigError(
            f"{folder}: cannot be written ({error.strerror or error}); choose another folder"
        ) from None
    return folder


def check_folders(names: Iterable[str]) -> None:
    """Raise ConfigError where two prompts would be one folder."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(file_name(name).casefold(), name)
        if other != name:
            raise ConfigError(
                f"'{other}' and '{name}' would be one folder where case does not count; export "
                "them one by one into different folders"
            )


async def _import(
    store: Store, source: PromptSource, wishes: ImportWishes, actor: str, origin: str
) -> Imported:
    notes = list(source.notes)
    done: list[ImportedPrompt] = []
    for prompt in source.plain:
        done.append(await _import_plain(store, prompt, wishes, actor, notes))
    by_name: dict[str, list[ForeignVersion]] = {}
    for version in source.foreign:
        by_name.setdefault(version.name, []).append(version)
    for name, versions in by_name.items():
        ordered = sorted(versions, key=lambda item: item.number)
        imported = await _register(store, name, ordered, source.format)
        labels = {label: imported.numbers[v.number] for v in ordered for label in v.labels}
        if wishes.pointers:
            moved = await _point(store, name, labels, actor, f"imported from {origin}", notes)
            imported = imported.model_copy(update={"pointers": moved})
        elif labels:
            notes.append(f"{name}: {_listed(labels)} stayed where they are; {wishes.how_to_move}")
        done.append(imported)
    return Imported(
        format=source.format,
        prompts=tuple(done),
        notes=tuple(notes),
        refused=source.refused,
        publication=await publish_after(store),
    )


async def _import_plain(
    store: Store, prompt: PlainPrompt, wishes: ImportWishes, actor: str, notes: list[str]
) -> ImportedPrompt:
    """Register the versions; make the moves again where nothing here contradicts them."""
    before = await store.versions(prompt.name)
    numbers: dict[int, int] = {}
    for version in prompt.versions:
        parent = numbers.get(version.parent) if version.parent is not None else None
        fresh = version.model_copy(update={"number": 0, "parent": parent})
        numbers[version.number] = (await store.add_version(fresh)).number
    made = ImportedPrompt(
        name=prompt.name,
        numbers=numbers,
        n_new=len(set(numbers.values()) - {version.number for version in before}),
    )
    keeps_numbers = all(there == here for there, here in numbers.items())
    untouched = not await store.moves(prompt.name) and not await store.protections(prompt.name)
    if wishes.moves and keeps_numbers and untouched and (not before or wishes.pointers):
        for move in prompt.moves:
            await store.move_pointer(move)
        for protection in prompt.protections:
            await store.protect(protection)
        update = {"pointers": dict(prompt.pointers), "n_moves": len(prompt.moves)}
        return made.model_copy(update=update)
    wanted = {pointer: numbers[number] for pointer, number in prompt.pointers.items()}
    here = {item.pointer: item.number for item in await store.pointers(prompt.name)}
    wanted = {pointer: number for pointer, number in wanted.items() if here.get(pointer) != number}
    if wishes.pointers:
        moved = await _point(store, prompt.name, wanted, actor, "imported", notes)
        return made.model_copy(update={"pointers": moved})
    if wanted:
        said = f"{prompt.name}: {_listed(wanted)} stayed where they are; {wishes.how_to_move}"
        notes.append(said)
    return made


async def _register(
    store: Store, name: str, versions: Sequence[ForeignVersion], format_name: str
) -> ImportedPrompt:
    before = {version.number for version in await store.versions(name)}
    numbers: dict[int, int] = {}
    parent: int | None = None
    for version in versions:
        program = version.program
        added = await store.add_version(
            PromptVersion(
                name=name,
                number=0,
                digest=program.id,
                program=program,
                author=version.author or f"imported/{format_name}",
                parent=parent,
                hypothesis=" ".join(version.message.split()),
                created_at=version.created_at,
            )
        )
        numbers[version.number] = parent = added.number
    return ImportedPrompt(name=name, numbers=numbers, n_new=len(set(numbers.values()) - before))


async def _point(
    store: Store,
    name: str,
    labels: Mapping[str, int],
    actor: str,
    reason: str,
    notes: list[str],
) -> dict[str, int]:
    """Promote pointers; what a protection or a name forbids is noted, and the rest goes on."""
    moved: dict[str, int] = {}
    for label, number in labels.items():
        try:
            check_pointer_name(label)
            await promote(store, name, number, pointer=label, actor=actor, reason=reason)
        except (ApprovalNeeded, ConfigError) as error:
            notes.append(str(error))
        else:
            moved[label] = number
    return moved


def _listed(labels: Mapping[str, int]) -> str:
    return ", ".join(f"{label} (v{number})" for label, number in labels.items())
