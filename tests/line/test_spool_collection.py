"""A spool gets into the store: durably before it is removed, each event once, bad lines kept."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from promptyard.errors import ConfigError, StorageError
from promptyard.line.collect import ABANDONED_S, Collected, collect, collect_spool
from promptyard.protocols import Store
from promptyard.records.live import LiveEvent
from promptyard.records.runs import Progress
from promptyard.storage import open_store
from promptyard.testing.store_suite import sample_exposure, sample_feedback, sample_outcome
from support.spool import write_segment

BAD = (b"{", b'{"kind": "nothing"}')


def with_store(body: Callable[[Store], Awaitable[Any]], url: str | None = None) -> Any:
    async def opened() -> Any:
        store = open_store(url)
        await store.open()
        try:
            return await body(store)
        finally:
            await store.close()

    return asyncio.run(opened())


async def stored_ids(store: Store) -> list[str]:
    return [item.event.id for item in await store.live_events("support", limit=100_000)]


def rejected_in(spool: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in sorted((spool / "rejected").glob("*"))
        for line in path.read_text().splitlines()
    ]


def test_closed_segments_are_stored_and_removed_open_ones_stay(tmp_path: Path) -> None:
    write_segment(tmp_path, "1", [sample_exposure("e1"), sample_outcome("o1")])
    still = write_segment(tmp_path, "2", [sample_outcome("o2")], is_open=True, end=b'{"ki')

    async def body(store: Store) -> None:
        first = await collect(store, tmp_path)
        assert first == Collected(n_new=3, n_removed=1, n_left=1)
        assert await stored_ids(store) == ["e1", "o1", "o2"]
        assert [path.name for path in tmp_path.iterdir()] == [still.name]
        with still.open("ab") as file:  # the client goes on
            file.write(b'nd": ')
        assert await collect(store, tmp_path) == Collected(n_repeated=1, n_left=1)
        write_segment(tmp_path, "2", [sample_outcome("o2"), sample_outcome("o3")])
        still.unlink()
        assert await collect(store, tmp_path) == Collected(n_new=1, n_repeated=1, n_removed=1)
        assert await stored_ids(store) == ["e1", "o1", "o2", "o3"]
        assert await collect(store, tmp_path) == Collected()

    with_store(body)


def test_feedback_that_joins_no_outcome_is_counted(tmp_path: Path) -> None:
    feedback = [sample_feedback(f"f{number}", f"o{number}") for number in range(1, 4)]
    write_segment(tmp_path, "1", [sample_outcome("o1"), *feedback])

    async def body(store: Store) -> None:
        first = await collect(store, tmp_path)
        assert (first.n_feedback, first.n_unjoined) == (3, 2)
        write_segment(tmp_path, "2", [sample_outcome("o2")])
        assert (await collect(store, tmp_path)).n_unjoined == 0  # no feedback: not looked at
        write_segment(tmp_path, "3", [sample_feedback("f4", "o1")])
        assert (await collect(store, tmp_path)).n_unjoined == 1

    with_store(body)


def test_bad_lines_are_kept_once_with_their_reasons(tmp_path: Path) -> None:
    events = [sample_outcome("o1"), *BAD, b"\xff\x00", sample_outcome("o2")]
    path = write_segment(tmp_path, "1", events, is_open=True)

    async def body(store: Store) -> None:
        first = await collect(store, tmp_path)
        assert (first.n_new, first.n_rejected) == (2, 3)
        assert first.kinds == {"no_json": 2, "no_event": 1}
        again = await collect(store, tmp_path)
        assert (again.n_rejected, again.kinds) == (0, {})
        with path.open("ab") as file:
            file.write(b"more\n")
        path.rename(tmp_path / "1.jsonl")
        closed = await collect(store, tmp_path)
        assert (closed.n_rejected, closed.n_removed) == (1, 1)
        assert closed.kinds == {"no_json": 1}

    with_store(body)
    kept = rejected_in(tmp_path)
    assert [item["line_number"] for item in kept] == [2, 3, 4, 6]
    assert [item["line"].encode("utf-8", "surrogateescape") for item in kept] == [
        *BAD,
        b"\xff\x00",
        b"more",
    ]
    assert all(item["reason"] and item["segment"] == "1" for item in kept)


def test_nothing_is_removed_when_the_store_fails(tmp_path: Path) -> None:
    path = write_segment(tmp_path, "1", [sample_outcome("o1"), b"{"])

    async def body() -> None:
        store = open_store(None)
        await store.open()
        await store.close()
        with pytest.raises(StorageError):
            await collect(store, tmp_path)

    asyncio.run(body())
    assert path.exists()
    with_store(lambda store: collect(store, tmp_path))
    assert not path.exists()
    assert len(rejected_in(tmp_path)) == 1


class DyingStore:
    """A store behind which the process dies after some calls: they are durable, the rest is not."""

    def __init__(self, store: Store, n_calls: int) -> None:
        self._store = store
        self._left = n_calls

    async def add_live_events(self, events: Sequence[LiveEvent]) -> int:
        if not self._left:
            raise KeyboardInterrupt
        self._left -= 1
        return await self._store.add_live_events(events)


def test_a_collector_that_died_in_the_middle_is_taken_up(tmp_path: Path) -> None:
    spool, url = tmp_path / "spool", str(tmp_path / "store.db")
    write_segment(spool, "1", [sample_outcome(f"o{n}") for n in range(2_500)])

    async def dies(store: Store) -> None:
        await collect(DyingStore(store, 2), spool)  # pyright: ignore[reportArgumentType]

    with pytest.raises(KeyboardInterrupt):
        with_store(dies, url)

    async def goes_on(store: Store) -> None:
        assert len(await stored_ids(store)) == 2_000
        again = await collect(store, spool)
        assert (again.n_new, again.n_repeated, again.n_removed) == (500, 2_000, 1)
        assert len(await stored_ids(store)) == 2_500

    with_store(goes_on, url)


def test_two_collectors_at_once_store_everything_once(tmp_path: Path) -> None:
    for number in range(5):
        events = [sample_outcome(f"o{number}-{n}") for n in range(300)]
        write_segment(tmp_path, str(number), [*events, b"bad"])

    async def body(store: Store) -> None:
        one, two = await asyncio.gather(collect(store, tmp_path), collect(store, tmp_path))
        assert one.n_new + two.n_new == 1_500
        assert not one.errors
        assert not two.errors
        assert len(await stored_ids(store)) == 1_500

    with_store(body)
    assert len(rejected_in(tmp_path)) == 5
    assert not list(tmp_path.glob("*.jsonl"))


def test_the_segment_of_a_dead_process_is_taken_in(tmp_path: Path) -> None:
    """Its lock is free and it has long been silent; one whose owner lives stays."""
    dead = write_segment(
        tmp_path, "1", [sample_outcome("o1")], is_open=True, end=b'{"half', age_s=2 * ABANDONED_S
    )
    alive = write_segment(
        tmp_path, "2", [sample_outcome("o2")], is_open=True, age_s=2 * ABANDONED_S
    )
    fresh = write_segment(tmp_path, "3", [sample_outcome("o3")], is_open=True)
    with alive.open("rb") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX)
        found = with_store(lambda store: collect(store, tmp_path))
    assert (found.n_new, found.n_removed, found.n_left) == (3, 1, 2)
    assert (dead.exists(), alive.exists(), fresh.exists()) == (False, True, True)


def test_a_segment_that_cannot_be_read_holds_nobody_up(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    locked = write_segment(tmp_path, "1", [sample_outcome("o1")])
    locked.chmod(0)
    write_segment(tmp_path, "2", [sample_outcome("o2")])
    found = with_store(lambda store: collect(store, tmp_path))
    assert (found.n_new, found.n_removed) == (1, 1)
    assert "Permission denied" in found.errors[0]


def test_feedback_of_another_process_may_come_first(tmp_path: Path) -> None:
    write_segment(tmp_path, "1", [sample_feedback("f1", "o1")])
    write_segment(tmp_path, "2", [sample_outcome("o1", rollout_id="rollout-1")])

    async def body(store: Store) -> None:
        await collect(store, tmp_path)
        events = await store.live_events("support", rollout_id="rollout-1")
        assert [item.event.id for item in events] == ["o1", "f1"]

    with_store(body)


def test_progress_counts_the_bytes_of_a_long_folder(tmp_path: Path) -> None:
    sizes = [
        write_segment(tmp_path, str(n), [sample_outcome(f"o{n}")]).stat().st_size for n in range(3)
    ]
    seen: list[Progress] = []
    with_store(lambda store: collect(store, tmp_path, on_progress=seen.append))
    assert [(item.done, item.total) for item in seen] == [
        (sum(sizes[: n + 1]), sum(sizes)) for n in range(3)
    ]


def test_a_spool_that_is_not_there_yet_holds_nothing(tmp_path: Path) -> None:
    assert with_store(lambda store: collect(store, tmp_path / "spool")) == Collected()


def test_a_spool_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    path.write_text("")
    with pytest.raises(ConfigError, match="spool"):
        with_store(lambda store: collect(store, path))


def test_a_folder_that_is_no_spool_keeps_its_files(tmp_path: Path) -> None:
    """Naming the task's folder by mistake must not cost its cases."""
    cases = tmp_path / "cases.jsonl"
    cases.write_text('{"input": "where is my parcel", "expected": "delivery"}\n', "utf-8")

    async def body(store: Store) -> None:
        found = await collect(store, tmp_path)
        assert (found.n_removed, found.n_rejected) == (0, 0)
        assert "no segment of a client" in found.errors[0]

    with_store(body)
    assert cases.read_text("utf-8").startswith('{"input"')
    assert not (tmp_path / "rejected").exists()


def test_a_spool_that_does_not_exist_is_a_slip(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        asyncio.run(collect_spool(str(tmp_path / "runs.db"), tmp_path / "nosuch"))
