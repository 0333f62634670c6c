"""Resolves prompts for who cannot do it in the process: by the same view and hashes as the client.

A subject that meets an arm of a rollout is recorded before it is answered, once per replica; its
id is that which a client would give it, so it counts once whoever records it.
"""

from __future__ import annotations

import asyncio
import time

from promptyard.client.contents import contents_of_bytes
from promptyard.client.live_lines import ExposureNote, exposure_line
from promptyard.client.resolved import ResolvedPrompt
from promptyard.client.view import Seen, Split, View
from promptyard.errors import NotFound, StorageError
from promptyard.protocols import Store
from promptyard.records.live import Arm, Exposure
from promptyard.service.manifest import ManifestBoard
from promptyard.stats.assignment import written


class Resolver:
    """The present view of pointers and rollouts, made of the manifest that clients get."""

    def __init__(self, store: Store, manifest: ManifestBoard) -> None:
        self._store = store
        self._manifest = manifest
        self._view: View | None = None
        self._etag = ""
        self._building = asyncio.Lock()
        self._seen: dict[str, Seen] = {}

    async def view(self) -> View:
        """Return what is served now. Raises StorageError where there is nothing yet."""
        served = await self._manifest.get()
        if served is None:
            raise StorageError(f"nothing can be served yet: {self._manifest.trouble}")
        if self._view is None or self._etag != served.etag:
            async with self._building:
                if self._view is None or self._etag != served.etag:
                    contents = await asyncio.to_thread(contents_of_bytes, served.content)
                    self._view = View(contents, "source", None, seen=self._seen)
                    self._etag = served.etag
                    for gone in self._seen.keys() - self._view.rollout_ids():
                        del self._seen[gone]
        return self._view

    async def resolve(
        self, name: str, *, subject: str | None, pointer: str, expose: bool
    ) -> ResolvedPrompt:
        """Resolve a prompt; with `expose` the subject's meeting with its arm is recorded.

        Raises NotFound saying what exists.
        """
        view = await self.view()
        entry = view.entries.get((name, pointer))
        if entry is None:
            prompt = view.contents.prompts.get(name)
            if prompt is None:
                known = ", ".join(sorted(view.contents.prompts)) or "none"
                raise NotFound(f"no prompt '{name}' is served; served: {known}")
            known = ", ".join(sorted(prompt.pointers))
            raise NotFound(f"no pointer '{pointer}' of '{name}'; it has: {known}")
        split = entry.split
        arm = split.arm_of(written(subject)) if split is not None and subject else None
        if split is None or subject is None or arm is None:
            return ResolvedPrompt(entry.served, "pointer", None, subject)
        if expose:
            await self._expose(split, subject, arm)
        return ResolvedPrompt(split.served(arm), "split", None, subject, arm, split.rollout_id)

    async def _expose(self, split: Split, subject: str, arm: Arm) -> None:
        bits, seen = split.arm_hash.bits(written(subject)), split.seen
        if bits in seen.young or bits in seen.old:
            return
        line = exposure_line(ExposureNote(split, subject, arm, "split", time.time()))
        await self._store.add_live_events([Exposure.model_validate_json(line)])
        seen.add(bits)
