"""What a store does with the events of live traffic: a part of the store contract."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from promptyard.errors import StorageError
from promptyard.protocols import Store
from promptyard.records.live import LiveEvent, StoredEvent
from promptyard.testing.store_suite import (
    N_CONCURRENT,
    UNUSUAL_TEXTS,
    StoreSuite,
    raises,
    sample_exposure,
    sample_feedback,
    sample_outcome,
)


class LiveContract(StoreSuite):
    """Exposures, outcomes and feedback; see `promptyard.testing.StoreContract`."""

    def test_events_come_back_as_they_went_in(self) -> None:
        """With ascending numbers and their time; content may be any text, lone surrogates too."""
        outcomes = [
            sample_outcome(
                f"o{number}", output=text, inputs={"text": text}, features={"output_chars": 2.0}
            )
            for number, text in enumerate(UNUSUAL_TEXTS)
        ]
        events = [sample_exposure("e1"), *outcomes, sample_feedback("f1", "o1", comment="\ud800")]

        async def body(store: Store) -> None:
            assert await store.add_live_events(events) == len(events)
            stored = await store.live_events("support")
            assert [item.event for item in stored] == events
            numbers = [item.seq for item in stored]
            assert numbers == sorted(set(numbers))
            assert all(item.stored_at for item in stored)
            assert await store.live_events("other") == []

        self.with_store(body)

    def test_an_event_counts_once(self) -> None:
        """However often it is sent, and whatever a later one of the same id says."""

        async def body(store: Store) -> None:
            first = sample_outcome("o1", output="first")
            again = sample_outcome("o1", output="again")
            assert await store.add_live_events([]) == 0
            assert await store.add_live_events([first, again]) == 1
            assert await store.add_live_events([again, sample_outcome("o2"), first]) == 1
            counts = await asyncio.gather(
                *(store.add_live_events([sample_outcome("o3"), again]) for _ in range(8))
            )
            assert sum(counts) == 1
            found = {item.event.id: item.event for item in await store.live_events("support")}
            assert list(found) == ["o1", "o2", "o3"]
            assert found["o1"] == first

        self.with_store(body)

    def test_events_are_read_in_pages(self) -> None:
        """`after` is left out, `through` included; what comes later is read on from there."""

        async def body(store: Store) -> None:
            events = [sample_outcome(f"o{number:02}") for number in range(20)]
            await store.add_live_events(events)
            stored = await store.live_events("support")
            first = await store.live_events("support", limit=7)
            assert first == stored[:7]
            rest = await store.live_events("support", after=first[-1].seq)
            assert rest == stored[7:]
            middle = await store.live_events(
                "support", after=stored[3].seq, through=stored[9].seq, limit=100
            )
            assert middle == stored[4:10]

        self.with_store(body)

    def test_a_rollout_has_its_events_and_the_feedback_on_them(self) -> None:
        """Others of the prompt stay out, as does feedback that names another prompt."""

        async def body(store: Store) -> None:
            here = {"rollout_id": "rollout-1"}
            events: Sequence[LiveEvent] = (
                sample_exposure("e1"),
                sample_outcome("o1", **here),
                sample_outcome("o2"),
                sample_outcome("o3", rollout_id="rollout-2"),
                sample_exposure("e2", rollout_id="rollout-2"),
                sample_feedback("f1", "o1"),
                sample_feedback("f2", "o2"),
                sample_feedback("f3", "o3"),
                sample_feedback("f4", "unknown"),
                sample_feedback("f5", "o1", prompt="other"),
            )
            await store.add_live_events(events)
            await store.add_live_events([sample_feedback("f6", "o1", source="judge")])
            assert _ids(await _events(store)) == ["e1", "o1", "f1", "f6"]
            other = await store.live_events("support", rollout_id="rollout-2")
            assert _ids(other) == ["o3", "e2", "f3"]
            assert len(await store.live_events("support")) == 10

        self.with_store(body)

    def test_feedback_without_an_outcome_is_counted(self) -> None:
        """Until its outcome comes, under the same prompt; one in no rollout joins as well."""

        async def body(store: Store) -> None:
            assert await store.unjoined_feedback() == 0
            events: Sequence[LiveEvent] = (
                sample_exposure("e1"),
                sample_outcome("o1", rollout_id="rollout-1"),
                sample_outcome("o2"),
                *(sample_feedback(f"f-{outcome}", outcome) for outcome in ("o1", "o2", "o3", "e9")),
                sample_feedback("f5", "o1", prompt="other"),
            )
            await store.add_live_events(events)
            assert await store.unjoined_feedback() == 3
            assert await store.unjoined_feedback("support") == 2
            assert await store.unjoined_feedback("other") == 1
            await store.add_live_events([sample_outcome("o3", rollout_id="rollout-1")])
            assert await store.unjoined_feedback("support") == 1

        self.with_store(body)

    def test_feedback_may_come_before_its_outcome(self) -> None:
        """It then stands behind the outcome: who reads on sees the same as who starts anew."""

        async def body(store: Store) -> None:
            here = {"rollout_id": "rollout-1"}
            await store.add_live_events([sample_feedback("f1", "o1"), sample_exposure("e1")])
            seen = list(await _events(store))
            assert _ids(seen) == ["e1"]
            seen += await _events(store, after=seen[-1].seq)
            late = [sample_feedback("f2", "o1"), sample_outcome("o1", **here)]
            await store.add_live_events([*late, sample_outcome("o2", **here)])
            seen += await _events(store, after=seen[-1].seq)
            assert _ids(seen) == ["e1", "o1", "o2", "f2", "f1"]
            assert seen == await _events(store)
            assert await store.add_live_events([sample_feedback("f1", "o1")]) == 0
            assert len(await store.live_events("support")) == 5

        self.with_store(body)

    def test_numbers_ascend_in_the_order_of_commits(self) -> None:
        """Who has read up to a number misses nothing below it, however many write at once."""

        async def body(store: Store) -> None:
            seen: list[StoredEvent] = []
            writers = [
                asyncio.ensure_future(
                    store.add_live_events(
                        [sample_outcome(f"o{w}-{n}", rollout_id="rollout-1") for n in range(3)]
                    )
                )
                for w in range(N_CONCURRENT)
            ]
            while not all(writer.done() for writer in writers):
                seen += await _events(store, after=seen[-1].seq if seen else 0)
            seen += await _events(store, after=seen[-1].seq if seen else 0)
            assert len(seen) == 3 * N_CONCURRENT
            assert seen == await _events(store)

        self.with_store(body)

    def test_events_whose_names_cannot_be_stored_are_refused(self) -> None:
        """All of a call or nothing: the caller sorts out what is unusable."""

        async def body(store: Store) -> None:
            for bad in ("a\x00b", "\ud800", "a" * 10_000):
                for event in (
                    sample_outcome(bad),
                    sample_outcome("o1", prompt=bad),
                    sample_outcome("o1", rollout_id=bad),
                    sample_feedback("f1", bad),
                ):
                    with raises(StorageError):
                        await store.add_live_events([sample_outcome("good"), event])
            assert await store.live_events("support") == []

        self.with_store(body)


def _ids(events: Sequence[StoredEvent]) -> list[str]:
    return [item.event.id for item in events]


async def _events(store: Store, after: int = 0) -> Sequence[StoredEvent]:
    return await store.live_events("support", rollout_id="rollout-1", after=after)
