from __future__ import annotations

import numpy as np
import pytest

from promptyard.records.rollouts import Guard
from promptyard.release.guards import read_guards
from promptyard.release.plan import Expected, PlannedGuard, plan_rollout
from promptyard.release.standing import Column, Standing
from promptyard.stats.confidence_sequence import Sample
from support.rollout_events import BASELINE, a_rollout


def guard_of(guards: tuple[PlannedGuard, ...], dimension: str) -> PlannedGuard:
    return next(guard for guard in guards if guard.dimension == dimension)


def share_unharmed(dimension: str, columns: list[Column], **plan: object) -> float:
    rollout = a_rollout(guards=(Guard(dimension=dimension, margin=MARGINS[dimension]),), **plan)
    n_unharmed = 0
    for column in columns:
        standing = Standing(1, (9, 9), (9, 9), {dimension: column})
        n_unharmed += read_guards(rollout, standing)[0].status == "unharmed"
    return n_unharmed / len(columns)


MARGINS = {"score": 0.03, "latency": 0.025, "hard_failures": 0.01}


def of_hits(n: int, hits: int) -> Sample:
    return Sample.of_sums(n, float(hits), float(hits))


@pytest.mark.parametrize(
    ("dimension", "rate"), [("score", 0.8), ("score", 0.95), ("latency", 0.05)]
)
def test_four_of_five_rollouts_have_their_proof_after_the_planned_subjects(
    dimension: str, rate: float
) -> None:
    planned = plan_rollout(a_rollout(baseline=BASELINE), expected=Expected(rates={"score": rate}))
    n = guard_of(planned.guards, dimension).split
    assert n is not None
    rng = np.random.default_rng(1)
    hits = rng.binomial(n, rate, size=(2_000, 2)).tolist()
    columns = [Column(of_hits(n, a), of_hits(n, b)) for a, b in hits]
    assert share_unharmed(dimension, columns) == pytest.approx(0.8, abs=0.03)


def test_hard_failures_need_at_most_what_is_planned() -> None:
    """Their share is a second way to the proof, which the plan leaves out."""
    n = guard_of(plan_rollout(a_rollout()).guards, "hard_failures").split
    assert n is not None
    hits = np.random.default_rng(2).binomial(n, 0.01, size=(2_000, 2)).tolist()
    columns = [Column(of_hits(n, a), of_hits(n, b)) for a, b in hits]
    assert 0.77 <= share_unharmed("hard_failures", columns) <= 0.9


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8])
def test_pairs_have_their_proof_after_the_planned_number(correlation: float) -> None:
    expected = Expected(correlation=correlation)
    planned = plan_rollout(a_rollout(mode="shadow"), expected=expected)
    n = guard_of(planned.guards, "score").shadow
    assert n is not None
    psi = 2 * 0.8 * 0.2 * (1 - correlation)
    counts = np.random.default_rng(3).multinomial(n, [psi / 2, psi / 2, 1 - psi], size=2_000)
    arm = of_hits(n, round(0.8 * n))
    columns = [
        Column(arm, arm, Sample.of_sums(n, float(a - b), float(a + b)))
        for a, b, _ in counts.tolist()
    ]
    found = share_unharmed("score", columns, mode="shadow")
    assert found == pytest.approx(0.8, abs=0.03)


def test_pairs_are_worth_the_more_the_more_they_agree() -> None:
    def pairs(correlation: float) -> int:
        planned = plan_rollout(a_rollout(mode="shadow"), expected=Expected(correlation=correlation))
        assert planned.subjects is not None
        return guard_of(planned.guards, "score").shadow or 0

    split = guard_of(plan_rollout(a_rollout()).guards, "score").split
    assert split is not None
    assert pairs(0.8) < pairs(0.6) < pairs(0.3) < pairs(0.0)
    assert split / pairs(0.3) == pytest.approx(1.4, abs=0.15)  # the anchors' factors
    assert split / pairs(0.6) == pytest.approx(2.5, abs=0.3)


def test_the_slowest_guard_and_the_steps_decide_how_long_it_takes() -> None:
    plan = {"steps": (10, 100), "min_subjects": 100, "min_step_s": 3600}
    planned = plan_rollout(a_rollout(**plan), subjects_per_day=2_000)
    assert planned.subjects is not None
    assert planned.subjects == max(guard.split or 0 for guard in planned.guards)
    assert planned.days == pytest.approx(1.0 + (planned.subjects - 100) / 1_000)
    assert planned.in_time
    assert "most of them for score" in planned.sentence
    slow = plan_rollout(a_rollout(**plan), subjects_per_day=200)
    assert slow.in_time is False
    assert "after 7 days the rollout is reverted" in slow.sentence
    assert "shadow mode needs fewer" in slow.sentence
    assert plan_rollout(a_rollout(**plan)).days is None


@pytest.mark.parametrize(("steps", "per_day"), [((2, 100), 5e-324), ((5e-324, 100), 2.0)])
def test_no_days_are_named_where_nobody_would_ever_take_part(
    steps: tuple[float, ...], per_day: float
) -> None:
    planned = plan_rollout(a_rollout(steps=steps), subjects_per_day=per_day)
    assert (planned.days, planned.in_time) == (None, None)


def test_many_short_steps_take_their_time_whatever_the_traffic() -> None:
    planned = plan_rollout(a_rollout(min_step_s=3600), subjects_per_day=1e9)
    assert planned.days == pytest.approx(5 / 24)


def test_what_can_hardly_vary_still_needs_subjects_and_an_outcome_of_a_baseline() -> None:
    sure = Expected(rates={"score": 1.0}, failing=0.0, missing=0.0, cost_spread=0.0)
    planned = plan_rollout(a_rollout(), expected=sure)
    assert all((guard.split or 0) > 80 for guard in planned.guards)
    known = plan_rollout(a_rollout(baseline=BASELINE), expected=sure)
    with_baseline = guard_of(planned.guards, "latency").split
    without = guard_of(known.guards, "latency").split
    assert with_baseline is not None
    assert without is not None
    assert with_baseline - without == 200


def test_seeing_harm_of_the_size_of_a_margin_takes_more_than_excluding_it() -> None:
    score = guard_of(plan_rollout(a_rollout()).guards, "score")
    assert score.to_detect is not None
    assert score.split is not None
    assert 2_000 < score.split < score.to_detect < 10_000


@pytest.mark.parametrize(
    "expected",
    [
        Expected(correlation=1.0),
        Expected(rates={"score": 1.5}),
        Expected(failing=-0.1),
        Expected(cost_spread=-1.0),
    ],
)
def test_expectations_that_cannot_be_are_refused(expected: Expected) -> None:
    with pytest.raises(ValueError, match=r"lies in|at least 0"):
        plan_rollout(a_rollout(), expected=expected)
