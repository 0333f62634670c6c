from __future__ import annotations

import math
import random
from typing import Any

import pytest

from promptyard.records.live import Outcome, StoredEvent
from promptyard.release.standing import Column, Standing
from promptyard.release.tally import Tally, seconds
from support.rollout_events import BASELINE, Spool, a_rollout, at

KNOWN: dict[str, Any] = {"baseline": BASELINE}


def counted(spool: Spool, now_s: float = 10_000, **plan: Any) -> Standing:
    return tally_of(spool, **plan).standing(at(now_s))


def tally_of(spool: Spool, **plan: Any) -> Tally:
    tally = Tally(a_rollout(**plan))
    for stored in spool.events:
        tally.add(stored)
    return tally


def test_a_subject_counts_once_with_the_mean_of_its_answers() -> None:
    spool = Spool()
    for subject, scores in (("a", [1.0, 0.0, 0.0, 0.0]), ("b", [1.0])):
        spool.expose(subject, "control")
        for score in scores:
            spool.answer(subject, "control", score)
    column = counted(spool).columns["score"]
    assert column.control.n == 2
    assert column.control.mean == pytest.approx((0.25 + 1.0) / 2)
    assert column.control.variance == pytest.approx(0.75**2 / 2)
    assert column.treatment.n == 0


def test_one_bad_answer_makes_a_subject_one_that_failed_and_an_error_is_one() -> None:
    spool = Spool()
    rows: list[tuple[str, list[dict[str, Any]]]] = [
        ("a", [{}, {"hard_failure": True}, {"hard_failure": False}]),
        ("b", [{"error": "timeout"}]),
        ("c", [{}]),
    ]
    for subject, answers in rows:
        spool.expose(subject, "treatment")
        for answer in answers:
            spool.answer(subject, "treatment", 1.0, **answer)
    failures = counted(spool).columns["hard_failures"].treatment
    assert (failures.n, failures.mean) == (3, pytest.approx(2 / 3))


def test_the_baseline_is_frozen_and_only_later_outcomes_are_measured_by_it() -> None:
    spool = Spool()
    spool.expose("t", "treatment")
    spool.answer("t", "treatment", latency_s=99.0, cost_usd=9.0)  # before the baseline is known
    for number in range(20):
        spool.expose(f"c{number}", "control")
        spool.answer(f"c{number}", "control", latency_s=number / 10, cost_usd=0.01)
    before = counted(spool, baseline_outcomes=20)
    assert before.baseline is not None
    assert before.baseline.latency_p95_s == pytest.approx(1.805)
    assert "latency" not in before.columns
    for arm, latency_s, cost_usd in (("control", 1.8, 0.01), ("treatment", 1.9, 0.005)):
        spool.expose(f"later {arm}", arm)
        spool.answer(f"later {arm}", arm, latency_s=latency_s, cost_usd=cost_usd)
    after = counted(spool, baseline_outcomes=20)
    assert after.baseline == before.baseline
    latency, cost = after.columns["latency"], after.columns["cost"]
    assert (latency.control.n, latency.control.mean) == (1, 0.0)
    assert (latency.treatment.n, latency.treatment.mean) == (1, 1.0)
    assert cost.treatment.mean - cost.control.mean == pytest.approx(math.log(0.5))


def test_a_cost_beyond_the_cap_counts_as_the_cap_and_a_free_answer_is_no_error() -> None:
    spool = Spool()
    for number, cost_usd in enumerate((500.0, 0.0)):
        spool.expose(f"{number}", "treatment")
        spool.answer(f"{number}", "treatment", cost_usd=cost_usd)
    costs = counted(spool, **KNOWN).columns["cost"].treatment
    assert costs.mean == pytest.approx((0.0 + math.log(1e-6)) / 2)
    free = BASELINE.model_copy(update={"cost_p999_usd": 0.0})
    costs = counted(spool, baseline=free).columns["cost"].treatment
    assert costs.mean == pytest.approx((math.log(500.0) + math.log(1e-6)) / 2)


