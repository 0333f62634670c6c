from __future__ import annotations

from typing import Any

import pytest

from promptyard.records.rollouts import Decision, Guard, GuardReading, RolloutRecord
from promptyard.release.look import look, look_at
from promptyard.release.tally import Tally
from support.rollout_events import BASELINE, Spool, a_record, a_rollout, at, decided

LONG_S = 20_000.0
"""A time at which every step has lasted long enough and every outcome is due."""

PLAN: dict[str, Any] = {"baseline": BASELINE, "steps": (10, 100), "min_subjects": 50}


def looked(
    spool: Spool,
    record: RolloutRecord | None = None,
    *,
    now_s: float = LONG_S,
    pointer_number: int | None = 1,
    **plan: Any,
) -> Decision | None:
    """Look once at a rollout that has seen these events."""
    record = record or a_record(a_rollout(**{**PLAN, **plan}))
    tally = Tally(record.rollout)
    for stored in spool.events:
        tally.add(stored)
    return look(record, tally, now=at(now_s), pointer_number=pointer_number)


def at_last_step(**plan: Any) -> RolloutRecord:
    return a_record(a_rollout(**{**PLAN, **plan}), step=1, enrolled=1.0)


def served(n: int, control: float, treatment: float, **changes: Any) -> Spool:
    """`n` subjects in each arm with these shares of good answers; changes are the treatment's."""
    spool = Spool()
    spool.serve("control", n, control)
    spool.serve("treatment", n, treatment, **changes)
    return spool


def guard_of(decision: Decision | None, dimension: str) -> GuardReading:
    assert decision is not None
    return next(guard for guard in decision.guards if guard.dimension == dimension)


def test_a_step_that_is_complete_and_shows_no_harm_leads_to_the_next() -> None:
    found = looked(served(60, 0.9, 0.9))
    assert found is not None
    assert (found.action, found.state, found.step, found.enrolled) == ("advance", "running", 1, 1.0)
    assert (found.n_at_step, found.step_at, found.through) == (60, at(LONG_S), 240)
    assert found.verdict == "inconclusive"
    assert found.move is None
    assert "100 %" in found.sentence


def test_a_step_waits_for_its_subjects_in_both_arms_and_for_its_time() -> None:
    spool = served(60, 0.9, 0.9)
    early = looked(spool, now_s=3000)
    assert early is not None
    assert early.action == "hold"
    assert early.reasons == ("the step at 10 % lasts 1 h at least",)
    quick = looked(spool, a_record(a_rollout(**{**PLAN, "min_step_s": 90})), now_s=30)
    assert quick is not None
    assert quick.reasons == ("the step at 10 % lasts 1.5 min at least",)
    few = Spool()
    few.serve("control", 500, 0.9)
    few.serve("treatment", 440, 0.9)
    record = a_record(a_rollout(**PLAN), n_at_step=400)
    found = looked(few, record)
    assert found is not None
    assert found.action == "hold"
    assert found.reasons[0].startswith("the step at 10 % has 40 of 50 subjects")


def test_equal_versions_are_promoted_at_the_last_step_with_their_numbers() -> None:
    found = looked(served(3000, 0.9, 0.9), at_last_step())
    assert found is not None
    assert (found.action, found.state, found.enrolled) == ("promote", "promoted", 0.0)
    assert found.verdict == "pass"
    assert found.move is not None
    assert (found.move.kind, found.move.from_number, found.move.to_number) == ("promote", 1, 2)
    assert (found.move.rollout_id, found.move.actor) == ("r1", "canary")
    score = guard_of(found, "score")
    assert score.status == "unharmed"
    assert score.low is not None
    assert -0.03 < score.low < 0.0
    assert "3,000 and 3,000 subjects" in score.sentence
    assert score.sentence in found.move.evidence


def test_the_move_names_who_approved_the_rollout() -> None:
    record = at_last_step()
    approval = record.last.model_copy(update={"seq": 2, "action": "approve", "actor": "bob"})
    found = looked(served(3000, 0.9, 0.9), decided(record, approval))
    assert found is not None
    assert found.move is not None
    assert found.move.approved_by == "bob"
    assert found.seq == 3


