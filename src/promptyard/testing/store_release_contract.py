"""What a store does with rollouts, decisions and alerts: a part of the store contract."""

from __future__ import annotations

import asyncio
from typing import Any

from promptyard.errors import ApprovalNeeded, Conflict, NotFound, StorageError
from promptyard.protocols import Store
from promptyard.records.alerts import Alert
from promptyard.records.rollouts import Decision, GuardReading, LiveBaseline, RatioReading
from promptyard.records.versions import MoveRequest
from promptyard.testing.store_suite import (
    UNUSUAL_TEXTS,
    StoreSuite,
    raises,
    rollout_of_two,
    sample_decision,
    sample_move,
    sample_protection,
)


class RolloutContract(StoreSuite):
    """Rollouts, their decisions, alerts; see `promptyard.testing.StoreContract`."""

    def test_a_rollout_comes_back_with_its_decisions(self) -> None:
        """Every number, also infinite bounds; in order; and the last one alone where asked."""

        async def body(store: Store) -> None:
            rollout = await rollout_of_two(store, reason=UNUSUAL_TEXTS[3])
            first = sample_decision(1)
            started = await store.start_rollout(rollout, first)
            assert (started.rollout, started.decisions) == (rollout, (first,))
            second = await store.decide(_measured_decision(2))
            record = await store.rollout("rollout-1")
            assert (record.rollout, record.decisions) == (rollout, (first, second))
            assert second == _measured_decision(2)
            short = await store.rollout("rollout-1", last_only=True)
            assert (short.rollout, short.decisions) == (rollout, (second,))
            assert await store.rollouts() == await store.rollouts("support") == [record]
            assert await store.rollouts("support", last_only=True) == [short]
            assert await store.rollouts("other") == await store.rollouts("other", last_only=True)
            with raises(NotFound, "rollout-1"):
                await store.rollout("rollout-2")

        self.with_store(body)

    def test_a_rollout_starts_from_where_the_pointer_is(self) -> None:
        """Unknown versions, false digests and a pointer elsewhere are refused; nothing is left."""

        async def body(store: Store) -> None:
            rollout = await rollout_of_two(store)
            for changed, error, said in (
                ({"treatment": 9}, NotFound, r"\b9\b"),
                (
                    {"control": 3, "control_digest": (await store.version("support", 3)).digest},
                    Conflict,
                    "version 1",
                ),
                ({"pointer": "staging"}, Conflict, "not set"),
                ({"treatment_digest": "f" * 64}, Conflict, "digest"),
                ({"prompt": "other"}, NotFound, "other"),
            ):
                with raises(error, said):
                    await store.start_rollout(
                        rollout.model_copy(update=changed), sample_decision(1)
                    )
            for first in (sample_decision(2), sample_decision(1, rollout_id="rollout-2")):
                with raises(Conflict):
                    await store.start_rollout(rollout, first)
            assert await store.rollouts() == []

        self.with_store(body)

    def test_a_pointer_has_one_rollout_at_a_time(self) -> None:
        """A second one waits for the end of the first; other pointers are free; ids are unique."""

        async def body(store: Store) -> None:
            rollout = await rollout_of_two(store)
            await store.start_rollout(rollout, sample_decision(1))
            other = rollout.model_copy(update={"id": "rollout-2"})
            second = sample_decision(1, rollout_id="rollout-2")
            with raises(Conflict, "rollout-1.*has not ended"):
                await store.start_rollout(other, second)
            await store.move_pointer(sample_move(None, 1, pointer="staging"))
            staging = rollout.model_copy(update={"id": "rollout-3", "pointer": "staging"})
            await store.start_rollout(staging, sample_decision(1, rollout_id="rollout-3"))
            await store.decide(sample_decision(2, state="aborted", action="abort"))
            with raises(Conflict, "already"):
                await store.start_rollout(rollout, sample_decision(1))
            await store.start_rollout(other, second)
            ids = [record.rollout.id for record in await store.rollouts("support")]
            assert ids == ["rollout-1", "rollout-3", "rollout-2"]

        self.with_store(body)

    def test_a_decision_has_the_next_number(self) -> None:
        """A number that is there, or leaves one out, is refused, as is an unknown rollout."""

        async def body(store: Store) -> None:
            await store.start_rollout(await rollout_of_two(store), sample_decision(1))
            for seq in (0, 1, 3):
                with raises(Conflict, "look again"):
                    await store.decide(sample_decision(seq))
            with raises(NotFound):
                await store.decide(sample_decision(2, rollout_id="rollout-2"))
            await store.decide(sample_decision(2))
            assert len((await store.rollout("rollout-1")).decisions) == 2

        self.with_store(body)

    def test_decisions_and_versions_are_read_in_parts_from_the_newest(self) -> None:
        """Below a number, so many; none below the first, and none of what is not there."""

        async def body(store: Store) -> None:
            await store.start_rollout(await rollout_of_two(store), sample_decision(1))
            made = [sample_decision(1), *[await store.decide(sample_decision(n)) for n in (2, 3)]]
            assert await store.decisions("rollout-1") == made[::-1]
            assert await store.decisions("rollout-1", limit=2) == [made[2], made[1]]
            assert await store.decisions("rollout-1", before=2) == [made[0]]
            assert await store.decisions("rollout-1", before=1) == []
            assert await store.decisions("rollout-2") == []
            both = list(await store.versions("support"))
            assert await store.newest_versions("support") == both[::-1]
            assert await store.newest_versions("support", limit=1) == both[-1:]
            assert await store.newest_versions("support", before=2) == both[:1]
            assert await store.newest_versions("other") == []

        self.with_store(body)

    def test_nothing_is_decided_after_the_end(self) -> None:
        """Whatever ended it: promoted, rolled back and aborted rollouts stay as they are."""

        async def body(store: Store) -> None:
            rollout = await rollout_of_two(store)
            ends = (("roll_back", "rolled_back"), ("abort", "aborted"), ("promote", "promoted"))
            for number, (action, state) in enumerate(ends):
                name = f"rollout-{number}"
                move = sample_move(1, 2, rollout_id=name) if state == "promoted" else None
                await store.start_rollout(
                    rollout.model_copy(update={"id": name}), sample_decision(1, rollout_id=name)
                )
                end = sample_decision(2, rollout_id=name, action=action, state=state, move=move)
                await store.decide(end)
                with raises(Conflict, "has ended"):
                    await store.decide(sample_decision(3, rollout_id=name))
                assert len((await store.rollout(name)).decisions) == 2

        self.with_store(body)

    def test_the_move_of_a_decision_is_made_with_it(self) -> None:
        """Decision, pointer and log of moves change together."""

        async def body(store: Store) -> None:
            await store.start_rollout(await rollout_of_two(store), sample_decision(1))
            promoted = await store.decide(_promotion(2))
            assert promoted.move is not None
            assert promoted.move.moved_at
            (pointer,) = await store.pointers("support")
            assert pointer.number == 2
            assert (await store.moves("support"))[-1] == promoted.move
            assert (await store.rollout("rollout-1")).last == promoted

        self.with_store(body)

    def test_action_state_and_move_of_a_decision_say_the_same(self) -> None:
        """A hold moves nothing, a promotion moves, and a rollback moves back only."""

        async def body(store: Store) -> None:
            await store.start_rollout(await rollout_of_two(store), sample_decision(1))
            promoted = _promotion(2)
            back = sample_move(1, 2, kind="rollback")
            for unfit, said in (
                ({"move": None}, "no move"),
                ({"action": "hold", "state": "running"}, "with a move"),
                ({"action": "hold"}, "do not fit"),
                ({"state": "running"}, "do not fit"),
                ({"action": "abort", "state": "aborted"}, "with a move"),
                ({"action": "roll_back", "state": "rolled_back"}, "with a move"),
                ({"action": "roll_back", "state": "rolled_back", "move": back}, "rolls back from"),
            ):
                with raises(Conflict, said):
                    await store.decide(promoted.model_copy(update=unfit))
            assert len((await store.rollout("rollout-1")).decisions) == 1
            assert [item.number for item in await store.pointers("support")] == [1]

        self.with_store(body)

    def test_a_refused_move_leaves_no_decision(self) -> None:
        """The pointer moved under its feet, or it is not the rollout's: nothing is written."""

        async def body(store: Store) -> None:
            await store.start_rollout(await rollout_of_two(store), sample_decision(1))
            for foreign in (
                sample_move(1, 3),
                sample_move(None, 2, pointer="staging"),
                sample_move(1, 2, prompt="other"),
            ):
                with raises(Conflict, "nothing else"):
                    await store.decide(_promotion(2).model_copy(update={"move": foreign}))
            await store.move_pointer(sample_move(1, 3))
            before = await store.revision()
            with raises(Conflict, "at version 3"):
                await store.decide(_promotion(2))
            assert len((await store.rollout("rollout-1")).decisions) == 1
            assert len(await store.moves("support")) == 2
            assert await store.revision() == before

        self.with_store(body)

    def test_a_rollout_behind_a_protected_pointer_waits_for_a_second_name(self) -> None:
        """It neither starts running, nor runs, nor promotes on the word of who started it."""

        async def body(store: Store) -> None:
            rollout = await rollout_of_two(store)
            await store.protect(sample_protection(is_protected=True))
            with raises(ApprovalNeeded, "canary approve"):
                await store.start_rollout(rollout, sample_decision(1))
            await store.start_rollout(rollout, sample_decision(1, state="awaiting_approval"))
            for name in ("ann", ""):
                with raises(ApprovalNeeded):
                    await store.decide(sample_decision(2, action="approve", actor=name))
            await store.decide(sample_decision(2, action="approve", actor="bob"))
            for name in ("", "ann"):
                with raises(ApprovalNeeded):
                    await store.decide(_promotion(3, approved_by=name))
            (pointer,) = await store.pointers("support")
            assert pointer.number == 1
            await store.decide(_promotion(3, approved_by="bob"))
            (pointer,) = await store.pointers("support")
            assert pointer.number == 2

        self.with_store(body)

    def test_of_decisions_at_once_one_counts(self) -> None:
        """Two engines that looked at the same state cannot both act on it."""

        async def body(store: Store) -> None:
            await store.start_rollout(await rollout_of_two(store), sample_decision(1))
            results = await asyncio.gather(
                *(store.decide(sample_decision(2, actor=f"a{n}")) for n in range(8)),
                return_exceptions=True,
            )
            assert sum(isinstance(result, Decision) for result in results) == 1
            assert sum(isinstance(result, Conflict) for result in results) == 7
            record = await store.rollout("rollout-1")
            assert [decision.seq for decision in record.decisions] == [1, 2]

        self.with_store(body)

    def test_alerts_come_newest_first(self) -> None:
        """Each as it was found, with its time; of one prompt; no more than asked for."""

        async def body(store: Store) -> None:
            added = [
                await store.add_alert(
                    Alert(
                        prompt="support",
                        kind="threshold",
                        metric="latency_p95_s",
                        value=float(number),
                        limit=1.0,
                        sentence=UNUSUAL_TEXTS[3],
                        at="2026-01-01T00:00:00Z" if number == 0 else "",
                    )
                )
                for number in range(3)
            ]
            assert added[0].at == "2026-01-01T00:00:00Z"
            assert all(alert.at for alert in added)
            assert await store.alerts("support") == list(reversed(added))
            assert await store.alerts("support", limit=1) == [added[2]]
            assert await store.alerts("other") == []

        self.with_store(body)

    def test_names_of_releases_that_cannot_be_stored_are_refused(self) -> None:
        """As everywhere in the store: an error of the caller, and the same on every database."""

        async def body(store: Store) -> None:
            rollout = await rollout_of_two(store)
            for name in ("a\x00b", "\ud800", "a" * 10_000):
                with raises(StorageError):
                    await store.start_rollout(
                        rollout.model_copy(update={"id": name}), sample_decision(1)
                    )
                with raises(StorageError):
                    await store.decide(sample_decision(2, rollout_id=name))
                with raises(StorageError):
                    await store.request_move(MoveRequest(id=name, move=sample_move(1, 2)))
            for place in ("/a\x00b", "/\ud800"):
                with raises(StorageError):
                    await store.set_publication(place, active=True)
            long = "/" + "a" * 1_000
            await store.set_publication(long, active=True)
            assert await store.publications() == [long]

        self.with_store(body)


def _promotion(seq: int, **fields: Any) -> Decision:
    move = sample_move(1, 2, actor="canary", rollout_id="rollout-1", **fields)
    return sample_decision(seq, state="promoted", action="promote", verdict="pass", move=move)


def _measured_decision(seq: int) -> Decision:
    reading = GuardReading(
        dimension="score",
        status="open",
        margin=0.03,
        worse=-1,
        n_control=120,
        n_treatment=118,
        mean_control=0.8,
        mean_treatment=0.79,
        difference=-0.01,
        low=float("-inf"),
        high=float("inf"),
        sentence=UNUSUAL_TEXTS[4],
    )
    ratio = RatioReading(n_control=120, n_treatment=118, n_both=0, log_e=-1.5, is_alarm=False)
    return sample_decision(
        seq,
        guards=(reading,),
        ratio=ratio,
        baseline=LiveBaseline(n_outcomes=240, latency_p95_s=1.25),
        through=2**40,
        reasons=UNUSUAL_TEXTS,
    )