def test_who_has_no_outcome_is_missing_once_the_window_is_over() -> None:
    spool = Spool()
    spool.expose("a", "control")
    spool.expose("b", "treatment")
    spool.answer("a", "control", 1.0)
    tally = tally_of(spool, outcome_window_s=600)
    assert "missing" not in tally.standing(at(600)).columns
    late = tally.standing(at(602)).columns["missing"]
    assert (late.control.mean, late.treatment.mean) == (0.0, 1.0)
    tally.add(spool.answer("b", "treatment", 1.0))  # it comes late, and counts
    assert tally.standing(at(603)).columns["missing"].treatment.mean == 0.0


def test_outcomes_are_counted_for_each_subject_that_is_due_as_a_logarithm() -> None:
    spool = Spool()
    for subject, arm, n in (("a", "control", 3), ("b", "control", 0), ("c", "treatment", 1)):
        spool.expose(subject, arm)
        for _ in range(n):
            spool.answer(subject, arm, 1.0)
    tally = tally_of(spool, outcome_window_s=600)
    assert "fewer_outcomes" not in tally.standing(at(600)).columns
    column = tally.standing(at(602)).columns["fewer_outcomes"]
    assert column.control.mean == pytest.approx(math.log(4) / 2)
    assert column.treatment.mean == pytest.approx(math.log(2))
    tally.add(spool.answer("c", "treatment", 1.0))
    assert tally.standing(at(603)).columns["fewer_outcomes"].treatment.n == 1
    again = tally.standing(at(604)).columns["fewer_outcomes"].treatment.mean
    assert again == pytest.approx(math.log(3))


def test_one_subject_with_endless_calls_does_not_carry_an_arm() -> None:
    spool = Spool()
    spool.expose("bot", "control")
    for _ in range(2000):
        spool.answer("bot", "control", 1.0)
    assert counted(spool).columns["fewer_outcomes"].control.mean == pytest.approx(math.log(1001))


def test_who_met_both_arms_is_in_neither_and_counted() -> None:
    spool = Spool()
    for subject, arm in (("a", "control"), ("b", "control"), ("c", "treatment")):
        spool.expose(subject, arm)
        spool.answer(subject, arm, 1.0, latency_s=1.0)
    alone = counted(spool, **KNOWN)
    spool.expose("x", "control")
    spool.answer("x", "control", 0.25, latency_s=5.0, hard_failure=True)
    spool.expose("x", "treatment")
    spool.answer("x", "control", 0.5)
    spool.say("o8", scores={"score": 0.75})
    spool.expose("x", "control")
    both = counted(spool, **KNOWN)
    assert both.columns == alone.columns
    assert (both.n_both, both.n_exposed, both.n_subjects) == (1, (2, 1), (2, 1))
    assert both.rejected == {"both_arms": 1}


def test_outcomes_that_come_before_their_exposure_wait_for_it() -> None:
    spool = Spool()
    first = spool.answer("a", "control", 0.5, latency_s=9.0)
    spool.say(first.event.id, scores={"score": 0.25})
    spool.answer("a", "treatment", 1.0)
    spool.answer("b", "treatment", 1.0)
    early = counted(spool, **KNOWN)
    assert early.rejected == {"no_exposure": 3, "no_outcome": 1}
    assert early.n_subjects == (0, 0)
    assert not early.columns
    spool.expose("a", "control")
    spool.events.append(first.model_copy(update={"seq": 6}))
    standing = counted(spool, **KNOWN)
    assert standing.rejected == {"no_exposure": 1, "wrong_arm": 1, "repeated": 1}
    assert (standing.n_exposed, standing.n_subjects) == ((1, 0), (1, 0))
    assert standing.columns["score"].control.mean == 0.25
    assert standing.columns["latency"].control.mean == 1.0
    assert standing.columns["missing"].control.mean == 0.0


