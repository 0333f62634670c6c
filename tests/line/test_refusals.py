"""Gates, canary and rollback meet the same six faults: what is unsafe is refused, the way back not.

`CELLS` says for each verb and fault which tests hold it; the last test says that none is empty. A
rollback judges nothing, so faults of the numbers may not stop it: there the cell shows that.
"""

from __future__ import annotations

import asyncio
import json
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import pytest

from promptyard.errors import Conflict, ModelError, NotFound, Tampered
from promptyard.line import rollouts, ship
from promptyard.line.rollout_engine import Engine, Looked, replay_rollout
from promptyard.line.rollout_watch import tick
from promptyard.line.rollouts import By, abort_rollout, roll_back_rollout, start_rollout
from promptyard.line.ship import promote_version, roll_back
from promptyard.line.task import Task
from promptyard.line.wiring import build_gates
from promptyard.protocols import Store
from promptyard.records.cases import Case
from promptyard.records.live import Exposure, LiveEvent, Outcome
from promptyard.records.rollouts import Decision, Guard, Rollout
from promptyard.records.verdicts import GateSettings, GateVerdict, PairedReport, Verdict
from promptyard.records.versions import Move
from promptyard.release.folding import judge_by_all
from support.chat_server import ChatServer, Fault
from support.gated_world import GatedWorld
from support.live_traffic import SAME, WORSE, served
from support.registered import tamper
from support.released import published, run, url
from support.rolling import PLAN, feed, pointer_of, record_of, started, ticked
from support.spool import write_segment
from support.stations import label_case, report_of
from support.stores import on_store
from support.world import RULE

__all__ = ["url"]

VERBS = ("gate", "canary", "rollback")
FAULTS = ("tampered", "moved pointer", "unknown version", "empty arm", "no number", "again or late")
CELLS: dict[tuple[str, str], list[str]] = {}
BOB = By("bob", "users complain")
Test = TypeVar("Test", bound=Callable[..., None])


def cell(verb: str, fault: str) -> Callable[[Test], Test]:
    """Note that a test holds a cell of the matrix."""

    def noted(test: Test) -> Test:
        CELLS.setdefault((verb, fault), []).append(test.__name__)
        return test

    return noted


@pytest.fixture
def gated(tmp_path: Path) -> GatedWorld:
    return GatedWorld(tmp_path)


def sql(path: str, statement: str) -> None:
    """Change the file of a store behind its back, as a tool without triggers could."""
    with closing(sqlite3.connect(path)) as connection, connection:
        triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        for (name,) in connection.execute(triggers).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        assert connection.execute(statement).rowcount > 0


def moved_to(number: int, prompt: str = "p", before: int | None = 1) -> Move:
    return Move(
        prompt=prompt,
        pointer="production",
        from_number=before,
        to_number=number,
        actor="eve",
        reason="meanwhile",
    )


def replays_equal(url: str) -> bool:
    _, replayed = run(replay_rollout(url, "p"))
    return bool(replayed) and all(item.equal for item in replayed)


# gates


@cell("gate", "tampered")
@pytest.mark.parametrize("number", [1, 2])
def test_a_gate_judges_no_version_whose_bytes_were_changed(gated: GatedWorld, number: int) -> None:
    tamper(Path(gated.path), number, "Sort the", "Price the")
    with ChatServer(gated.world.answer) as server:
        with pytest.raises(Tampered, match=f"Version {number}"):
            gated.gate(server, "2", "1")
        assert not server.requests


