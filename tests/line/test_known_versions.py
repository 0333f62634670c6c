"""Versions that telemetry names: remembered, looked up by few, and nobody's loss to others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from promptyard.line import ingest
from promptyard.line.ingest import KnownVersions
from promptyard.protocols import Store
from promptyard.records.versions import PromptVersion
from promptyard.traces.generations import PromptReference
from support.registered import TEXTS, with_store


def named(name: str) -> PromptReference:
    return PromptReference(name=name, version="1", digest="")


class Slow:
    """A store whose answers about one prompt wait until they are let go."""

    def __init__(self, store: Store, name: str) -> None:
        self.let_go = asyncio.Event()
        self.asked: list[str] = []
        self._store = store
        self._name = name

    async def prompt_names(self) -> object:
        return await self._store.prompt_names()

    async def version(self, name: str, number: int) -> PromptVersion:
        self.asked.append(name)
        if name == self._name:
            await self.let_go.wait()
        return await self._store.version(name, number)


def on_slow(work: Callable[[Slow, Store], Awaitable[None]]) -> None:
    async def body(store: Store) -> None:
        slow = Slow(store, "new")
        await work(slow, cast("Store", slow))

    with_store(body, texts=TEXTS[:1])


def test_what_one_request_evicts_is_no_loss_to_one_that_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ingest, "MAX_KNOWN", 2)
    versions = KnownVersions()

    async def work(slow: Slow, store: Store) -> None:
        assert await versions.find(store, [named("p")])
        waiting = asyncio.ensure_future(versions.find(store, [named("p"), named("new")]))
        await asyncio.sleep(0)
        await versions.find(store, [named(f"q{number}") for number in range(5)])
        slow.let_go.set()
        assert list(await waiting) == [named("p")]

    on_slow(work)


def test_many_unknown_names_cost_one_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "MAX_LOOK_UPS", 3)
    versions = KnownVersions()

    async def work(slow: Slow, store: Store) -> None:
        many = [named(f"q{number}") for number in range(5_000)]
        assert list(await versions.find(store, [*many, named("p")])) == [named("p")]
        assert slow.asked == ["p"]
        numbers = [PromptReference(name="p", version=str(n), digest="") for n in range(2, 99)]
        assert await versions.find(store, numbers) == {}
        assert len(slow.asked) == 1 + 3

    on_slow(work)