def test_only_so_many_outcomes_wait_for_an_exposure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptyard.release.tally.MOST_EARLY", 2)
    spool = Spool()
    for subject in ("a", "b", "c"):
        spool.answer(subject, "control", 1.0)
    for subject in ("a", "b", "c"):
        spool.expose(subject, "control")
    standing = counted(spool)
    assert standing.n_subjects == (2, 0)
    assert standing.rejected == {"no_exposure": 1}


def test_the_latest_word_on_an_outcome_counts_even_if_it_comes_before_the_outcome() -> None:
    spool = Spool()
    spool.expose("a", "control")
    spool.say("o5", scores={"score": 0.5})
    assert counted(spool).rejected == {"no_outcome": 1}
    spool.say("o5", scores={"score": 0.25, "tone": 0.9}, hard_failure=True)
    spool.say("o77", scores={"score": 0.5})
    spool.answer("a", "control", 1.0)
    standing = counted(spool)
    assert standing.columns["score"].control.mean == 0.25
    assert standing.columns["hard_failures"].control.mean == 1.0
    assert standing.rejected == {"no_outcome": 1}
    spool.say("o5", scores={"score": 1.0}, hard_failure=False)
    standing = counted(spool)
    assert standing.columns["score"].control.mean == 1.0
    assert standing.columns["hard_failures"].control.mean == 0.0


def test_a_later_word_does_not_make_an_error_a_success() -> None:
    spool = Spool()
    spool.expose("a", "treatment")
    spool.answer("a", "treatment", error="TimeoutError")
    spool.say("o2", hard_failure=False)
    assert counted(spool).columns["hard_failures"].treatment.mean == 1.0


def test_only_subjects_that_were_scored_are_in_the_score_and_the_others_are_counted() -> None:
    spool = Spool()
    for number in range(4):
        spool.expose(f"{number}", "treatment")
        spool.answer(f"{number}", "treatment", 1.0 if number == 0 else None)
    columns = counted(spool).columns
    assert columns["score"].treatment.n == 1
    assert columns["unscored:score"].treatment.mean == 0.75
    spool.say("o4", source="judge", scores={"score": 0.0})
    columns = counted(spool).columns
    assert (columns["score"].treatment.n, columns["score"].treatment.mean) == (2, 0.5)
    assert columns["unscored:score"].treatment.mean == 0.5


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rollout_id": "r9"}, "unknown_rollout"),
        ({"rollout_id": None}, "unknown_rollout"),
        ({"prompt": "other"}, "wrong_prompt"),
        ({"arm": None}, "no_arm"),
        ({"arm": "treatment"}, "wrong_version"),
        ({"arm": "treatment", "version": 2, "digest": "two"}, "wrong_arm"),
        ({"version": 3}, "wrong_version"),
        ({"digest": "tampered"}, "wrong_digest"),
        ({"subject": "stranger"}, "no_exposure"),
        ({"id": "o2"}, "repeated"),
    ],
)
def test_an_outcome_that_is_not_of_this_rollout_is_rejected(
    changes: dict[str, Any], reason: str
) -> None:
    spool = Spool()
    spool.expose("a", "control")
    spool.answer("a", "control", 1.0)
    before = counted(spool)
    spool.answer("a", "control", 0.0, **changes)
    after = counted(spool)
    assert after.rejected == {reason: 1}
    assert after.columns == before.columns


def test_an_exposure_to_what_is_not_served_is_rejected() -> None:
    spool = Spool()
    spool.expose("a", "control", digest="tampered")
    spool.expose("b", "treatment", version=9)
    spool.expose("c", "treatment", rollout_id="r9")
    standing = counted(spool)
    assert standing.rejected == {"wrong_digest": 1, "wrong_version": 1, "unknown_rollout": 1}
    assert standing.n_exposed == (0, 0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, 2.0])
