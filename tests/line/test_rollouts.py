"""Rollouts by hand: what starts, who may let it run, how it ends; every change is published."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from typing import Any

import pytest

from promptyard.errors import ApprovalNeeded, ConfigError, Conflict, NotFound, Tampered
from promptyard.line import rollouts
from promptyard.line.rollout_finding import find_rollout, list_rollouts
from promptyard.line.rollouts import (
    By,
    Decided,
    abort_rollout,
    approve_rollout,
    pause_rollout,
    resume_rollout,
    roll_back_rollout,
    start_rollout,
)
from promptyard.line.ship import promote_version, protect_pointer, roll_back
from promptyard.protocols import Store
from promptyard.records.rollouts import RolloutPlan
from promptyard.records.versions import Move
from support.registered import version_of
from support.released import published, run, url
from support.stores import on_store

__all__ = ["url"]

ANN, BOB = By("ann"), By("bob", "it looks right")
PLAN = RolloutPlan(steps=(10.0, 100.0))


def start(url: str, reference: str = "v2", **changes: Any) -> Decided:
    values: dict[str, Any] = {"pointer": "production", "plan": PLAN, "by": ANN, **changes}
    return run(start_rollout(url, "p", reference, **values))


def protect(url: str) -> None:
    run(protect_pointer(url, "p", "production", actor="ann", reason=""))


def test_a_started_rollout_is_published_at_its_first_step(url: str) -> None:
    started = start(url)
    (rollout,) = published(url)["rollouts"]
    assert rollout == {
        "id": started.rollout.id,
        "pointer": "production",
        "control": 1,
        "treatment": 2,
        "enrolled": 0.1,
        "mode": "split",
    }
    assert published(url)["pointers"] == {"production": 1}
    assert set(published(url)["versions"]) == {"1", "2"}
    assert (started.decision.state, started.decision.step) == ("running", 0)
    assert started.rollout.started_by == "ann"


@pytest.mark.parametrize(
    ("reference", "changes", "error", "said"),
    [
        ("v9", {}, NotFound, "no version 9"),
        ("v1", {}, Conflict, "at v1 already"),
        ("v2", {"pointer": "staging"}, ConfigError, "not set.*prompts promote p VERSION"),
    ],
)
def test_what_cannot_start_says_why(
    url: str, reference: str, changes: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        start(url, reference, **changes)
    assert run(list_rollouts(url)) == []


def test_a_second_rollout_behind_a_pointer_is_refused(url: str) -> None:
    first = start(url)
    with pytest.raises(Conflict, match=f"{first.rollout.id}.*canary abort p"):
        start(url, "v3")


def test_behind_a_protected_pointer_a_second_person_lets_it_run(url: str) -> None:
    protect(url)
    started = start(url)
    assert started.decision.state == "awaiting_approval"
    assert published(url)["rollouts"] == []
    for own in (ANN, By(" Ann ")):
        with pytest.raises(ApprovalNeeded, match="somebody else"):
            run(approve_rollout(url, "p", pointer=None, by=own))
    approved = run(approve_rollout(url, "p", pointer=None, by=BOB))
    assert (approved.decision.state, approved.decision.actor) == ("running", "bob")
    assert published(url)["rollouts"][0]["enrolled"] == 0.1
    assert "it looks right" in approved.decision.sentence


def test_nobody_approves_what_waits_for_nothing(url: str) -> None:
    start(url)
    with pytest.raises(Conflict, match="waits for no approval"):
        run(approve_rollout(url, "p", pointer=None, by=BOB))


def test_while_paused_subjects_stay_where_they_are(url: str) -> None:
    start(url)
    paused = run(pause_rollout(url, "p", pointer=None, by=BOB))
    assert paused.decision.state == "paused"
    assert published(url)["rollouts"][0]["enrolled"] == 0.1
    with pytest.raises(Conflict, match="is paused"):
        run(pause_rollout(url, "p", pointer=None, by=BOB))
    resumed = run(resume_rollout(url, "p", pointer=None, by=BOB))
    assert (resumed.decision.state, resumed.decision.seq) == ("running", 3)
    with pytest.raises(Conflict, match="is running"):
        run(resume_rollout(url, "p", pointer=None, by=BOB))


@pytest.mark.parametrize(
    ("end", "state"), [(abort_rollout, "aborted"), (roll_back_rollout, "rolled_back")]
)
def test_an_end_gives_everybody_the_control_again(url: str, end: Any, state: str) -> None:
    started = start(url)
    ended = run(end(url, "p", pointer=None, by=BOB))
    assert (ended.decision.state, ended.decision.enrolled) == (state, 0.0)
    assert published(url)["rollouts"] == []
    assert published(url)["pointers"] == {"production": 1}
    with pytest.raises(Conflict, match=f"{started.rollout.id}.*ended"):
        run(abort_rollout(url, "p", pointer=None, by=BOB))
    start(url, "v3")


def test_a_rollback_needs_nobody_else_behind_a_protected_pointer(url: str) -> None:
    start(url)
    protect(url)
    ended = run(roll_back_rollout(url, "p", pointer=None, by=ANN))
    assert ended.decision.state == "rolled_back"


def test_after_a_promotion_a_rollback_moves_the_pointer_back(url: str) -> None:
    started = start(url)

    async def promoted(store: Store) -> None:
        last = (await store.rollout(started.rollout.id)).last
        move = Move(
            prompt="p", pointer="production", from_number=1, to_number=2, actor="canary", reason="r"
        )
        await store.decide(
            last.model_copy(
                update={"seq": 2, "state": "promoted", "action": "promote", "move": move}
            )
        )

    on_store(url, promoted)
    back = run(roll_back_rollout(url, "p", pointer=None, by=ANN))
    assert back.move is not None
    assert (back.move.from_number, back.move.to_number) == (2, 1)
    assert published(url)["pointers"] == {"production": 1}
    with pytest.raises(Conflict, match="moved on"):
        run(roll_back_rollout(url, "p", pointer=None, by=ANN))


def test_a_rollback_of_the_pointer_ends_the_rollout_behind_it(url: str) -> None:
    """Its newest version is the rollout's: the pointer is at the version before already."""
    started = start(url)
    shipped = run(roll_back(url, "p", actor="bob", reason="users complain"))
    assert shipped.ended_rollout == started.rollout.id
    assert shipped.move.to_number == 1
    assert published(url)["rollouts"] == []
    (record,) = run(list_rollouts(url, "p"))
    assert record.last.state == "rolled_back"
    assert "users complain" in record.last.sentence
    with pytest.raises(Conflict, match="no earlier version"):
        run(roll_back(url, "p", actor="bob", reason=""))


