"""Rollouts that decide by themselves: on a real store, restarted, raced, tampered with."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from promptyard.errors import NotFound
from promptyard.line.rollout_engine import Engine, Looked, Ticked, replay_rollout
from promptyard.line.rollout_watch import tick, watch
from promptyard.line.rollouts import (
    By,
    abort_rollout,
    approve_rollout,
    pause_rollout,
    resume_rollout,
)
from promptyard.line.ship import protect_pointer
from promptyard.protocols import Store
from promptyard.records.live import Exposure
from promptyard.records.rollouts import Rollout
from support.live_traffic import SAME, WORSE, serve, served
from support.released import manifest_path, published, run, url
from support.rolling import feed, pointer_of, record_of, started, ticked
from support.spool import write_segment
from support.stores import on_store

__all__ = ["url"]


def ticked_until_the_end(
    url: str, rollout: Rollout, n: int, good: dict[str, float]
) -> list[Looked]:
    """Feed `n` subjects before each tick until the rollout ends or is blocked."""
    looks: list[Looked] = []
    while not looks or (looks[-1].record.is_active and not looks[-1].blocked):
        assert len(looks) < 30, "the rollout does not end"
        feed(url, rollout, n, good)
        looks.append(ticked(url))
    return looks


def test_equal_versions_go_up_the_steps_and_are_promoted(url: str) -> None:
    rollout = started(url)
    looks = ticked_until_the_end(url, rollout, 400, SAME)
    assert looks[0].record.last.action == "advance"
    assert looks[-1].record.last.action == "promote"
    assert pointer_of(url) == 2
    assert published(url)["pointers"] == {"production": 2}
    assert published(url)["rollouts"] == []
    record = record_of(url, rollout)
    assert record.last.state == "promoted"
    assert record.last.move is not None
    assert record.last.move.rollout_id == rollout.id
    again, replayed = run(replay_rollout(url, "p"))
    assert again == record
    assert len(replayed) == len(record.decisions) - 1
    assert all(item.equal for item in replayed), [item.differences for item in replayed]


def test_a_worse_version_is_rolled_back_and_the_pointer_stays(url: str) -> None:
    rollout = started(url)
    looked = ticked_until_the_end(url, rollout, 100, WORSE)[-1]
    assert looked.record.last.state == "rolled_back"
    assert looked.record.last.verdict == "fail"
    assert any(guard.status == "harmed" for guard in looked.record.last.guards)
    assert pointer_of(url) == 1
    assert published(url)["rollouts"] == []
    _, replayed = run(replay_rollout(url, rollout.id))
    assert all(item.equal for item in replayed)


def test_no_data_holds_and_then_reverts_and_never_promotes(url: str) -> None:
    rollout = started(url, max_age_s=0.5)
    first = ticked(url)
    assert first.record.last.state == "running"
    asyncio.run(asyncio.sleep(0.6))
    last = ticked(url)
    assert last.record.last.state == "rolled_back"
    assert pointer_of(url) == 1
    _, replayed = run(replay_rollout(url, rollout.id))
    assert all(item.equal for item in replayed)


def test_a_tick_without_news_stores_nothing(url: str) -> None:
    rollout = started(url)
    feed(url, rollout, 40, SAME)
    run(tick(url, "p"))
    n_decisions = len(record_of(url, rollout).decisions)
    for _ in range(3):
        looked = ticked(url)
        assert looked.decision is None
    assert len(record_of(url, rollout).decisions) == n_decisions


def test_a_restart_decides_what_going_on_would_have(url: str) -> None:
    """An engine that has read all events one by one and a new one see the same standing."""
    rollout = started(url, min_subjects=10_000)

    async def body(store: Store) -> None:
        going_on = Engine(store, rollout)
        for _ in range(4):
            await serve(store, rollout, 60, {"control": 0.9, "treatment": 0.85})
            await going_on.look()
        await serve(store, rollout, 60, {"control": 0.9, "treatment": 0.85})
        first = await going_on.look()
        await serve(store, rollout, 60, SAME)
        new = await Engine(store, rollout).look()
        assert new.decision is not None
        assert new.n_events == 6 * 120
        last = await going_on.look()
        assert first.n_events == 5 * 120
        assert last.record.last.through == new.decision.through
        assert last.record.last.guards == new.decision.guards

    on_store(url, body)


def test_of_two_engines_at_once_each_decision_is_one_engines(url: str) -> None:
    rollout = started(url)

    async def body(store: Store) -> None:
        one, two = Engine(store, rollout), Engine(store, rollout)
        for _ in range(40):
            await serve(store, rollout, 200, SAME)
            looks = await asyncio.gather(one.look(), two.look())
            if not all(item.record.is_active for item in looks):
                break
        record = await store.rollout(rollout.id)
        assert [item.seq for item in record.decisions] == list(range(1, record.last.seq + 1))
        assert record.last.state == "promoted"
        assert len(await store.moves("p", "production")) == 2

    on_store(url, body)
    _, replayed = run(replay_rollout(url, "p"))
    assert all(item.equal for item in replayed)


@pytest.mark.parametrize("is_by_hand", [False, True])
def test_two_engines_whose_clocks_differ_are_replayed_as_they_decided(
    url: str, monkeypatch: pytest.MonkeyPatch, is_by_hand: bool
) -> None:
    rollout = started(url, outcome_window_s=600.0, min_subjects=10_000)

    async def body(store: Store) -> None:
        await serve(store, rollout, 120, SAME)
        alone = [event for event in served(rollout, 60, SAME) if isinstance(event, Exposure)]
        await store.add_live_events(alone)
        ahead = (datetime.now(UTC) + timedelta(minutes=15)).isoformat(timespec="microseconds")
        with monkeypatch.context() as clock:
            clock.setattr("promptyard.line.rollout_engine.utc_now", lambda: ahead)
            first = await Engine(store, rollout).look()
        if is_by_hand:
            await pause_rollout(store, "p", pointer=None, by=By("ann"))
            await resume_rollout(store, "p", pointer=None, by=By("ann"))
        await serve(store, rollout, 120, SAME)
        second = await Engine(store, rollout).look()
        assert first.decision is not None
        assert second.decision is not None
        assert second.decision.at >= first.decision.at

    on_store(url, body)
    _, replayed = run(replay_rollout(url, "p"))
    assert len(replayed) == (4 if is_by_hand else 2)
    assert all(item.equal for item in replayed), [item.differences for item in replayed]


def test_a_pointer_protected_meanwhile_is_promoted_with_a_second_name_only(url: str) -> None:
    rollout = started(url)
    run(protect_pointer(url, "p", "production", actor="ann", reason=""))
    looked = ticked_until_the_end(url, rollout, 400, SAME)[-1]
    assert "canary approve p" in looked.blocked
    assert looked.record.is_active
    assert pointer_of(url) == 1
    run(approve_rollout(url, "p", pointer=None, by=By("bob")))
    looked = ticked(url)
    assert looked.record.last.state == "promoted"
    (move,) = on_store(url, lambda store: store.moves("p", "production"))[1:]
    assert (move.actor, move.approved_by) == ("canary", "bob")
    _, replayed = run(replay_rollout(url, "p"))
    assert all(item.equal for item in replayed)


def test_a_tick_collects_the_spool_first(url: str, tmp_path: Path) -> None:
    rollout = started(url)
    spool = tmp_path / "spool"
    write_segment(spool, "1", served(rollout, 300, SAME))
    found = run(tick(url, spool=spool))
    assert found.collected is not None
    assert found.collected.n_new == 600
    assert found.looks[0].decision is not None
    assert found.looks[0].decision.action == "advance"


def test_a_tick_without_a_name_looks_at_all_that_run(url: str) -> None:
    assert run(tick(url)).looks == ()
    rollout = started(url)
    (looked,) = run(tick(url)).looks
    assert looked.record.rollout == rollout
    run(abort_rollout(url, "p", pointer=None, by=By("bob")))
    assert run(tick(url)).looks == ()
    ended = ticked(url)
    assert ended.record.last.state == "aborted"
    with pytest.raises(NotFound):
        run(tick(url, "q"))


def test_what_was_not_published_is_with_the_next_tick(url: str) -> None:
    """Nobody may be left on a version that was taken back because a disk was full for a minute."""
    started(url)
    place = manifest_path(url)
    before = place.read_bytes()
    run(abort_rollout(url, "p", pointer=None, by=By("bob")))
    place.write_bytes(before)  # as if that had not been written
    found = run(tick(url))
    assert found.publication is not None
    assert found.publication.written == (str(place),)
    assert published(url)["rollouts"] == []
    assert run(tick(url)).publication is None


def test_a_watch_goes_on_until_the_end_over_trouble_and_restarts(url: str, tmp_path: Path) -> None:
    rollout = started(url)
    spool = tmp_path / "spool"
    seen: list[Ticked] = []
    numbers = itertools.count()

    class Killed(Exception):
        pass

    def on_tick(found: Ticked) -> None:
        seen.append(found)
        if len(seen) == 2:
            raise Killed
        if len(seen) == 3:
            spool.rename(tmp_path / "away")
            spool.write_text("no folder")
        elif len(seen) == 4:
            spool.unlink()
            (tmp_path / "away").rename(spool)
        if spool.is_dir() or not spool.exists():
            write_segment(spool, f"{next(numbers):03}", served(rollout, 500, SAME))

    with pytest.raises(Killed):
        run(watch(url, "p", spool=spool, every_s=0.01, on_tick=on_tick))
    last = run(watch(url, "p", spool=spool, every_s=0.01, on_tick=on_tick))
    assert "spool" in seen[3].trouble
    assert last.looks[0].record.last.state == "promoted"
    assert pointer_of(url) == 2
    _, replayed = run(replay_rollout(url, "p"))
    assert all(item.equal for item in replayed)