@pytest.mark.parametrize("field", ["scores", "latency_s", "cost_usd"])
def test_numbers_that_are_none_never_enter_a_mean(value: float, field: str) -> None:
    """Records refuse them; the tally does so, too, whoever has built the record."""
    if field != "scores" and value == 2.0:
        value = -math.inf
    spool = Spool()
    spool.expose("a", "control")
    good = spool.answer("a", "control", 1.0, latency_s=1.0, cost_usd=1.0).event
    assert isinstance(good, Outcome)
    before = counted(spool, **KNOWN)
    bad = good.model_copy(
        update={"id": "o9", field: {"score": value} if field == "scores" else value}
    )
    spool.store(good)
    spool.events[-1] = StoredEvent.model_construct(seq=3, stored_at=at(1), event=bad)
    after = counted(spool, **KNOWN)
    assert after.rejected == {"bad_value": 1}
    assert after.columns == before.columns


def test_feedback_that_is_no_number_is_rejected() -> None:
    spool = Spool()
    spool.expose("a", "control")
    spool.answer("a", "control", 1.0)
    said = spool.say("o2", scores={"score": 0.5})
    bad = said.event.model_copy(update={"scores": {"score": math.nan}})
    spool.events[-1] = StoredEvent.model_construct(seq=3, stored_at=at(1), event=bad)
    standing = counted(spool)
    assert standing.rejected == {"bad_value": 1}
    assert standing.columns["score"].control.mean == 1.0


def test_the_same_events_again_change_nothing() -> None:
    spool = Spool()
    spool.serve("control", 5, 0.6)
    spool.serve("treatment", 5, 0.6)
    tally = tally_of(spool, **KNOWN)
    once = tally.standing(at(5000))
    for stored in spool.events:
        tally.add(stored)
    twice = tally.standing(at(5000))
    assert twice.columns == once.columns
    assert twice.through == once.through == 20
    assert twice.rejected == {"repeated": 20}


def test_what_is_stored_after_the_end_is_rejected() -> None:
    spool = Spool()
    spool.expose("a", "control")
    spool.time_s = 101.0
    spool.answer("a", "control", 1.0)
    tally = Tally(a_rollout(), ended_at=at(100))
    for stored in spool.events:
        tally.add(stored)
    assert tally.rejected == {"after_end": 1}
    assert tally.standing(at(200)).n_subjects == (0, 0)


def test_how_the_events_are_portioned_makes_no_difference() -> None:
    """The same numbers to the last bit: a replay must find what the engine found."""
    rng = random.Random(5)
    spool = Spool()
    for number in range(300):
        arm = rng.choice(["control", "treatment"])
        spool.time_s += rng.random()
        spool.expose(f"{number}", arm)
        for _ in range(rng.randrange(3)):
            score = None if rng.random() < 0.2 else rng.random()
            stored = spool.answer(f"{number}", arm, score, latency_s=4 * rng.random(), cost_usd=0.1)
            if rng.random() < 0.3:
                spool.say(stored.event.id, scores={"score": rng.random()})
    at_once = counted(spool, now_s=700, **KNOWN)
    bit_by_bit = Tally(a_rollout(**KNOWN))
    for stored in spool.events:
        bit_by_bit.add(stored)
        bit_by_bit.standing(stored.stored_at)
    assert bit_by_bit.standing(at(700)) == at_once


def test_sums_that_changed_often_are_those_of_the_values_that_stand() -> None:
    rng = random.Random(6)
    spool = Spool()
    last: dict[str, float] = {}
    for number in range(50):
        spool.expose(f"{number}", "control")
        spool.answer(f"{number}", "control", 1.0)
    ids = [stored.event.id for stored in spool.events if stored.event.kind == "outcome"]
    for _ in range(5_000):
        outcome = rng.choice(ids)
        last[outcome] = rng.random()
        spool.say(outcome, scores={"score": last[outcome]})
    values = [last[name] for name in ids]
    mean = math.fsum(values) / 50
    sample = counted(spool).columns["score"].control
    assert sample.mean == pytest.approx(mean, abs=1e-12)
    assert sample.variance == pytest.approx(math.fsum((v - mean) ** 2 for v in values) / 49)


