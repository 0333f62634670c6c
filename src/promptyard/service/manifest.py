"""Keeps the manifest in memory: built when the revision changes, the same bytes for everybody.

What clients would refuse is not served: they get the last good one, and the log says why.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
from typing import NamedTuple

from promptyard.errors import PromptyardError, StorageError
from promptyard.line.publish import ManifestBytes, manifest_bytes
from promptyard.protocols import Store
from promptyard.service.changes import Changes
from promptyard.service.counts import Counts

RETRY_S = 1.0
"""How long to wait before a store that failed is read again."""
FIRST_S = 5.0
"""How long a request waits for the first manifest of the process."""
GZIP_FROM_BYTES = 1024
GZIP_LEVEL = 6

log = logging.getLogger("promptyard.service")


class ServedManifest(NamedTuple):
    """One manifest as it is sent. `etag` is weak: compressed or not, it is the same manifest.

    `compressed` is None where that would not pay.
    """

    revision: int
    etag: str
    content: bytes
    compressed: bytes | None


class ManifestBoard:
    """The manifest that is served now, for any number of readers and waiters.

    Attributes:
        current: the last good manifest, None before there is one.
        trouble: why it is not that of the present revision, in one line; empty where it is.
        n_waiting: how many wait for another one: the open streams.
    """

    def __init__(self, store: Store, changes: Changes, counts: Counts) -> None:
        self.current: ServedManifest | None = None
        self.trouble = ""
        self.n_waiting = 0
        self._store = store
        self._changes = changes
        self._counts = counts
        self._turned = asyncio.Event()

    async def run(self) -> None:
        """Build the manifest whenever the revision has changed, until cancelled."""
        built = -1
        while True:
            revision = await self._changes.wait(built, timeout_s=RETRY_S)
            if revision == built:
                continue
            try:
                made = await manifest_bytes(self._store)
            except (PromptyardError, OSError, ValueError) as error:
                self._counts.store_errors += isinstance(error, StorageError)
                self._say(f"the manifest could not be built: {error}")
                await asyncio.sleep(RETRY_S)
                continue
            built = revision
            await self._take(made)

    async def get(self) -> ServedManifest | None:
        """Return what is served; None where there is nothing, after a wait at the start."""
        if self.current is None and not self.trouble:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._turned.wait(), FIRST_S)
        return self.current

    async def wait(self, etag: str, *, timeout_s: float) -> ServedManifest | None:
        """Return what is served as soon as it has another ETag, or after the time."""
        self.n_waiting += 1
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    while self.current is None or self.current.etag == etag:
                        await self._turned.wait()
        finally:
            self.n_waiting -= 1
        return self.current

    async def _take(self, made: ManifestBytes) -> None:
        for line in made.damaged:
            log.error("%s", line)
        if made.refused is not None:
            self._say(
                f"revision {made.revision}: clients would refuse the manifest: {made.refused}"
            )
            return
        self.trouble = ""
        etag = f'W/"{made.tag[:32]}"'
        if self.current is not None and self.current.etag == etag:
            return
        compressed = None
        if len(made.content) >= GZIP_FROM_BYTES:
            compressed = await asyncio.to_thread(gzip.compress, made.content, GZIP_LEVEL, mtime=0)
        self.current = ServedManifest(made.revision, etag, made.content, compressed)
        self._turn()

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            log.error("%s", trouble)
        self.trouble = trouble
        self._turn()

    def _turn(self) -> None:
        """Wake who waits: there is another manifest, or none to wait for."""
        self._turned.set()
        self._turned = asyncio.Event()
