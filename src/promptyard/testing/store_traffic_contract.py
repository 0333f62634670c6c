"""What a store does when it deletes traffic: a part of the store contract."""

from __future__ import annotations

import asyncio
from functools import partial

from promptyard.protocols import Store
from promptyard.records.traffic import TrafficSums, TrafficTotals, added
from promptyard.testing.store_service_contract import sample_span
from promptyard.testing.store_suite import (
    StoreSuite,
    sample_exposure,
    sample_feedback,
    sample_outcome,
)

_EARLIER = "2000-01-01T00:00:00.000000+00:00"
_LATER = "2999-01-01T00:00:00.000000+00:00"
_EVER = {"since": "0", "until": "9"}


async def _all(store: Store, name: str = "support") -> TrafficTotals:
    """Add up what was deleted of a prompt and what is there."""
    folded = await store.folded_hours(name, **_EVER)
    sums = TrafficSums()
    after = 0
    while True:
        hours, after = await store.present_hours(name, after=after, through=10**9, limit=3)
        for item in hours:
            sums.add(item.key, item.totals)
        if not after:
            return added([*folded, *sums.hours])


class TrafficContract(StoreSuite):
    """Totals by hours, and what is deleted into them; see `promptyard.testing.StoreContract`."""

    def test_what_is_deleted_stays_in_its_hours(self) -> None:
        """In steps of any size, however many delete at once: all of it, and nothing twice."""
        outcomes = [
            sample_outcome(f"o{n}", latency_s=0.1 * n, error="timeout" if n == 3 else "")
            for n in range(20)
        ]
        said = [
            sample_feedback(f"f{n}", f"o{n % 5}", scores={"score": n / 20}, at=_LATER)
            for n in range(10)
        ]
        orphan = sample_feedback("orphan", "nowhere")

        async def body(store: Store) -> None:
            await store.add_live_events([*outcomes, *said[:5]])
            await store.add_live_events([*said[5:], orphan])
            before = await _all(store)
            assert before.n_outcomes == 20
            assert before.n_errors == 1
            dry = await store.fold_events(None, before=_LATER, limit=7, dry_run=True)
            assert dry.n_outcomes == 7
            assert await store.folded_hours("support", **_EVER) == []
            first = await store.fold_events(None, before=_LATER, limit=3)
            assert (first.n_outcomes, first.n_feedback, first.is_done) == (3, 6, False)
            assert await _all(store) == before
            left = await asyncio.gather(
                *(store.fold_events(None, before=_LATER, limit=n) for n in (4, 50, 2))
            )
            assert sum(item.n_outcomes for item in left) == 17
            assert sum(item.n_feedback for item in left) == 5
            assert left[1].is_done
            assert await store.live_events("support") == []
            assert await _all(store) == before

        self.with_store(body)

    def test_however_much_was_said_of_an_outcome_it_counts_once(self) -> None:
        """The latest score of each name, also where more was said than a step takes.

        What another prompt's feedback says of an outcome of that name is not of it.
        """
        names = ("score", "tone", "length")
        said = [
            sample_feedback(f"f{n}", f"o{n % 2}", scores={names[n % 3]: n / 60}) for n in range(60)
        ]
        foreign = sample_feedback("f-other", "o0", prompt="other", scores={"score": 0.0})

        async def body(store: Store) -> None:
            await store.add_live_events([sample_outcome(f"o{n}", scores={}) for n in range(3)])
            await store.add_live_events([*said, foreign])
            before = await _all(store)
            assert {name: item.n for name, item in before.scores.items()} == dict.fromkeys(names, 2)
            found = await asyncio.gather(
                *(store.fold_events(None, before=_LATER, limit=7) for _ in range(3))
            )
            assert sum(item.n_outcomes for item in found) == 3
            assert sum(item.n_feedback for item in found) == 60
            assert await _all(store) == before
            assert await store.live_events("support") == []
            assert [item.event for item in await store.live_events("other")] == [foreign]

        self.with_store(body)

    def test_events_go_by_their_rollout_and_their_time(self) -> None:
        """Those of other rollouts stay, and those that are not old enough."""
        shown = sample_exposure("e1", rollout_id="r1")
        events = [
            shown,
            sample_outcome("o1", rollout_id="r1", arm="treatment"),
            sample_outcome("o2", rollout_id="r2", arm="control"),
            sample_outcome("o3"),
            sample_feedback("f1", "o1"),
        ]

        async def body(store: Store) -> None:
            await store.add_live_events(events)
            assert list(await store.event_rollouts()) == ["r1", "r2"]
            none = await store.fold_events("r1", before=_EARLIER)
            assert (none.n_outcomes, none.is_done) == (0, True)
            found = await store.fold_events("r1", before=_LATER)
            assert (found.n_outcomes, found.n_exposures, found.n_feedback) == (1, 1, 1)
            left = [item.event.id for item in await store.live_events("support")]
            assert left == ["o2", "o3"]
            hours = await store.folded_hours("support", **_EVER)
            assert {item.key.arm for item in hours} == {"treatment", shown.arm}

        self.with_store(body)

    def test_the_number_at_a_time_is_that_of_the_last_event_before_it(self) -> None:
        """As they were stored; 0 where there is none."""

        async def body(store: Store) -> None:
            assert await store.event_number_at(_LATER) == 0
            for number in range(6):
                await store.add_live_events([sample_outcome(f"o{number}")])
            stored = await store.live_events("support")
            assert await store.event_number_at(_LATER) == stored[-1].seq
            assert await store.event_number_at(stored[0].stored_at) == 0
            for item in stored[1:]:
                number = await store.event_number_at(item.stored_at)
                before = [row.seq for row in stored if row.stored_at < item.stored_at]
                assert number == max(before, default=0)

        self.with_store(body)

    def test_a_sample_is_the_same_each_time_and_has_the_feedback(self) -> None:
        """Drawn by outcomes: a larger share holds a smaller one; exposures are in none."""
        outcomes = [sample_outcome(f"o{n}") for n in range(200)]
        said = [sample_feedback(f"f{n}", f"o{n}") for n in range(200)]

        async def body(store: Store) -> None:
            await store.add_live_events([sample_exposure("e1"), *outcomes, *said])
            everything = await store.live_events("support")
            assert await store.n_events("support") == 401
            assert await store.n_events("support", after=everything[-3].seq) == 2
            assert await store.n_events("other") == 0
            assert await store.event_sample("support", share=1.0) == (list(everything[1:]), 0)
            parts: dict[float, set[str]] = {}
            for share in (0.25, 0.5):
                ids: list[str] = []
                after = 0
                while True:
                    page, after = await store.event_sample(
                        "support", share=share, after=after, limit=50
                    )
                    ids += [item.event.id for item in page]
                    if not after:
                        break
                assert len(ids) == len(set(ids))
                assert {f"f{name[1:]}" for name in ids if name[0] == "o"} == {
                    name for name in ids if name[0] == "f"
                }
                assert 0.6 * share < len(ids) / 400 < 1.4 * share
                parts[share] = set(ids)
            assert parts[0.25] < parts[0.5]

        self.with_store(body)

    def test_spans_go_by_their_time_and_their_number(self) -> None:
        """The newest stay; how many there were, and how many failed, is known by version."""
        spans = [
            sample_span(n, prompt="support" if n % 2 else None, version=n % 2 or None)
            for n in range(10)
        ]
        spans[3] = spans[3].model_copy(update={"status": "error"})

        async def body(store: Store) -> None:
            await store.add_spans(spans, [])
            many = partial(store.fold_spans, before=_EARLIER, spare_from=_LATER)
            none = await many(keep=10)
            assert (none.n_spans, none.is_done) == (0, True)
            dry = await many(keep=4, dry_run=True)
            assert dry.n_spans == 6
            step = await many(keep=4, limit=5)
            assert (step.n_spans, step.is_done) == (5, False)
            last = await many(keep=4, after=step.after)
            assert (last.n_spans, last.is_done) == (1, True)
            assert [item.span for item in reversed(await store.spans())] == spans[6:]
            assert (await many(before=_LATER, keep=100)).n_spans == 4
            named = added(await store.folded_hours("support", **_EVER))
            unnamed = added(await store.folded_hours("", **_EVER))
            assert (named.n_spans, named.n_span_errors) == (5, 1)
            assert (unnamed.n_spans, unnamed.n_span_errors) == (5, 0)

        self.with_store(body)

    def test_spans_that_may_be_sent_again_stay(self) -> None:
        """However old and however many they are said to be."""

        async def body(store: Store) -> None:
            await store.add_spans([sample_span(n) for n in range(3)], [])
            await store.add_spans([sample_span(n) for n in range(3, 5)], [])
            stored = list(reversed(await store.spans()))
            fold = partial(store.fold_spans, keep=1, before=_LATER)
            assert (await fold(spare_from=_EARLIER)).n_spans == 0
            found = await fold(spare_from=stored[3].stored_at)
            assert (found.n_spans, found.is_done) == (3, True)
            assert list(reversed(await store.spans())) == stored[3:]

        self.with_store(body)