class TestShadow:
    def pairs(self, rows: list[tuple[str, float, float]], **changes: Any) -> Column:
        spool = Spool()
        for number, (subject, control, treatment) in enumerate(rows):
            spool.answer(subject, "control", control, pair=f"p{number}", **changes)
            spool.answer(subject, "treatment", treatment, pair=f"p{number}", **changes)
        return counted(spool, mode="shadow", **KNOWN).columns["score"]

    def test_pairs_are_compared_within_themselves(self) -> None:
        column = self.pairs([("", 1.0, 0.5), ("", 0.0, 0.0), ("", 1.0, 1.0)])
        assert column.difference is not None
        assert column.difference.n == column.control.n == column.treatment.n == 3
        assert column.difference.mean == pytest.approx(-0.5 / 3)
        assert column.difference.variance == pytest.approx(0.25 / 3)

    def test_pairs_of_one_subject_are_one_difference(self) -> None:
        column = self.pairs([("a", 1.0, 0.5), ("a", 0.0, 0.0), ("b", 1.0, 1.0)])
        assert column.difference is not None
        assert (column.difference.n, column.difference.mean) == (2, pytest.approx(-0.125))

    def test_half_a_pair_is_compared_with_nothing_and_missing_after_the_window(self) -> None:
        spool = Spool()
        spool.answer("a", "control", 1.0, pair="p1")
        spool.answer("b", "control", 1.0, pair="p2")
        spool.answer("b", "treatment", 0.0, pair="p2")
        standing = counted(spool, mode="shadow", **KNOWN)
        score, missing = standing.columns["score"], standing.columns["missing"]
        assert score.control.n == score.treatment.n == 1
        assert (missing.control.mean, missing.treatment.mean) == (0.0, 0.5)
        assert standing.n_subjects == (1, 1)

    def test_pairs_that_cannot_be_are_rejected(self) -> None:
        spool = Spool()
        spool.answer("a", "control", 1.0)
        spool.answer("b", "control", 1.0, pair="p2")
        spool.answer("b", "control", 0.0, pair="p2")
        assert counted(spool, mode="shadow").rejected == {"no_pair": 1, "repeated": 1}

    def test_a_pair_is_of_the_subject_that_its_first_outcome_names(self) -> None:
        spool = Spool()
        first = spool.answer("a", "control", 1.0, pair="p1")
        spool.answer("", "treatment", 0.5, pair="p1")
        spool.say(first.event.id, scores={"score": 0.0})
        column = counted(spool, mode="shadow").columns["score"]
        assert column.difference is not None
        assert (column.difference.n, column.difference.mean) == (1, 0.5)

    def test_later_words_change_a_pair(self) -> None:
        spool = Spool()
        first = spool.answer("a", "control", 1.0, pair="p1")
        spool.answer("a", "treatment", pair="p1")
        assert "score" not in counted(spool, mode="shadow").columns
        spool.say("o2", scores={"score": 0.0})
        spool.say(first.event.id, scores={"score": 0.5}, hard_failure=True)
        columns = counted(spool, mode="shadow").columns
        assert columns["score"].difference is not None
        assert columns["score"].difference.mean == -0.5
        assert columns["hard_failures"].difference is not None
        assert columns["hard_failures"].difference.mean == -1.0


def test_times_are_utc_where_they_name_no_zone() -> None:
    assert seconds("2026-01-01T00:00:00") == seconds("2026-01-01T01:00:00+01:00")
    with pytest.raises(ValueError, match="soon"):
        seconds("soon")
