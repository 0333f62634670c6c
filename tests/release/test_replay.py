from __future__ import annotations

import random
from typing import Any

import pytest

from promptyard.records.rollouts import Decision, RolloutRecord
from promptyard.release.look import look
from promptyard.release.replay import replay
from promptyard.release.tally import Tally
from support.rollout_events import Spool, a_record, a_rollout, at, decided

PLAN: dict[str, Any] = {
    "steps": (20, 50, 100),
    "min_subjects": 40,
    "min_step_s": 1800,
    "baseline_outcomes": 50,
}


def released(good: float, *, seed: int = 3, hours: int = 40) -> tuple[RolloutRecord, Spool]:
    """A rollout as the engine drives it: a look an hour over drawn traffic, trouble included."""
    rng = random.Random(seed)
    spool = Spool()
    record = a_record(a_rollout(**PLAN))
    tally = Tally(record.rollout)
    n_seen = 0
    for hour in range(1, hours):
        for _ in range(160):
            arm, share = rng.choice([("control", 0.95), ("treatment", good)])
            subject = f"s{len(spool.events)}"
            spool.time_s = 3600.0 * hour - 1800.0 * rng.random()
            spool.expose(subject, arm)
            for _ in range(rng.choice([0, 1, 1, 1, 1, 2]) if rng.random() < 0.05 else 1):
                stored = spool.answer(
                    subject,
                    arm,
                    float(rng.random() < share),
                    latency_s=rng.lognormvariate(0, 0.5),
                    cost_usd=rng.lognormvariate(-5, 0.4),
                )
                if rng.random() < 0.1:
                    spool.say(stored.event.id, scores={"score": rng.random()})
            if rng.random() < 0.02:
                spool.answer("stranger", arm, 0.0)
        for stored in spool.events[n_seen:]:
            tally.add(stored)
        n_seen = len(spool.events)
        decision = look(record, tally, now=at(3600.0 * hour), pointer_number=1)
        if decision is not None:
            # As the store gives it back.
            decision = Decision.model_validate_json(decision.model_dump_json())
            record = decided(record, decision)
        if not record.is_active:
            break
    return record, spool


@pytest.mark.parametrize(("good", "action"), [(0.95, "promote"), (0.6, "roll_back")])
def test_a_rollout_is_found_again_in_its_events(good: float, action: str) -> None:
    record, spool = released(good)
    assert record.last.action == action
    spool.serve("treatment", 5, 0.0, name="after")
    found = replay(record, spool.events)
    assert [item.stored for item in found] == list(record.decisions[1:])
    assert all(item.equal and item.again is not None for item in found)
    assert found[-1].again is not None
    assert found[-1].again.guards == record.last.guards
    assert {item.stored.action for item in found} >= {action, "advance"}


def test_an_event_that_was_changed_is_noticed() -> None:
    record, spool = released(0.95)
    number, stored = next(
        (n, e) for n, e in enumerate(spool.events) if e.event.model_dump().get("scores")
    )
    forged = stored.event.model_copy(update={"scores": {"score": 0.5}})
    spool.events[number] = stored.model_copy(update={"event": forged})
    found = replay(record, spool.events)
    assert not found[0].equal
    assert any(name.startswith("guards[0].") for name in found[0].differences)


def test_an_event_that_is_gone_is_noticed() -> None:
    record, spool = released(0.6)
    found = replay(record, spool.events[:-200])
    assert any(not item.equal for item in found)


def test_a_decision_that_was_changed_is_noticed() -> None:
    record, spool = released(0.6)
    last = record.last.model_copy(update={"action": "promote", "state": "promoted"})
    forged = RolloutRecord(rollout=record.rollout, decisions=(*record.decisions[:-1], last))
    found = replay(forged, spool.events)
    assert found[-1].differences == ("action", "state")
    assert all(item.equal for item in found[:-1])


def test_decisions_of_people_are_taken_as_they_are() -> None:
    record, spool = released(0.95, hours=3)
    last = record.last
    for action, state in (("pause", "paused"), ("resume", "running")):
        by_hand = {"actor": "ann", "action": action, "state": state, "guards": ()}
        record = decided(
            record, last.model_copy(update={"seq": record.last.seq + 1, "through": 0, **by_hand})
        )
    tally = Tally(record.rollout)
    spool.serve("control", 1, 1.0)
    for stored in spool.events:
        tally.add(stored)
    decision = look(record, tally, now=at(20_000), pointer_number=1)
    assert decision is not None
    found = replay(decided(record, decision), spool.events)
    assert [item.is_by_hand for item in found[-3:]] == [True, True, False]
    assert all(item.equal for item in found)


def test_an_abort_is_found_again_with_the_pointer_that_had_moved() -> None:
    record, spool = released(0.95, hours=2)
    tally = Tally(record.rollout)
    for stored in spool.events:
        tally.add(stored)
    decision = look(record, tally, now=at(9000), pointer_number=7)
    assert decision is not None
    found = replay(decided(record, decision), spool.events)
    assert found[-1].stored.action == "abort"
    assert found[-1].equal


def test_events_out_of_order_are_refused() -> None:
    record, spool = released(0.95, hours=2)
    with pytest.raises(ValueError, match="order of their numbers"):
        replay(record, spool.events[::-1])
