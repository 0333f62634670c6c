"""A step of counting or deleting spans costs what it counts, however many are there."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path

import pytest

from promptyard.protocols import Store
from promptyard.testing.store_service_contract import sample_span
from support.store_operations import surround_operations
from support.stores import on_store

EARLIER = "2000-01-01T00:00:00.000000+00:00"
LATER = "2999-01-01T00:00:00.000000+00:00"
LIMIT = 20
PER_CALL = 20
"""SQLite calls back after so many instructions of its machine."""


async def fold(store: Store) -> int:
    done = await store.fold_spans(
        before=EARLIER, keep=100, spare_from=LATER, after=0, limit=LIMIT, dry_run=False
    )
    return done.n_spans


async def count(store: Store) -> int:
    hours, _ = await store.present_spans("p", after=0, through=10**9, limit=LIMIT)
    return sum(item.totals.n_spans for item in hours)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for every `PER_CALL` instructions that SQLite has run since it was cleared."""
    made: list[int] = []

    @contextlib.contextmanager
    def counting_calls(raw: sqlite3.Connection) -> Generator[None]:
        raw.set_progress_handler(lambda: made.append(1), PER_CALL)
        yield
        raw.set_progress_handler(None, 0)

    surround_operations(monkeypatch, counting_calls)
    return made


@pytest.mark.parametrize("step", [fold, count])
def test_a_step_costs_no_more_where_there_are_ten_times_the_spans(
    tmp_path: Path, calls: list[int], step: Callable[[Store], Awaitable[int]]
) -> None:
    def n_calls(n_spans: int) -> int:
        async def body(store: Store) -> int:
            some = [sample_span(n, prompt="p", version=1) for n in range(n_spans)]
            await store.add_spans(some, [])
            calls.clear()
            assert await step(store) == LIMIT
            return len(calls)

        return on_store(str(tmp_path / f"{n_spans}.db"), body)

    few, many = n_calls(500), n_calls(5_000)
    assert few > 10
    assert many < 1.5 * few