def test_a_rollout_that_cannot_be_read_keeps_nobody_from_going_back(url: str) -> None:
    run(promote_version(url, "p", "v3", pointer="production", actor="ann", reason=""))
    start(url)
    with closing(sqlite3.connect(url)) as connection, connection:
        connection.execute("DROP TRIGGER rollouts_refuse_update")
        connection.execute("UPDATE rollouts SET rollout = '{}'")
    shipped = run(roll_back(url, "p", actor="bob", reason="urgent"))
    assert (shipped.move.from_number, shipped.move.to_number) == (3, 1)
    (pointer,) = on_store(url, lambda store: store.pointers("p"))
    assert pointer.number == 1
    with pytest.raises(Tampered, match=r"Rollout 'v2-\w+' of the store cannot be read"):
        run(list_rollouts(url))


@pytest.mark.parametrize("verb", ["canary", "prompts"])
def test_a_rollback_that_comes_right_after_the_promotion_moves_the_pointer_back(
    url: str, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine promotes between the look of the person and their word: the word stands."""
    started = start(url)
    found = rollouts.find_rollout

    async def promote_now(store: Store) -> None:
        last = (await store.rollout(started.rollout.id)).last
        move = Move(
            prompt="p", pointer="production", from_number=1, to_number=2, actor="canary", reason=""
        )
        changes = {"seq": 2, "state": "promoted", "action": "promote", "move": move}
        await store.decide(last.model_copy(update=changes))

    if verb == "canary":

        async def then_promoted(store: Store, *arguments: Any) -> Any:
            record = await found(store, *arguments)
            await promote_now(store)
            return record

        monkeypatch.setattr(rollouts, "find_rollout", then_promoted)
        back = run(roll_back_rollout(url, "p", pointer=None, by=BOB)).move
    else:
        first = rollouts.active_rollout

        def then_active(records: Any, pointer: str) -> Any:
            in_thread = threading.Thread(target=on_store, args=(url, promote_now))
            in_thread.start()
            in_thread.join()
            return first(records, pointer)

        monkeypatch.setattr(rollouts, "active_rollout", then_active)
        back = run(roll_back(url, "p", actor="bob", reason="")).move
    assert back is not None
    assert (back.from_number, back.to_number) == (2, 1)
    assert published(url)["pointers"] == {"production": 1}


def test_a_rollback_to_a_named_version_ends_the_rollout_and_moves(url: str) -> None:
    run(promote_version(url, "p", "v3", pointer="production", actor="ann", reason=""))
    start(url)
    shipped = run(roll_back(url, "p", to_number=1, actor="bob", reason=""))
    assert (shipped.move.from_number, shipped.move.to_number) == (3, 1)
    assert shipped.ended_rollout
    assert published(url)["pointers"] == {"production": 1}


def test_the_word_of_a_person_is_not_lost_to_the_engine(url: str) -> None:
    """An abort that a hold of the engine came before is made on what is there then."""
    started = start(url)

    async def body(store: Store) -> None:
        stale = await find_rollout(store, "p")
        first = stale.last
        hold = {"seq": 2, "action": "hold", "actor": "canary"}
        await store.decide(first.model_copy(update=hold))

    on_store(url, body)
    ended = run(abort_rollout(url, started.rollout.id, pointer=None, by=BOB))
    assert ended.decision.seq == 3


def test_many_who_abort_at_once_end_it_once(url: str) -> None:
    start(url)

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(
            *(abort_rollout(url, "p", pointer=None, by=By(f"a{n}")) for n in range(5)),
            return_exceptions=True,
        )

    results = asyncio.run(all_at_once())
    assert sum(isinstance(item, Decided) for item in results) == 1
    assert sum(isinstance(item, Conflict) for item in results) == 4


def test_a_reference_is_a_prompt_or_an_id(url: str) -> None:
    with pytest.raises(NotFound, match=r"no rollout yet.*canary start p"):
        on_store(url, lambda store: find_rollout(store, "p"))
    with pytest.raises(NotFound, match="There is no rollout 'q'"):
        on_store(url, lambda store: find_rollout(store, "q"))
    first = start(url)
    run(abort_rollout(url, "p", pointer=None, by=ANN))
    second = start(url)
    run(promote_version(url, "p", "v1", pointer="staging", actor="ann", reason=""))
    third = start(url, "v3", pointer="staging")

    def found(reference: str, pointer: str | None = None) -> str:
        record = on_store(url, lambda store: find_rollout(store, reference, pointer))
        return record.rollout.id

    assert found(first.rollout.id) == first.rollout.id
    assert found("p", "production") == second.rollout.id
    assert found("p", "staging") == third.rollout.id
    with pytest.raises(ConfigError, match="production, staging: name one"):
        found("p")
    with pytest.raises(NotFound, match="behind 'other'"):
        found("p", "other")


def test_a_version_that_needs_other_inputs_does_not_start(url: str) -> None:
    on_store(url, lambda store: store.add_version(version_of("user:\n{{other}}\n")))
    with pytest.raises(ConfigError, match="which v1 does not use"):
        start(url, "latest")


def test_nobody_acts_under_the_name_of_the_engine() -> None:
    with pytest.raises(ConfigError, match="name of the engine"):
        By("Canary")