@cell("gate", "moved pointer")
@pytest.mark.parametrize("names", [("2", None), ("2", "production"), ("staging", "1")])
def test_a_gate_gives_no_verdict_on_what_a_pointer_has_left(
    gated: GatedWorld, names: tuple[str, str | None]
) -> None:
    """It was judged against v1, or judged v2, and a promotion by that verdict would be another."""
    on_store(gated.path, lambda store: store.move_pointer(moved_to(1, "world", None)))
    staging = moved_to(2, "world", None).model_copy(update={"pointer": "staging"})
    on_store(gated.path, lambda store: store.move_pointer(staging))
    pointer = "staging" if names[0] == "staging" else "production"
    meanwhile = moved_to(3, "world", 2 if pointer == "staging" else 1).model_copy(
        update={"pointer": pointer}
    )
    moves: list[Move] = []

    def move_it() -> None:
        moves.append(on_store(gated.path, lambda store: store.move_pointer(meanwhile)))

    def answer(body: dict[str, Any]) -> str:
        if not moves:  # the server has a loop of its own in this thread
            moving = threading.Thread(target=move_it)
            moving.start()
            moving.join()
        return gated.world.answer(body)

    with ChatServer(answer) as server:
        with pytest.raises(Conflict, match=rf"'{pointer}'.* moved to v3.*again"):
            gated.gate(server, *names)
        n_requests = len(server.requests)
        named = gated.gate(server, "2", "1")  # no pointer has a say in this pair
        assert (named.status, named.looks, len(server.requests)) == ("pass", 1, n_requests)


@cell("gate", "unknown version")
@pytest.mark.parametrize(
    ("candidate", "baseline", "said"),
    [
        ("9", "1", "has no version 9"),
        ("2", "v9", "has no version 9"),
        ("stagin", "1", "no pointer 'stagin'"),
    ],
)
def test_a_gate_of_an_unknown_version_costs_no_call(
    gated: GatedWorld, candidate: str, baseline: str, said: str
) -> None:
    with ChatServer(gated.world.answer) as server:
        with pytest.raises(NotFound, match=said):
            gated.gate(server, candidate, baseline)
        assert not server.requests


def refusing(*, every: int, of: Callable[[str], bool]) -> Callable[[int, dict[str, Any]], Any]:
    """Let the model fail on every so many of the requests whose text is of a kind."""
    seen: list[int] = []

    def fault(index: int, body: dict[str, Any]) -> Fault | None:
        if not of(json.dumps(body)):
            return None
        seen.append(index)
        return Fault.status(400) if len(seen) % every == 0 else None

    return fault


@cell("gate", "empty arm")
@pytest.mark.parametrize("side", ["baseline", "candidate"])
def test_a_gate_with_an_empty_side_is_an_error_and_a_thin_one_decides_nothing(
    gated: GatedWorld, side: str
) -> None:
    def is_of_side(text: str) -> bool:
        return (RULE in text) == (side == "candidate")

    with (
        ChatServer(gated.world.answer, refusing(every=1, of=is_of_side)) as server,
        pytest.raises(ModelError, match="no case could be scored: 200 of 200"),
    ):
        gated.gate(server, "2", "1")
    with ChatServer(gated.world.answer, refusing(every=10, of=is_of_side)) as server:
        thin = gated.gate(server, "2", "1")
    assert thin.status == "inconclusive"
    assert "only 90.0 % of the cases were scored" in thin.sentence


@cell("gate", "no number")
def test_scores_that_are_no_numbers_are_no_scores_to_a_gate(gated: GatedWorld) -> None:
    def right(case: Case, output: str) -> float:
        is_tenth = int(case.id.removeprefix("holdout")) % 10 == 0
        return math.nan if is_tenth else float(output == case.expected)

    with ChatServer(gated.world.answer) as server:
        found = gated.gate(server, "2", "1", metrics=[right])
    assert found.status == "inconclusive"
    assert "only 90.0 % of the cases were scored" in found.sentence
    assert "nan" not in found.model_dump_json().lower()


@cell("gate", "no number")
def test_stored_answers_with_amounts_that_are_no_numbers_are_damage(gated: GatedWorld) -> None:
    with ChatServer(gated.world.answer) as server:
        gated.gate(server, "2", "1")
        n_requests = len(server.requests)
        for amount in ("latency_s", "cost_usd"):
            sql(
                gated.path,
                f"UPDATE completions SET completion = '{{\"{amount}\":NaN,' || "
                f"substr(json_remove(completion, '$.{amount}'), 2) WHERE id = 7",
            )
            with pytest.raises(Tampered, match=r"stored answer .* cannot be read"):
                gated.gate(server, "2", "1")
            sql(gated.path, "UPDATE completions SET completion = replace(completion, 'NaN', '1')")
        assert gated.gate(server, "2", "1").status == "pass"
        assert len(server.requests) == n_requests


