"""However much was said of an outcome, others get at the store in between."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from promptyard.protocols import Store
from promptyard.records.live import Feedback
from promptyard.records.traffic import TrafficTotals, added
from promptyard.storage import live
from promptyard.storage.sql_traffic_store import SqlTrafficStore
from promptyard.testing.store_suite import sample_feedback, sample_outcome
from support.store_operations import surround_operations
from support.stores import on_store

LATER = "2999-01-01T00:00:00.000000+00:00"
EVER = {"since": "0", "until": "9"}
N = 2_000
LIMIT = 50


@pytest.fixture
def n_rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each call of the store has read as events or written, in their order."""
    counted: list[int] = []
    read_event = live.read_event

    def counting(number: int, text: str) -> Any:
        counted[-1] += 1
        return read_event(number, text)

    for module in ("event_sums", "feedback"):
        monkeypatch.setattr(f"promptyard.storage.{module}.read_event", counting)

    @contextlib.contextmanager
    def counting_changes(raw: sqlite3.Connection) -> Generator[None]:
        before = raw.total_changes
        counted.append(0)
        yield
        counted[-1] += raw.total_changes - before

    surround_operations(monkeypatch, counting_changes)
    return counted


def said(number: int) -> Feedback:
    scores = {"score": number / N, "tone": 0.25} if number % 2 else {"score": number / N}
    return sample_feedback(f"f{number}", "loud", scores=scores)


def test_an_outcome_of_which_much_was_said_goes_in_short_steps(
    tmp_path: Path, n_rows: list[int]
) -> None:
    async def body(store: Store) -> None:
        await store.add_live_events([sample_outcome("loud"), sample_outcome("quiet")])
        await store.add_live_events([said(n) for n in range(N)])
        n_rows.clear()
        hours, after = await store.present_hours("support", after=0, through=9, limit=LIMIT)
        assert after == 0
        before = added(hours)
        assert before.n_outcomes == 2
        assert before.scores["tone"].n == 1
        dry = await store.fold_events(None, before=LATER, limit=LIMIT, dry_run=True)
        assert (dry.n_outcomes, dry.n_feedback) == (2, N)
        assert await store.fold_events(None, before=LATER, limit=LIMIT) == dry
        assert added(await store.folded_hours("support", **EVER)) == before
        assert await store.live_events("support") == []

    on_store(str(tmp_path / "loud.db"), body)
    # Beside a page of feedback two outcomes are read and deleted, and their hour is written.
    assert max(n_rows) <= LIMIT + 5
    assert sum(n_rows) > 3 * N


def test_what_is_said_while_it_reads_counts_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it deletes the outcome it knows all that was said: less than a page, or more."""
    fold_once = SqlTrafficStore._fold  # pyright: ignore[reportPrivateUsage]
    coming = [[said(n) for n in range(90, 93)], [said(n) for n in range(LIMIT + 10)]]
    wanted: list[TrafficTotals] = []

    async def body(store: Store) -> None:
        async def fold(self: SqlTrafficStore, run: Any, dry_run: bool) -> Any:
            if coming:
                await store.add_live_events(coming.pop())
                hours, _ = await store.present_hours("support", after=0, through=9)
                wanted.append(added(hours))
            return await fold_once(self, run, dry_run)

        await store.add_live_events([sample_outcome("loud"), said(N)])
        monkeypatch.setattr(SqlTrafficStore, "_fold", fold)
        found = await store.fold_events(None, before=LATER, limit=LIMIT)
        assert (found.n_outcomes, found.n_feedback) == (1, 1 + LIMIT + 10 + 3)
        assert added(await store.folded_hours("support", **EVER)) == wanted[-1] != wanted[0]
        assert await store.live_events("support") == []

    on_store(str(tmp_path / "late.db"), body)
    assert not coming