def test_what_is_not_shown_yet_is_held_and_the_number_of_subjects_told() -> None:
    found = looked(served(300, 0.8, 0.8), at_last_step())
    assert found is not None
    assert (found.action, found.enrolled, found.verdict) == ("hold", 1.0, "inconclusive")
    reason = next(reason for reason in found.reasons if reason.startswith("score"))
    assert "3.0 points allowed: not shown yet" in reason
    assert "subjects an arm are needed" in reason


def test_a_drop_that_is_shown_rolls_back_at_once_with_nothing_to_move() -> None:
    found = looked(served(200, 0.9, 0.6), now_s=10)
    assert found is not None
    assert (found.action, found.state, found.enrolled) == ("roll_back", "rolled_back", 0.0)
    assert found.verdict == "fail"
    assert found.move is None
    assert "score: -30.0 points, 60.0 % beside 90.0 %" in found.sentence
    assert guard_of(found, "score").status == "harmed"


@pytest.mark.parametrize(
    ("changes", "dimension"),
    [
        ({"latency_s": 9.0}, "latency"),
        ({"cost_usd": 0.02}, "cost"),
        ({"hard_failure": True}, "hard_failures"),
        ({"error": "timeout"}, "hard_failures"),
        ({"scores": {}}, "unscored:score"),
    ],
)
def test_every_guard_can_roll_back(changes: dict[str, Any], dimension: str) -> None:
    found = looked(served(200, 0.9, 0.9, **changes))
    assert found is not None
    assert found.action == "roll_back"
    assert [g.dimension for g in found.guards if g.status == "harmed"] == [dimension]


@pytest.mark.parametrize(
    ("guard", "measured", "said"),
    [
        ("hard_failures", {"hard_failure": False}, "that did not fail were not looked at"),
        ("latency", {"latency_s": 1.0}, "have no latency"),
        ("cost", {"cost_usd": 0.01}, "have no cost"),
    ],
)
def test_values_that_the_treatment_alone_lacks_promote_nothing(
    guard: str, measured: dict[str, Any], said: str
) -> None:
    """A scorer that breaks on bad answers, or a timeout without a time, would else hide them."""
    spool = Spool()
    for number in range(2400):
        for arm in ("control", "treatment"):
            lacks = arm == "treatment" and number % 3 == 0
            spool.expose(f"{arm}{number}", arm)
            spool.answer(f"{arm}{number}", arm, **({} if lacks else measured))
    record = at_last_step(guards=(Guard(dimension=guard, margin=0.05),))
    found = looked(spool, record)
    assert found is not None
    assert found.action == "hold"
    assert f"33.3 % of the treatment's answers beside 0.0 % {said}" in found.sentence
    late = looked(spool, record, now_s=8 * 86400.0)
    assert late is not None
    assert late.action == "roll_back"


def test_fewer_failures_are_not_taken_for_fewer_looks() -> None:
    """Who notes failures only looks at nothing else, in either arm."""
    spool = Spool()
    for number in range(2400):
        for arm, every in (("control", 10), ("treatment", 100)):
            spool.expose(f"{arm}{number}", arm)
            failed = {} if number % every else {"hard_failure": True}
            spool.answer(f"{arm}{number}", arm, **failed)
    guard = Guard(dimension="hard_failures", margin=0.01)
    found = looked(spool, at_last_step(guards=(guard,)))
    assert found is not None
    assert found.action == "promote"


def test_bad_scores_that_come_late_promote_nothing_before_they_are_there() -> None:
    spool = Spool()
    for number in range(200):
        for arm in ("control", "treatment"):
            is_late = number % (7 if arm == "treatment" else 10) == 0
            spool.expose(f"{arm}{number}", arm)
            spool.answer(f"{arm}{number}", arm, None if is_late else 1.0)
    found = looked(spool, at_last_step(guards=(Guard(dimension="score", margin=0.1),)))
    assert found is not None
    assert (found.action, guard_of(found, "score").status) == ("hold", "unharmed")
    said = "14.5 % of the treatment's answers beside 10.0 % have no 'score'"
    assert any(said in reason for reason in found.reasons)


def test_outcomes_that_are_missing_in_the_treatment_roll_back() -> None:
    spool = served(200, 0.9, 0.9)
    for number in range(200):
        spool.expose(f"lost{number}", "treatment")
        spool.expose(f"kept{number}", "control")
        spool.answer(f"kept{number}", "control", 0.9)
    found = looked(spool)
    assert found is not None
    assert found.action == "roll_back"
    assert guard_of(found, "missing").status == "harmed"