@cell("gate", "again or late")
def test_two_gates_at_once_are_one_look_and_a_later_answer_changes_no_verdict(
    gated: GatedWorld,
) -> None:
    """The pair's answers are stored: what the model would say afterwards comes too late."""

    is_later: list[bool] = []

    def answer(body: Mapping[str, Any]) -> str:
        return "topic_99" if is_later else gated.world.answer(body)

    async def both(task: Task) -> tuple[GateVerdict, GateVerdict]:
        return await asyncio.gather(gated.judged(task, "2", "1"), gated.judged(task, "2", "1"))

    with ChatServer(answer) as server:
        first, second = asyncio.run(both(gated.task(server)))
        is_later.append(True)
        server.reset()
        late = gated.gate(server, "2", "1")
        assert not server.requests
    assert (first.status, first.looks) == ("pass", 1)
    for found in (second, late):
        assert found.looks == 1
        assert found.verdict.comparisons[0] == first.verdict.comparisons[0]


@cell("gate", "again or late")
@pytest.mark.parametrize("n_right", [112, 150])
def test_trials_that_are_there_twice_weigh_no_more(n_right: int) -> None:
    """Twice as many trials of a gain that 200 cases do not show would show it."""
    cases = [label_case(f"h{n}", f"t{n}", "a", "holdout") for n in range(200)]
    before = report_of(cases, ["a"] * 100 + ["b"] * 100, "base", "holdout")
    answers = ["a"] * (n_right - 12) + ["b"] * (200 - n_right) + ["a"] * 12
    after = report_of(cases, answers, "cand", "holdout")
    settings = GateSettings.model_validate(
        {"targets": ["wrong_value"], "ceilings": {"latency_p95_s": 1.0, "tokens": 10.0}}
    )

    def verdict(times: int) -> tuple[Verdict, object]:
        pair = PairedReport(
            baseline=before.model_copy(update={"trials": before.trials * times}),
            candidate=after.model_copy(update={"trials": after.trials * times}),
        )
        return judge_by_all(build_gates(), pair, cases, settings)

    assert verdict(2) == verdict(1)


# canary

WIDE = {"guards": (Guard(dimension="score", margin=0.3),), "missing_margin": 0.5}
"""Margins that some hundred subjects an arm show unharmed."""


@cell("canary", "tampered")
@pytest.mark.parametrize("number", [1, 2])
def test_a_rollout_of_changed_bytes_neither_starts_nor_goes_on_and_can_be_ended(
    url: str, number: int
) -> None:
    rollout = started(url)
    feed(url, rollout, 200, SAME)
    tamper(Path(url), number, "user:", "user: Obey.")
    looked = ticked(url)
    assert f"Version {number}" in looked.damaged
    assert (looked.decision, pointer_of(url)) == (None, 1)
    ended = run(abort_rollout(url, "p", pointer=None, by=BOB))
    assert ended.decision.state == "aborted"
    with pytest.raises(Tampered, match=f"Version {number}"):
        started(url)
    assert len(on_store(url, lambda store: store.rollouts("p"))) == 1


@cell("canary", "moved pointer")
def test_a_pointer_that_moved_under_its_feet_aborts_the_rollout(url: str) -> None:
    rollout = started(url)
    feed(url, rollout, 200, SAME)
    run(promote_version(url, "p", "v3", pointer="production", actor="bob", reason="urgent"))
    looked = ticked(url)
    assert looked.record.last.state == "aborted"
    assert "v3" in looked.record.last.sentence
    assert pointer_of(url) == 3
    assert replays_equal(url)


@cell("canary", "moved pointer")
def test_a_pointer_that_moves_between_look_and_promotion_is_not_moved_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout = started(url, steps=(100.0,), **WIDE)
    feed(url, rollout, 1_000, SAME)

    async def body(store: Store) -> Looked:
        decide, asked = store.decide, list[str]()

        async def after_another_move(decision: Decision) -> Decision:
            asked.append(decision.action)
            if decision.action == "promote":
                await store.move_pointer(moved_to(3))
            return await decide(decision)

        monkeypatch.setattr(store, "decide", after_another_move)
        looked = await Engine(store, rollout).look()
        assert asked == ["promote", "abort"]
        return looked

    assert on_store(url, body).record.last.state == "aborted"
    assert [item.to_number for item in on_store(url, lambda store: store.moves("p"))] == [1, 3]
    assert replays_equal(url)


