"""Publishes the manifest to the places where clients read it.

A place is a file. It is replaced as a whole, never by an older revision: publishers of the same
place wait for each other at a lock file beside it. A place that cannot be written is said and tried
again with the next change; what was changed stands.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field

from promptyard.client.contents import contents_of_bytes
from promptyard.client.source import MAX_BYTES, SourceFault
from promptyard.errors import ConfigError, PromptyardError, Tampered
from promptyard.line.query import StoreOrUrl, opened
from promptyard.protocols import Store
from promptyard.records.base import Record, as_object, content_hash
from promptyard.records.manifest import Manifest
from promptyard.records.versions import PromptVersion
from promptyard.registry.manifest import (
    PromptSnapshot,
    build_manifest,
    manifest_text,
    referred_numbers,
    running_rollouts,
    store_identity,
)

LOCK_TIMEOUT_S = 10.0
"""How long to wait for another publisher of the same place; writing takes milliseconds."""

LOCK_POLL_S = 0.005

MAX_READS = 20
"""How often the store is read anew where it changes meanwhile."""

MAX_MANIFEST_BYTES = 256 << 20


class Publication(Record):
    """What became of one publishing.

    `written` are the places that have the manifest of `revision` now, `newer` those that another
    publisher had brought further already. `errors` say by place why it could not be written, and
    `damaged` which versions were left out, with their pointers, because their bytes are not those
    that were registered.
    """

    revision: int
    written: tuple[str, ...] = ()
    newer: tuple[str, ...] = ()
    errors: Mapping[str, str] = Field(default_factory=dict)
    damaged: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line for each thing that a person has to see to."""
        unwritten = (
            f"the manifest was not published to {target}: {reason}"
            for target, reason in self.errors.items()
        )
        return (*unwritten, *self.damaged)


class ManifestBytes(Record):
    """The manifest of one revision as it is served. `refused` says why clients would not take it.

    `tag` is the same wherever and whenever the same content is built: the time of issue is not in
    it. `damaged` says what was left out.
    """

    revision: int
    tag: str
    content: bytes
    refused: str | None = None
    damaged: tuple[str, ...] = ()


async def manifest_bytes(store: Store) -> ManifestBytes:
    """Build the manifest of the present revision, and read it as a client would.

    Raises StorageError when the store cannot be read. Costs no model call.
    """
    manifest, damaged = await read_manifest(store)
    return await asyncio.to_thread(_manifest_bytes, manifest, damaged)


def _manifest_bytes(manifest: Manifest, damaged: tuple[str, ...]) -> ManifestBytes:
    content = manifest_text(manifest).encode()
    said = manifest.model_dump(mode="json", exclude={"issued_at", "checksum"})
    return ManifestBytes(
        revision=manifest.revision,
        tag=content_hash(said),
        content=content,
        refused=_refusal(content),
        damaged=damaged,
    )


async def publish(store: Store) -> Publication:
    """Write the manifest to all places that are registered; trouble with them is in the result.

    One that clients would refuse is written nowhere, and said.

    Raises StorageError when the store cannot be read. Costs no model call.
    """
    targets = await store.publications()
    if not targets:
        return Publication(revision=await store.revision())
    manifest, damaged = await read_manifest(store)
    text = manifest_text(manifest)
    refused = await asyncio.to_thread(_refusal, text.encode())
    if refused is not None:
        # What clients read now is better than what they would refuse, and a person must know.
        errors = dict.fromkeys(targets, f"clients would refuse it: {refused}")
        return Publication(revision=manifest.revision, errors=errors, damaged=damaged)
    written: list[str] = []
    newer: list[str] = []
    errors: dict[str, str] = {}
    for target in targets:
        try:
            there = await asyncio.to_thread(write_manifest, Path(target), manifest.revision, text)
        except (OSError, ValueError, RuntimeError) as error:  # no place keeps the others waiting
            errors[target] = _reason(error)
            continue
        if there <= manifest.revision:
            written.append(target)
        elif there <= await store.revision():
            newer.append(target)
        else:
            errors[target] = (
                f"it holds revision {there}, this store has only {manifest.revision}: it comes "
                "from another store or a later state of this one; remove the file to replace it"
            )
    return Publication(
        revision=manifest.revision,
        written=tuple(written),
        newer=tuple(newer),
        errors=errors,
        damaged=damaged,
    )


def _refusal(content: bytes) -> str | None:
    """Say why a client would refuse these bytes, by its own reader; None where it takes them."""
    if len(content) > MAX_BYTES:
        return f"more than {MAX_BYTES:,} bytes; take pointers off prompts that nobody serves"
    try:
        contents_of_bytes(content)
    except SourceFault as fault:
        return str(fault)
    return None


async def publish_after(store: Store) -> Publication:
    """Publish what has just been changed; as the change stands, nothing is raised."""
    try:
        return await publish(store)
    except (PromptyardError, OSError, ValueError) as error:  # a row that cannot be read, too
        return Publication(revision=0, errors={"any place": _first_line(error)})


async def catch_up(store: Store) -> Publication | None:
    """Publish again where a place is behind the store; None where all are at its revision.

    A place could not be written when the last change was made. Nothing is raised.
    """
    try:
        revision = await store.revision()
        places = [Path(target) for target in await store.publications()]
    except PromptyardError as error:
        return Publication(revision=0, errors={"any place": str(error)})
    there = [await asyncio.to_thread(published_revision, place) for place in places]
    return None if all(item == revision for item in there) else await publish_after(store)