def test_a_treatment_that_never_answers_is_rolled_back_and_not_waited_for() -> None:
    spool = Spool()
    spool.serve("control", 60, 0.9)
    for number in range(60):
        spool.expose(f"lost{number}", "treatment")
    found = looked(spool)
    assert found is not None
    assert found.action == "roll_back"
    assert "missing outcomes: +100.0 points" in found.sentence
    early = looked(spool, now_s=300)  # their time is not up
    assert early is not None
    assert early.action == "hold"


def calls(n: int, kept: tuple[int, int], of: int = 8) -> Spool:
    """`n` subjects an arm with `of` calls each; each arm leaves an outcome of so many of them."""
    spool = Spool()
    for number in range(n):
        for arm, n_kept in zip(("control", "treatment"), kept, strict=True):
            subject = f"{arm}{number}"
            spool.expose(subject, arm)
            for call in range(min(of, n_kept)):
                score = float((number + call) % 10 > 0)
                spool.answer(subject, arm, score, latency_s=1.0, cost_usd=0.01)
    return spool


def test_calls_that_vanish_roll_back_although_no_subject_is_missing() -> None:
    found = looked(calls(400, (8, 5)), at_last_step())
    assert found is not None
    assert found.action == "roll_back"
    assert [g.dimension for g in found.guards if g.status == "harmed"] == ["fewer_outcomes"]
    assert guard_of(found, "missing").mean_treatment == 0.0
    assert "outcomes a subject: -33.3 %" in found.sentence


def test_as_many_calls_in_both_arms_are_no_harm_and_promoted() -> None:
    found = looked(
        calls(1200, (8, 8)), at_last_step(guards=[{"dimension": "score", "margin": 0.1}])
    )
    assert found is not None
    assert found.action == "promote"
    assert guard_of(found, "fewer_outcomes").status == "unharmed"


def test_nothing_is_promoted_while_the_treatment_seems_to_leave_fewer_outcomes() -> None:
    guards = [{"dimension": "score", "margin": 0.3}]
    spool = Spool()
    for number in range(300):  # an arm's subjects differ so much that no bound tells the arms apart
        for arm, few in (("control", 1), ("treatment", 0)):
            spool.expose(f"{arm}{number}", arm)
            for _ in range(1 + 20 * (number % 10 < 2 + few)):
                spool.answer(f"{arm}{number}", arm, 1.0)
    found = looked(spool, at_last_step(guards=guards))
    assert found is not None
    reading = guard_of(found, "fewer_outcomes")
    assert (found.action, reading.status) == ("hold", "open")
    assert any(reason.startswith("outcomes a subject: -") for reason in found.reasons)


@pytest.mark.parametrize("of_bot", [0.05, 60.0])
def test_the_calls_of_one_subject_are_no_baseline_of_latency(of_bot: float) -> None:
    spool = Spool()
    spool.expose("bot", "control")
    for _ in range(200):
        spool.answer("bot", "control", 1.0, latency_s=of_bot, cost_usd=0.01)
    spool.serve("control", 197, 0.9)
    for number in range(400):
        spool.serve("control", 1, 0.9, latency_s=1.0 + 0.1 * (number % 20 == 0))
        spool.serve("treatment", 1, 0.9, latency_s=10.0)
    found = looked(spool, baseline=None)
    assert found is not None
    assert found.action == "roll_back"
    assert guard_of(found, "latency").status == "harmed"


@pytest.mark.parametrize(
    ("first", "share"), [(60.0, "0.0 % beside 0.0 %"), (0.05, "100.0 % beside 100.0 %")]
)
def test_a_limit_of_latency_that_does_not_fit_the_control_is_no_data(
    first: float, share: str
) -> None:
    spool = Spool()
    spool.serve("treatment", 200, 1.0)
    spool.serve("control", 200, 1.0, latency_s=first)  # the days before the provider changed
    for _ in range(500):
        spool.serve("control", 1, 1.0)
        spool.serve("treatment", 1, 1.0, latency_s=10.0)
    found = looked(spool, at_last_step(baseline=None))
    assert found is not None
    assert found.action == "hold"
    latency = guard_of(found, "latency")
    assert latency.status == "no_data"
    assert share in latency.sentence
    assert "the limit does not fit the control" in latency.sentence
    assert latency.sentence in found.reasons