@cell("canary", "moved pointer")
def test_a_rollout_does_not_start_where_the_pointer_no_longer_is(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = rollouts.protected_pointers

    async def moving(store: Store, name: str) -> Any:
        await store.move_pointer(moved_to(3))
        return await checked(store, name)

    monkeypatch.setattr(rollouts, "protected_pointers", moving)
    with pytest.raises(Conflict, match="is at version 3, not at version 1"):
        started(url)
    assert on_store(url, lambda store: store.rollouts("p")) == []


@cell("canary", "unknown version")
def test_no_rollout_of_an_unknown_version_starts(url: str) -> None:
    work = start_rollout(url, "p", "v9", pointer="production", plan=PLAN, by=BOB)
    with pytest.raises(NotFound, match="no version 9"):
        run(work)
    assert on_store(url, lambda store: store.rollouts("p")) == []


@cell("canary", "unknown version")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"treatment": 9}, "wrong_version"), ({"treatment_digest": "f" * 64}, "wrong_digest")],
)
def test_what_was_served_of_an_unknown_version_is_counted_apart(
    url: str, changes: dict[str, Any], reason: str
) -> None:
    rollout = started(url)
    feed(url, rollout, 200, SAME)
    before = ticked(url).record.last
    feed(url, rollout.model_copy(update=changes), 60, {"control": 0.9, "treatment": 0.0})
    after = ticked(url).record.last
    score, then = (next(g for g in d.guards if g.dimension == "score") for d in (before, after))
    assert (then.n_treatment, then.mean_treatment) == (score.n_treatment, score.mean_treatment)
    assert then.n_control > score.n_control
    assert after.rejected > 0
    assert any(reason in said for said in after.reasons)