async def publish_to(url: StoreOrUrl, target: Path) -> Publication:
    """Register a file as a place to publish to, making its folder, then publish everywhere.

    Raises ConfigError for a place that cannot be a file, NotFound where there is no store.
    """
    place = _place(target)
    if place.is_dir():
        raise ConfigError(f"{place} is a folder; name a file in it: {place / 'manifest.json'}")
    async with opened(url) as store:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = _reason(error)
            raise ConfigError(
                f"the folder {place.parent} cannot be made: {reason}; choose another place"
            ) from None
        await store.set_publication(str(place), active=True)
        return await publish(store)


async def stop_publishing(url: StoreOrUrl, target: Path) -> str:
    """Take a place out; its file stays as it is. Raises ConfigError naming the places there are."""
    place = str(_place(target))
    async with opened(url) as store:
        known = await store.publications()
        if place not in known:
            raise ConfigError(
                f"nothing is published to {place}; published to: {', '.join(known) or 'nowhere'}"
            )
        await store.set_publication(place, active=False)
        return place


async def list_publications(url: StoreOrUrl) -> Mapping[str, int | None]:
    """Return by place the revision that its file has; None where it has none that can be read."""
    async with opened(url) as store:
        targets = await store.publications()
    return {target: await asyncio.to_thread(published_revision, Path(target)) for target in targets}


async def read_manifest(store: Store) -> tuple[Manifest, tuple[str, ...]]:
    """Build the manifest of the present revision; and say what had to be left out of it.

    Moves and decisions count the revision, so what is read between two equal readings of it belongs
    to it. A store that changes faster than that is read at a revision that is, at worst, too low.
    """
    revision = await store.revision()
    for _ in range(MAX_READS):
        prompts, damaged = await _snapshots(store)
        after = await store.revision()
        if after == revision:
            break
        revision = after
    else:
        prompts, damaged = await _snapshots(store)
    issued_at = datetime.now(UTC).isoformat(timespec="seconds")
    moves = [log[0] for name in prompts if (log := await store.moves(name))]
    manifest = build_manifest(
        prompts, revision=revision, issued_at=issued_at, store=store_identity(moves)
    )
    return manifest, damaged


async def _snapshots(store: Store) -> tuple[dict[str, PromptSnapshot], tuple[str, ...]]:
    prompts: dict[str, PromptSnapshot] = {}
    damaged: list[str] = []
    for name in await store.prompt_names():
        pointers = await store.pointers(name)
        if not pointers:
            continue
        rollouts = running_rollouts(await store.rollouts(name, last_only=True), pointers)
        versions: dict[int, PromptVersion] = {}
        for number in referred_numbers(pointers, rollouts):
            try:
                versions[number] = await store.version(name, number)
            except Tampered as error:
                damaged.append(
                    f"version {number} of prompt '{name}' was left out of the manifest: "
                    f"{_first_line(error)}"
                )
        prompts[name] = PromptSnapshot(
            versions=tuple(versions.values()),
            pointers=[item for item in pointers if item.number in versions],
            rollouts=[
                record
                for record in rollouts
                if {record.rollout.control, record.rollout.treatment} <= versions.keys()
            ],
        )
    return prompts, tuple(damaged)


def write_manifest(target: Path, revision: int, text: str) -> int:
    """Replace a manifest, unless a newer one is there; return the revision that is there then.

    Durable when it returns: the file is synced before it takes its place, the folder after. Raises
    OSError, with the old file in its place.
    """
    from filelock import FileLock

    if not target.parent.is_dir():
        raise FileNotFoundError(f"the folder {target.parent} is gone")
    with FileLock(f"{target}.lock", timeout=LOCK_TIMEOUT_S, poll_interval=LOCK_POLL_S):
        there = published_revision(target)
        if there is not None and there > revision:
            return there
        _replace(target, text.encode("utf-8"))
    return revision


def published_revision(target: Path) -> int | None:
    """Return the revision of a manifest that is there and whole, else None."""
    try:
        if target.stat().st_size > MAX_MANIFEST_BYTES:
            return None
        value = as_object(json.loads(target.read_bytes()))
        # What is no number of JSON, NaN or 1e999, is read but has no canonical form to hash.
        if value is None or value.get("checksum") != Manifest.checksum_of(value):
            return None
    except (OSError, ValueError, RecursionError):
        return None
    revision = value.get("revision")
    return revision if isinstance(revision, int) else None


def _replace(target: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(_mode(target))
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _mode(target: Path) -> int:
    """Return the permissions of the file that is replaced; a new one can be read by everybody."""
    try:
        return target.stat().st_mode & 0o777
    except OSError:
        return 0o644


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every system can sync a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _place(target: Path) -> Path:
    try:
        return target.expanduser().resolve()
    except (ValueError, RuntimeError, OSError) as error:
        raise ConfigError(f"{target!s}: not a place for a file: {_first_line(error)}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, TimeoutError):
        return f"another publisher has held it for {LOCK_TIMEOUT_S:.0f} s; try again later"
    return _first_line(error)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