def test_an_outage_that_hits_both_arms_rolls_nothing_back() -> None:
    spool = served(200, 0.9, 0.9)
    for arm in ("control", "treatment"):
        spool.serve(arm, 200, 0.0, error="the provider is down")
    found = looked(spool)
    assert found is not None
    assert found.action == "advance"
    failures = guard_of(found, "hard_failures")
    assert failures.mean_treatment == 0.5
    assert failures.log_e is not None
    assert failures.log_e < 0.0


def test_hard_failures_that_both_arms_have_are_shown_to_be_shared() -> None:
    spool = Spool()
    for arm in ("control", "treatment"):
        spool.serve(arm, 700, 0.9)
        spool.serve(arm, 300, 0.0, hard_failure=True)
    failures = guard_of(looked(spool), "hard_failures")
    assert failures.status == "unharmed"
    assert failures.high is not None
    assert failures.high > failures.margin
    assert failures.sentence.endswith("less than twice the control's")


def test_scores_that_are_all_perfect_prove_nothing_on_few_subjects() -> None:
    few = looked(served(60, 1.0, 1.0), at_last_step())
    assert few is not None
    assert few.action == "hold"
    assert guard_of(few, "score").status == "open"
    assert looked(served(20, 1.0, 0.0)) is not None
    assert guard_of(looked(served(20, 1.0, 0.0)), "score").low is None


def test_nothing_advances_while_a_guard_has_no_data() -> None:
    spool = Spool()
    for arm in ("control", "treatment"):
        spool.serve(arm, 300, 0.9, cost_usd=None)
    for seen, said in (
        (spool, "no data"),
        (served(300, 0.9, 0.9, cost_usd=None), "no data of the treatment"),
    ):
        found = looked(seen)
        assert found is not None
        assert found.action == "hold"
        assert found.reasons == (f"cost: {said}; record it, or start without this guard",)
        assert guard_of(found, "cost").status == "no_data"


def test_a_baseline_that_is_not_known_yet_keeps_a_guard_open() -> None:
    found = looked(served(60, 0.9, 0.9), baseline=None)
    assert found is not None
    assert found.action == "advance"
    latency = guard_of(found, "latency")
    assert latency.status == "open"
    assert "not known yet (60 outcomes)" in latency.sentence


@pytest.mark.parametrize("arm", ["control", "treatment"])
def test_an_empty_arm_is_held_and_never_promoted(arm: str) -> None:
    spool = Spool()
    spool.serve(arm, 10, 0.9)
    found = looked(spool, at_last_step())
    assert found is not None
    assert found.action == "hold"
    empty = "treatment" if arm == "control" else "control"
    assert found.reasons == (f"there is no outcome of the {empty} yet",)


def test_arms_that_lose_subjects_hold_everything_that_is_not_harmed() -> None:
    spool = served(3000, 0.9, 0.9)
    spool.serve("control", 600, 0.9, name="more")
    for record in (None, at_last_step()):
        found = looked(spool, record)
        assert found is not None
        assert found.action == "hold"
        assert found.ratio is not None
        assert found.ratio.is_alarm
        assert "same share of subjects (3,000 and 3,600)" in found.reasons[0]


def test_harm_rolls_back_even_where_the_arms_lose_subjects() -> None:
    spool = served(200, 0.9, 0.5, error="boom")
    spool.serve("control", 200, 0.9, name="more")
    found = looked(spool)
    assert found is not None
    assert (found.action, found.verdict) == ("roll_back", "fail")
    assert found.ratio is not None
    assert found.ratio.is_alarm
    assert guard_of(found, "score").sentence in found.reasons
    assert "same share of subjects (200 and 400)" in found.reasons[-1]


def test_harm_rolls_back_even_where_subjects_met_both_arms() -> None:
    spool = served(200, 0.9, 0.5)
    for stored in spool.events[:12:2]:
        spool.expose(stored.event.model_dump()["subject"], "treatment")
    found = looked(spool)
    assert found is not None
    assert found.action == "roll_back"
    assert found.reasons[-1].startswith("6 of 400 subjects met both arms")