@cell("canary", "empty arm")
@pytest.mark.parametrize("arm", ["control", "treatment"])
def test_a_rollout_one_arm_of_which_is_empty_is_reverted_and_never_promoted(
    url: str, arm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout = started(url, **WIDE)
    events = [event for event in served(rollout, 400, SAME) if getattr(event, "arm", "") != arm]
    on_store(url, lambda store: store.add_live_events(events))
    looked = ticked(url)
    assert looked.record.last.action == "hold"
    assert f"there is no outcome of the {arm} yet" in looked.record.last.sentence
    in_a_week = (datetime.now(UTC) + timedelta(days=7)).isoformat(timespec="microseconds")
    monkeypatch.setattr("promptyard.line.rollout_engine.utc_now", lambda: in_a_week)
    assert ticked(url).record.last.state == "rolled_back"
    assert pointer_of(url) == 1
    assert replays_equal(url)


@cell("canary", "empty arm")
def test_a_treatment_that_is_shown_and_never_answers_is_rolled_back(url: str) -> None:
    rollout = started(url)
    events = [
        event
        for event in served(rollout, 400, SAME)
        if isinstance(event, Exposure) or getattr(event, "arm", "") == "control"
    ]
    on_store(url, lambda store: store.add_live_events(events))
    time.sleep(0.01)  # past the window for outcomes
    last = ticked(url).record.last
    assert last.state == "rolled_back"
    assert "missing" in [guard.dimension for guard in last.guards if guard.status == "harmed"]


@cell("canary", "no number")
def test_outcomes_that_are_no_numbers_are_kept_apart_and_count_as_missing(
    url: str, tmp_path: Path
) -> None:
    """A treatment whose scores cannot be computed must not be judged by those that can."""
    rollout = started(url)
    lines: list[LiveEvent | bytes] = []
    n_bad = 0
    for event in served(rollout, 400, {"control": 1.0, "treatment": 1.0}):
        if isinstance(event, Outcome) and event.arm == "treatment":
            text = event.model_dump_json().replace('"score":1.0', '"score":NaN')
            lines.append(text.encode())
            n_bad += 1
        else:
            lines.append(event)
    spool = tmp_path / "spool"
    write_segment(spool, "1", lines)
    time.sleep(0.01)
    found = run(tick(url, "p", spool=spool))
    assert found.collected is not None
    assert (found.collected.n_rejected, found.collected.n_new) == (n_bad, 800 - n_bad)
    assert n_bad > 100
    assert sum(len(path.read_bytes().splitlines()) for path in spool.glob("rejected/*")) == n_bad
    last = found.looks[0].record.last
    assert last.state == "rolled_back"
    assert "missing" in [guard.dimension for guard in last.guards if guard.status == "harmed"]


def with_numbers_that_are_none(url: str) -> Rollout:
    """Return a rollout of which one stored outcome was given a score that is no number."""
    rollout = started(url)
    feed(url, rollout, 100, SAME)
    sql(
        url,
        "UPDATE live_events SET event = replace(replace(event, '\"score\":1.0', '\"score\":NaN'),"
        " '\"score\":0.0', '\"score\":NaN') WHERE id ="
        " (SELECT max(id) FROM live_events WHERE kind = 'outcome')",
    )
    return rollout


@cell("canary", "no number")
def test_stored_outcomes_that_are_no_numbers_are_damage_on_which_nothing_is_decided(
    url: str,
) -> None:
    rollout = with_numbers_that_are_none(url)
    looked = ticked(url)
    assert "event 200 of the store cannot be read" in looked.damaged
    assert (looked.decision, pointer_of(url)) == (None, 1)
    assert len(record_of(url, rollout).decisions) == 1


@cell("canary", "again or late")
def test_duplicated_events_change_nothing(url: str) -> None:
    rollout = started(url, outcome_window_s=600.0)
    events = served(rollout, 200, SAME)

    async def body(store: Store) -> None:
        await store.add_live_events([*events, *events])
        first = (await Engine(store, rollout).look()).record.last
        await store.add_live_events(events)
        looked = await Engine(store, rollout).look()
        assert looked.n_events == len(events)
        assert looked.decision is None
        score = next(guard for guard in first.guards if guard.dimension == "score")
        assert score.n_control + score.n_treatment == 200

    on_store(url, body)


@cell("canary", "again or late")
def test_outcomes_that_come_after_they_were_missed_count_after_all(url: str) -> None:
    rollout = started(url, min_subjects=10_000, missing_margin=0.9)
    events = served(rollout, 60, SAME)
    late = [e for e in events[-20:] if isinstance(e, Outcome)]
    on_store(url, lambda store: store.add_live_events([e for e in events if e not in late]))
    time.sleep(0.01)

    def missing() -> float:
        last = ticked(url).record.last
        guard = next(guard for guard in last.guards if guard.dimension == "missing")
        control, treatment = guard.mean_control or 0.0, guard.mean_treatment or 0.0
        return round(control * guard.n_control + treatment * guard.n_treatment)

    assert missing() == len(late) == 10
    on_store(url, lambda store: store.add_live_events(late))
    assert missing() == 0
    assert replays_equal(url)


@cell("canary", "again or late")
@pytest.mark.parametrize(
    ("good", "afterwards", "state", "number"),
    [(WORSE, SAME, "rolled_back", 1), (SAME, WORSE, "promoted", 2)],
)
def test_what_comes_after_the_end_changes_no_decision(
    url: str, good: dict[str, float], afterwards: dict[str, float], state: str, number: int
) -> None:
    rollout = started(url, steps=(100.0,), **WIDE)
    feed(url, rollout, 1_000, good)
    assert ticked(url).record.last.state == state
    decided = record_of(url, rollout)
    feed(url, rollout, 1_000, afterwards)
    looked = ticked(url)
    assert (looked.decision, looked.record.last) == (None, decided.last)
    assert record_of(url, rollout) == decided
    assert pointer_of(url) == number
    assert replays_equal(url)


# rollback


def promoted(url: str, *numbers: int) -> None:
    for number in numbers:
        work = promote_version(url, "p", f"v{number}", pointer="production", actor="a", reason="r")
        run(work)


def back(url: str, to_number: int | None = None) -> Move:
    return run(roll_back(url, "p", to_number=to_number, actor="bob", reason="worse")).move


@cell("rollback", "tampered")
def test_a_rollback_never_serves_changed_bytes_and_goes_past_them_and_away_from_them(
    url: str,
) -> None:
    promoted(url, 2, 3)
    tamper(Path(url), 2, "user:", "user: Obey.")
    with pytest.raises(Tampered, match="Version 2"):
        back(url)
    assert pointer_of(url) == 3
    assert back(url, to_number=1).to_number == 1
    assert published(url)["pointers"] == {"production": 1}
    promoted(url, 3)
    tamper(Path(url), 3, "user:", "user: Obey.")
    assert back(url).to_number == 1


@cell("rollback", "tampered")
def test_a_rollout_of_changed_bytes_is_rolled_back(url: str) -> None:
    started(url)
    tamper(Path(url), 2, "user:", "user: Obey.")
    ended = run(roll_back_rollout(url, "p", pointer=None, by=BOB))
    assert ended.decision.state == "rolled_back"
    assert published(url)["rollouts"] == []


@cell("rollback", "moved pointer")
def test_a_rollback_of_what_somebody_else_moved_meanwhile_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would undo another move than the one that its person saw."""
    promoted(url, 2)
    found = ship.pointer_named

    async def moving(store: Store, prompt: str, pointer: str) -> Any:
        place = await found(store, prompt, pointer)
        read = store.moves

        async def then_moved(*names: str) -> Any:
            log = await read(*names)
            await store.move_pointer(moved_to(3, before=2))
            return log

        monkeypatch.setattr(store, "moves", then_moved)
        return place

    monkeypatch.setattr(ship, "pointer_named", moving)
    with pytest.raises(Conflict, match="production"):
        back(url)
    assert pointer_of(url) == 3
    monkeypatch.undo()
    assert back(url).to_number == 2


@cell("rollback", "unknown version")
@pytest.mark.parametrize("number", [3, 9])
def test_a_rollback_goes_only_where_the_pointer_was(url: str, number: int) -> None:
    promoted(url, 2)
    with pytest.raises(Conflict, match=f"cannot go back to version {number}; it was at v1 before"):
        back(url, to_number=number)
    assert pointer_of(url) == 2


@cell("rollback", "empty arm")
@pytest.mark.parametrize("arms", [(), ("control",), ("treatment",)])
def test_a_rollback_needs_no_outcome(url: str, arms: tuple[str, ...]) -> None:
    rollout = started(url)
    events = [event for event in served(rollout, 60, SAME) if getattr(event, "arm", "") in arms]
    on_store(url, lambda store: store.add_live_events(events))
    ended = run(roll_back_rollout(url, "p", pointer=None, by=BOB))
    assert (ended.decision.state, ended.decision.enrolled) == ("rolled_back", 0.0)
    assert published(url)["rollouts"] == []


@cell("rollback", "no number")
@pytest.mark.parametrize("verb", ["canary", "prompts"])
def test_stored_outcomes_that_are_no_numbers_keep_nobody_from_going_back(
    url: str, verb: str
) -> None:
    rollout = with_numbers_that_are_none(url)
    if verb == "canary":
        run(roll_back_rollout(url, "p", pointer=None, by=BOB))
    else:
        back(url)
    assert record_of(url, rollout).last.state == "rolled_back"
    assert published(url)["rollouts"] == []


@cell("rollback", "again or late")
def test_a_rollback_that_is_said_twice_goes_back_once_and_late_outcomes_do_not_undo_it(
    url: str,
) -> None:
    promoted(url, 3)
    rollout = started(url, steps=(100.0,), **WIDE)
    run(roll_back_rollout(url, "p", pointer=None, by=BOB))
    before = published(url)
    with pytest.raises(Conflict, match="ended already: rolled_back"):
        run(roll_back_rollout(url, "p", pointer=None, by=BOB))
    feed(url, rollout, 1_000, {"control": 0.5, "treatment": 1.0})
    assert ticked(url).decision is None
    assert (pointer_of(url), published(url)) == (3, before)
    assert len(on_store(url, lambda store: store.moves("p"))) == 2


def test_every_verb_meets_every_fault() -> None:
    assert set(CELLS) == set(product(VERBS, FAULTS))
