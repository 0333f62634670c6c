"""Collects, looks at rollouts and publishes: once, or again and again until they have ended.

What fails is said and tried again with the next look: a spool that cannot be read keeps no rollout
from being looked at, and one rollout keeps no other.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from promptyard.errors import ConfigError, PromptyardError
from promptyard.line.collect import Collected, collect
from promptyard.line.publish import catch_up, publish_after
from promptyard.line.query import StoreOrUrl, opened
from promptyard.line.rollout_engine import Engine, Looked, Ticked, TickSink
from promptyard.line.rollout_finding import find_rollout
from promptyard.protocols import ProgressSink, Store
from promptyard.records.rollouts import Rollout


async def tick(
    url: StoreOrUrl,
    reference: str | None = None,
    *,
    pointer: str | None = None,
    spool: Path | None = None,
    on_progress: ProgressSink | None = None,
) -> Ticked:
    """Collect the spool, look once at a rollout, or at all that have not ended, and publish.

    What fails is said in `Ticked.trouble`. Raises NotFound for an unknown prompt. Costs no model
    call.
    """
    async with opened(url) as store:
        watched = RolloutWatch(store, await _named(store, reference, pointer), spool)
        return await watched.tick(on_progress)


async def watch(
    url: StoreOrUrl,
    reference: str | None = None,
    *,
    pointer: str | None = None,
    spool: Path | None = None,
    every_s: float = 60.0,
    on_tick: TickSink,
) -> Ticked:
    """Look every `every_s` seconds until every rollout that is watched has ended.

    Without `reference` all rollouts are watched that have not ended, those that start later
    included; where there is none yet, it is waited for. Trouble is said in `Ticked.trouble`. Raises
    NotFound for an unknown prompt, ConfigError. Costs no model call.
    """
    if not every_s > 0:
        raise ConfigError(f"a rollout is looked at every so many seconds, above 0; got {every_s}")
    loop = asyncio.get_running_loop()
    async with opened(url) as store:
        watched = RolloutWatch(store, await _named(store, reference, pointer), spool)
        while True:
            began_s = loop.time()
            ticked = await watched.tick()
            on_tick(ticked)
            if ticked.looks and not watched.n_going_on:
                return ticked
            await asyncio.sleep(max(0.0, began_s + every_s - loop.time()))


async def _named(store: Store, reference: str | None, pointer: str | None) -> Rollout | None:
    if reference is None:
        return None
    return (await find_rollout(store, reference, pointer)).rollout


class RolloutWatch:
    """The rollouts under watch, each with its engine, which has read the events so far.

    Of `named` alone, or of all that have not ended, those that start later included; `spool` is
    collected first. The store is open and stays so.
    """

    def __init__(
        self, store: Store, named: Rollout | None = None, spool: Path | None = None
    ) -> None:
        self._store = store
        self._named = named
        self._spool = spool
        self._engines: dict[str, Engine] = {}
        self._rollouts: dict[str, Rollout] = {} if named is None else {named.id: named}

    @property
    def n_going_on(self) -> int:
        """Rollouts that have not ended as far as is known; one that failed goes on."""
        return len(self._rollouts)

    async def tick(self, on_progress: ProgressSink | None = None) -> Ticked:
        """Collect, look at each rollout, publish; whatever fails is in the result."""
        troubles: list[str] = []
        collected = await self._collect(troubles, on_progress)
        await self._list(troubles)
        looks: list[Looked] = []
        for rollout in tuple(self._rollouts.values()):
            looked = await self._look(rollout, troubles)
            if looked is not None:
                looks.append(looked)
        changed = any(item.decision is not None for item in looks)
        publication = await (publish_after(self._store) if changed else catch_up(self._store))
        return Ticked(
            collected=collected,
            looks=tuple(looks),
            publication=publication,
            trouble="; ".join(troubles),
        )

    async def _collect(
        self, troubles: list[str], on_progress: ProgressSink | None
    ) -> Collected | None:
        if self._spool is None:
            return None
        if not await asyncio.to_thread(self._spool.exists):
            troubles.append(f"there is no folder {self._spool}; name the client's `record_to`")
            return None
        try:
            return await collect(self._store, self._spool, on_progress=on_progress)
        except (PromptyardError, OSError, ValueError) as error:
            troubles.append(_said(error))
            return None

    async def _list(self, troubles: list[str]) -> None:
        """Add the rollouts that have started since; those that are known go on if that fails."""
        if self._named is not None:
            return
        try:
            records = await self._store.rollouts(last_only=True)
        except (PromptyardError, OSError, ValueError) as error:
            troubles.append(_said(error))
            return
        for record in records:
            if record.is_active:
                self._rollouts.setdefault(record.rollout.id, record.rollout)

    async def _look(self, rollout: Rollout, troubles: list[str]) -> Looked | None:
        engine = self._engines.setdefault(rollout.id, Engine(self._store, rollout))
        try:
            looked = await engine.look()
        except Exception as error:  # noqa: BLE001 (whatever it is, the others are looked at)
            # An engine that was stopped half way has counted who knows what: a new one reads anew.
            del self._engines[rollout.id]
            troubles.append(f"rollout {rollout.id} of {rollout.prompt}: {_said(error)}")
            return None
        if not looked.record.is_active:
            del self._engines[rollout.id], self._rollouts[rollout.id]  # its end is said once
        return looked


def _said(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
