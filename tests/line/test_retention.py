"""Retention: what is deleted stays in its hours; rollouts can be replayed as promised."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from promptyard.config.service_shape import RetentionConfig
from promptyard.errors import NotFound
from promptyard.line.jobs import change_job, ended
from promptyard.line.retention import prune
from promptyard.line.rollout_engine import replay_rollout
from promptyard.line.rollout_watch import RolloutWatch
from promptyard.line.rollouts import By, start_rollout
from promptyard.line.traffic import traffic_hours
from promptyard.protocols import Store
from promptyard.records.audit import AuditEntry
from promptyard.records.jobs import Job
from promptyard.records.live import Feedback, Outcome
from promptyard.records.rollouts import LiveBaseline, Rollout, RolloutPlan
from promptyard.records.traffic import TrafficTotals, added
from promptyard.testing.store_service_contract import sample_span
from support.live_traffic import WORSE, serve
from support.released import run, url
from support.stores import on_store

__all__ = ["url"]

KEPT = RetentionConfig(trace_days=30, max_spans=1_000, outcome_days=90, keep_rollouts_days=180)
PLAN = RolloutPlan(
    steps=(50.0, 100.0),
    min_subjects=20,
    min_step_s=0.0,
    baseline=LiveBaseline(n_outcomes=200, latency_p95_s=2.0, cost_p999_usd=1.0),
    outcome_window_s=1e-3,
)


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="microseconds")


def outcome(number: int) -> Outcome:
    values = {"latency_s": 0.01 * number, "cost_usd": 0.001, "scores": {"score": 0.5}}
    return Outcome.model_validate(
        {"id": f"x{number}", "prompt": "p", "version": 1, "digest": "d", "at": "", **values}
    )


async def total(store: Store) -> TrafficTotals:
    return added(await traffic_hours(store, "p"))


async def rolled_back(store: Store) -> Rollout:
    """Start a rollout, let 600 subjects meet it, and have it rolled back."""
    record = await start_rollout(store, "p", "v2", pointer="production", plan=PLAN, by=By("ann"))
    await serve(store, record.rollout, 600, WORSE)
    await RolloutWatch(store).tick()
    assert (await store.rollout(record.rollout.id)).last.state == "rolled_back"
    return record.rollout


def test_a_rollout_can_be_replayed_as_long_as_it_is_kept(url: str) -> None:
    async def body(store: Store) -> None:
        rollout = await rolled_back(store)
        await store.add_live_events([outcome(n) for n in range(700)])
        await store.add_spans([sample_span(n, prompt="p", version=1) for n in range(50)], [])
        before = await total(store)
        assert (before.n_outcomes, before.n_spans) == (1300, 50)

        dry = await prune(store, KEPT, now=in_days(100), dry_run=True)
        assert await total(store) == before
        found = await prune(store, KEPT, now=in_days(100))
        assert found == dry
        assert (found.n_outcomes, found.n_spans, found.kept_rollouts) == (700, 50, 1)
        assert await total(store) == before
        _, replayed = await replay_rollout(store, rollout.id)
        assert replayed
        assert all(item.equal for item in replayed)
        assert (await prune(store, KEPT, now=in_days(179))).n_rows == 0

        found = await prune(store, KEPT, now=in_days(181))
        assert (found.n_outcomes, found.n_exposures, found.kept_rollouts) == (600, 600, 0)
        assert await total(store) == before
        with pytest.raises(NotFound, match="cannot be replayed: its events have been deleted"):
            await replay_rollout(store, rollout.id)
        assert await store.live_events("p") == []
        arms = {item.key.arm for item in await traffic_hours(store, "p")}
        assert arms == {"", "control", "treatment"}
        assert (await prune(store, KEPT, now=in_days(999))).n_rows == 0

    on_store(url, body)


def test_events_of_a_rollout_go_together_however_long_it_lasted(url: str) -> None:
    async def body(store: Store) -> None:
        rollout = await rolled_back(store)
        with contextlib.closing(sqlite3.connect(url)) as file, file:
            long_ago = "UPDATE live_events SET stored_at = ? WHERE id <= 100"
            file.execute(long_ago, (in_days(-50),))
        kept = RetentionConfig(outcome_days=60, keep_rollouts_days=1)
        assert (await prune(store, kept, now=in_days(20))).kept_rollouts == 1
        _, replayed = await replay_rollout(store, rollout.id)
        assert all(item.equal for item in replayed)
        assert (await prune(store, kept, now=in_days(61))).n_exposures == 600

    on_store(url, body)


def test_a_rollout_that_has_not_ended_keeps_its_events(url: str) -> None:
    async def body(store: Store) -> None:
        record = await start_rollout(
            store, "p", "v2", pointer="production", plan=PLAN, by=By("ann")
        )
        await serve(store, record.rollout, 10, WORSE)
        found = await prune(store, KEPT, now=in_days(10_000))
        assert (found.n_rows, found.kept_rollouts) == (0, 1)

    on_store(url, body)


def test_only_the_newest_spans_stay(url: str) -> None:
    async def body(store: Store) -> None:
        await store.add_spans([sample_span(n) for n in range(1_300)], [])
        found = await prune(store, KEPT, now=in_days(1))
        assert found.n_spans == 300
        stored = await store.spans(limit=2_000)
        assert [item.span for item in reversed(stored)] == [
            sample_span(n) for n in range(300, 1300)
        ]

    on_store(url, body)


def test_spans_of_the_last_hour_stay_however_many_they_are(url: str) -> None:
    async def body(store: Store) -> None:
        await store.add_spans([sample_span(n) for n in range(700)], [])
        an_hour_later = in_days(1 / 24)
        await store.add_spans([sample_span(n) for n in range(700, 1_300)], [])
        few = KEPT.model_copy(update={"max_spans": 100})
        assert (await prune(store, few)).n_spans == 0
        dry = await prune(store, few, now=an_hour_later, dry_run=True)
        assert await prune(store, few, now=an_hour_later) == dry
        assert dry.n_spans == 700
        assert len(await store.spans(limit=2_000)) == 600
        assert (await prune(store, few, now=in_days(1))).n_spans == 500

    on_store(url, body)


def test_what_is_sent_again_within_an_hour_counts_once(url: str) -> None:
    """However little is kept: a sender that had no answer sends again."""
    least = RetentionConfig(
        trace_days=1e-9, max_spans=1, outcome_days=1e-9, keep_rollouts_days=1e-9
    )

    async def body(store: Store) -> None:
        spans = [sample_span(n, prompt="p", version=1) for n in range(5)]
        outcomes = [outcome(n) for n in range(5)]
        for _ in range(3):
            await store.add_spans(spans, outcomes)
            assert (await prune(store, least)).n_rows == 0
        counted = await total(store)
        assert (counted.n_spans, counted.n_outcomes) == (5, 5)
        found = await prune(store, least, now=in_days(1 / 24))
        assert (found.n_spans, found.n_outcomes) == (5, 5)
        assert await total(store) == counted

    on_store(url, body)


def test_jobs_go_a_while_after_their_end(url: str) -> None:
    order = {"kind": "eval", "task": "t", "requested_by": "ada", "created_at": in_days(-900)}

    async def body(store: Store) -> None:
        for number in range(45):
            await store.add_job(Job.model_validate({"id": f"j{number}", **order}))
        for number in range(2, 45):
            await change_job(store, f"j{number}", lambda job: ended(job, "done"))
        assert (await prune(store, KEPT, now=in_days(29))).n_jobs == 0
        assert (await prune(store, KEPT, now=in_days(31), dry_run=True)).n_jobs == 43
        assert (await prune(store, KEPT, now=in_days(31))).n_jobs == 43
        assert [job.id for job in await store.jobs()] == ["j1", "j0"]

    on_store(url, body)


def test_the_audit_log_says_once_a_day_that_it_was_shortened(url: str) -> None:
    act = AuditEntry(actor="ada", action="promote", target="prompts/p", status=200)

    async def body(store: Store) -> None:
        for _ in range(1_200):
            await store.add_audit(act)
        assert (await prune(store, KEPT, now=in_days(400.5))).n_audit == 0
        due = in_days(401.5)
        assert (await prune(store, KEPT, now=due, dry_run=True)).n_audit == 1_200
        assert (await prune(store, KEPT, now=due, actor="bob")).n_audit == 1_200
        (said,) = await store.audit()
        assert (said.actor, said.action, said.target) == ("bob", "prune_audit", "audit")
        assert said.detail["n"] == 1_200
        assert str(said.detail["before"]) < in_days(1.6)
        assert (await prune(store, KEPT, now=in_days(400))).n_audit == 0
        assert await store.audit() == [said]

    on_store(url, body)


def test_what_was_to_go_from_the_audit_log_goes_after_an_interruption(url: str) -> None:
    act = AuditEntry(actor="ada", action="promote", target="prompts/p", status=200)

    async def body(store: Store) -> None:
        await store.add_audit(act)
        says = act.model_copy(update={"action": "prune_audit"})
        said = await store.shorten_audit(says, before=in_days(1))
        assert (await prune(store, KEPT)).n_audit == 1
        assert await store.audit() == [said]

    on_store(url, body)


def test_while_it_deletes_nothing_is_counted_twice_or_missing(url: str) -> None:
    """Others write and read meanwhile: every reading finds what was written before it began."""

    async def body(store: Store) -> None:
        await store.add_live_events([outcome(n) for n in range(3_000)])
        seen: list[int] = []
        pruning = asyncio.ensure_future(prune(store, KEPT, now=in_days(100)))
        n_written = 3_000
        while not pruning.done():
            said = Feedback(id=f"f{n_written}", prompt="p", outcome_id=f"x{n_written}", at="")
            n_written += 1
            await store.add_live_events([outcome(n_written - 1), said])
            seen.append((await total(store)).n_outcomes - n_written)
        assert seen  # how often depends on the machine
        assert set(seen) == {0}
        deleted = pruning.result().n_outcomes
        assert 3_000 <= deleted <= n_written

    on_store(url, body)
    assert run(prune(url, KEPT)).n_rows == 0