def test_a_doubtful_ratio_puts_a_promotion_off() -> None:
    spool = served(3000, 0.9, 0.9)
    spool.serve("treatment", 220, 0.9, name="more")
    found = looked(spool, at_last_step())
    assert found is not None
    assert found.action == "hold"
    assert found.ratio is not None
    assert not found.ratio.is_alarm
    assert found.reasons == (
        "the arms hardly get the same share of subjects (3,220 and 3,000, p = 0.0053)",
    )


def test_subjects_that_met_both_arms_hold_the_rollout() -> None:
    spool = served(100, 0.9, 0.9)
    for stored in spool.events[:12:2]:
        spool.expose(stored.event.model_dump()["subject"], "treatment")
    found = looked(spool)
    assert found is not None
    assert found.action == "hold"
    assert found.reasons[0].startswith("6 of 200 subjects met both arms")


@pytest.mark.parametrize(("pointer", "said"), [(7, "is at v7"), (None, "is not set"), (2, "v2")])
@pytest.mark.parametrize("state", ["running", "paused", "awaiting_approval"])
def test_a_pointer_that_moved_under_its_feet_aborts(
    pointer: int | None, said: str, state: str
) -> None:
    record = a_record(a_rollout(**PLAN), state=state)
    found = looked(served(60, 0.9, 0.9), record, pointer_number=pointer)
    assert found is not None
    assert (found.action, found.state, found.enrolled) == ("abort", "aborted", 0.0)
    assert said in found.sentence
    assert found.pointer_at == pointer
    assert found.move is None


@pytest.mark.parametrize("state", ["paused", "awaiting_approval"])
def test_nothing_is_decided_while_a_person_is_asked_until_the_maximum_age(state: str) -> None:
    record = a_record(a_rollout(**PLAN, max_age_s=86400), state=state)
    spool = served(200, 0.9, 0.1)
    assert looked(spool, record) is None
    found = looked(spool, record, now_s=86400)
    assert found is not None
    assert (found.action, found.state) == ("roll_back", "rolled_back")
    assert "no proof within 1 days" in found.sentence


@pytest.mark.parametrize("n", [0, 100])
def test_no_proof_in_time_is_reverted_and_never_promoted(n: int) -> None:
    found = looked(served(n, 0.8, 0.8), at_last_step(), now_s=7 * 86400)
    assert found is not None
    assert (found.action, found.verdict) == ("roll_back", "fail")
    assert found.sentence.startswith("Rolled back v2: no proof within 7 days")
    assert found.reasons


def test_proof_at_the_last_moment_is_proof() -> None:
    found = looked(served(3000, 0.9, 0.9), at_last_step(), now_s=7 * 86400)
    assert found is not None
    assert found.action == "promote"


def test_a_step_that_is_complete_at_the_maximum_age_leads_nowhere() -> None:
    found = looked(served(3000, 0.9, 0.9), now_s=7 * 86400)
    assert found is not None
    assert found.action == "roll_back"


def test_a_rollout_that_has_ended_is_not_looked_at() -> None:
    for state in ("promoted", "rolled_back", "aborted"):
        record = a_record(a_rollout(**PLAN), state=state)
        assert looked(served(60, 0.9, 0.9), record, pointer_number=9) is None


def test_nothing_new_is_no_decision() -> None:
    spool = served(20, 0.9, 0.9)
    record = a_record(a_rollout(**PLAN))
    first = looked(spool, record, now_s=100)
    assert first is not None
    assert first.action == "hold"
    after = decided(record, first)
    assert looked(spool, after, now_s=200) is None
    late = looked(spool, after, now_s=4000)  # the outcomes are due: that is news
    assert late is not None
    assert guard_of(late, "missing").status == "open"
    assert guard_of(late, "missing").n_control == 20
    assert looked(spool, decided(after, late), now_s=5000) is None
    spool.serve("control", 1, 1.0, name="new")
    assert looked(spool, decided(after, late), now_s=5000) is not None


def test_silence_after_the_start_is_said_once() -> None:
    record = a_record(a_rollout(**PLAN))
    assert looked(Spool(), record, now_s=599) is None
    said = looked(Spool(), record, now_s=600)
    assert said is not None
    assert said.action == "hold"
    assert said.reasons == (
        "there is no outcome of the control yet",
        "there is no outcome of the treatment yet",
    )
    assert looked(Spool(), decided(record, said), now_s=50_000) is None


def test_events_that_could_not_be_used_are_said() -> None:
    spool = served(20, 0.9, 0.9)
    spool.answer("nobody", "control", 1.0)
    found = looked(spool)
    assert found is not None
    assert found.rejected == 1
    assert found.reasons[-1] == "events that could not be used: no_exposure 1"


def test_the_tally_of_another_rollout_is_refused() -> None:
    record = a_record(a_rollout())
    other = Tally(a_rollout().model_copy(update={"id": "r2"}))
    with pytest.raises(ValueError, match="rollout 'r2', not 'r1'"):
        look(record, other, now=at(1), pointer_number=1)


def test_the_bounds_are_those_of_their_levels_and_change_places_with_the_sign_of_harm() -> None:
    found = looked(served(500, 0.8, 0.8))
    score, latency = guard_of(found, "score"), guard_of(found, "latency")
    for reading in (score, latency):
        assert reading.low is not None
        assert reading.high is not None
        assert reading.low < 0.0 < reading.high
    assert score.low is not None
    assert score.high is not None
    assert score.high > -score.low  # 1 - alpha / guards is wider than 1 - alpha
    assert latency.low is not None
    assert latency.high is not None
    assert -latency.low > latency.high


def test_a_plan_with_its_own_margin_for_missing_outcomes_uses_that() -> None:
    guards = ({"dimension": "tone", "margin": 0.1}, {"dimension": "missing", "margin": 0.3})
    found = looked(served(60, 0.9, 0.9, scores={"tone": 0.5}), guards=guards)
    assert found is not None
    names = [(guard.dimension, guard.margin) for guard in found.guards]
    assert names == [
        ("tone", 0.1),
        ("missing", 0.3),
        ("fewer_outcomes", 0.05),
        ("unscored:tone", 0.02),
    ]


class TestShadow:
    def pairs(self, n: int, broken: int, fixed: int, **changes: Any) -> Spool:
        """`n` pairs: right in both arms but for those that the treatment breaks or fixes."""
        spool = Spool()
        for number in range(n):
            treatment = 0.0 if number < broken else 1.0
            control = 0.0 if broken <= number < broken + fixed else 1.0
            for arm, score in (("control", control), ("treatment", treatment)):
                spool.answer("", arm, score, **{
                    "pair": f"p{number}",
                    "latency_s": 1.0,
                    "cost_usd": 0.01,
                    "hard_failure": score == 0.0,
                    **changes,
                })  # fmt: skip
        return spool

    def test_pairs_prove_with_fewer_subjects_than_arms(self) -> None:
        found = looked(self.pairs(1000, 20, 20), at_last_step(mode="shadow"))
        score = guard_of(found, "score")
        assert score.status == "unharmed"
        assert found is not None
        assert found.ratio is None
        assert guard_of(looked(served(1000, 0.8, 0.8), at_last_step()), "score").status == "open"

    def test_only_pairs_that_differ_are_evidence_of_hard_failures(self) -> None:
        spool = self.pairs(400, 40, 0)
        found = looked(spool, mode="shadow")
        assert found is not None
        assert found.action == "roll_back"
        assert guard_of(found, "hard_failures").status == "harmed"
        both = looked(self.pairs(400, 0, 0, hard_failure=True), mode="shadow")
        assert guard_of(both, "hard_failures").status != "harmed"

    def test_pairs_advance_like_subjects(self) -> None:
        found = looked(self.pairs(100, 1, 1), now_s=500, mode="shadow", min_step_s=0)
        assert found is not None
        assert found.action == "advance"
        assert found.n_at_step == 100
        assert guard_of(found, "missing").status == "open"  # none has waited long enough

    def test_no_pairs_at_all_are_reverted_in_time(self) -> None:
        found = looked(Spool(), at_last_step(mode="shadow"), now_s=7 * 86400)
        assert found is not None
        assert found.action == "roll_back"


def test_a_look_is_pure() -> None:
    record = at_last_step()
    tally = Tally(record.rollout)
    for stored in served(100, 0.9, 0.9).events:
        tally.add(stored)
    once = look(record, tally, now=at(LONG_S), pointer_number=1)
    assert once == look(record, tally, now=at(LONG_S), pointer_number=1)
    standing = tally.standing(at(LONG_S))
    assert once == look_at(record, standing, now=at(LONG_S), pointer_number=1)
