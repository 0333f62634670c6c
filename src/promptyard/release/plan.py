"""How many subjects and days a rollout will take, before it is started."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from promptyard.records.guard_dimensions import (
    COST,
    HARD_FAILURES,
    LATENCY,
    MISSING,
    is_proof_needed,
)
from promptyard.records.rollouts import Guard, Rollout, RolloutPlan
from promptyard.release.guards import all_guards
from promptyard.release.outlook import Spread, proof_level, subjects_needed

POWER = 0.8
"""The share of rollouts of equal prompts that have shown a guard unharmed by the number given."""

SLOW_SHARE = 0.05
"""Answers slower than the control's p95, by definition."""


@dataclass(frozen=True)
class Expected:
    """What is expected of both versions alike.

    `rates` are means of scores by name, in [0, 1]; a score is taken to be right or wrong, which is
    the most that it can vary. `failing` and `missing` are shares of subjects, `cost_spread` is the
    standard deviation of the logarithm of cost. `correlation` is that of both versions on the same
    input, from -1 to 1: what pairs are worth. Anchors on release, conclusion 6, name 0.3 to 0.8.
    """

    rates: Mapping[str, float] = field(default_factory=lambda: {"score": 0.8})
    failing: float = 0.01
    missing: float = 0.005
    cost_spread: float = 0.5
    correlation: float = 0.5


@dataclass(frozen=True)
class PlannedGuard:
    """What it takes to show one guard unharmed: subjects an arm, or pairs in shadow mode.

    `to_detect` is how many show harm of the size of the margin, at the level of a rollback. None
    is more than any traffic gives.
    """

    dimension: str
    margin: float
    split: int | None
    shadow: int | None
    to_detect: int | None


@dataclass(frozen=True)
class PlannedRollout:
    """The guards, the subjects that the slowest of them needs, and the days that takes.

    `subjects` are those of each arm (split) or pairs (shadow), by the mode of the plan. `days`
    counts new subjects alone; None where no traffic was given or no traffic would do. `in_time`
    says whether that is within the plan's maximum age.
    """

    guards: tuple[PlannedGuard, ...]
    subjects: int | None
    days: float | None
    in_time: bool | None
    sentence: str


def plan_rollout(
    rollout: Rollout, *, expected: Expected | None = None, subjects_per_day: float | None = None
) -> PlannedRollout:
    """Return what a rollout needs if both versions are equal and as `expected`.

    `subjects_per_day` are all new subjects of the application, enrolled or not. Raises ValueError
    for expectations outside their ranges. Costs no calls.
    """
    plan = rollout.plan
    assumed = expected or Expected()
    guards = tuple(
        _planned(guard, plan, assumed, len(all_guards(plan, rollout)))
        for guard in all_guards(plan, rollout)
        if is_proof_needed(guard.dimension)
    )
    is_shadow = plan.mode == "shadow"
    needs = [guard.shadow if is_shadow else guard.split for guard in guards]
    known = [need for need in needs if need is not None]
    subjects = None
    if len(known) == len(needs):
        subjects = max(*known, plan.min_subjects * len(plan.steps))  # no step is left out
    days = None
    if subjects is not None and subjects_per_day is not None and subjects_per_day > 0.0:
        days = _days(plan, subjects, subjects_per_day)
    in_time = None if days is None else days * 86400.0 <= plan.max_age_s
    sentence = _sentence(guards, is_shadow=is_shadow, subjects=subjects, days=days, plan=plan)
    return PlannedRollout(guards, subjects, days, in_time, sentence)


def _planned(guard: Guard, plan: RolloutPlan, expected: Expected, n_guards: int) -> PlannedGuard:
    variance, pad = _variance(guard.dimension, expected)
    late = plan.baseline_outcomes if guard.dimension in {LATENCY, COST} else 0
    if plan.baseline is not None:
        late = 0
    arms = Spread(2.0 * variance, 2.0 * pad)
    pad_of_pairs = pad if guard.dimension == COST else 2.0
    pairs = Spread(2.0 * variance * (1.0 - expected.correlation), pad_of_pairs, is_paired=True)
    alpha, horizon = proof_level(plan, guard.dimension)
    split, shadow = (
        subjects_needed(spread, guard.margin, alpha=alpha, horizon=horizon, power=POWER)
        for spread in (arms, pairs)
    )
    to_detect = subjects_needed(
        pairs if plan.mode == "shadow" else arms,
        guard.margin,
        alpha=plan.alpha / n_guards,
        horizon=plan.horizon,
        power=POWER,
    )
    return PlannedGuard(
        dimension=guard.dimension,
        margin=guard.margin,
        split=None if split is None else split + late,
        shadow=None if shadow is None else shadow + late,
        to_detect=None if to_detect is None else to_detect + late,
    )


def _variance(dimension: str, expected: Expected) -> tuple[float, float]:
    """Return the variance of one arm's values and the sum of squares of their pad."""
    if not -1.0 <= expected.correlation < 1.0 or not 0.0 <= expected.cost_spread < math.inf:
        raise ValueError(
            "a correlation lies in [-1, 1) and a spread is at least 0, got "
            f"{expected.correlation} and {expected.cost_spread}"
        )
    if dimension == COST:
        return expected.cost_spread**2, 2.0 * math.log(2.0) ** 2
    rates = {HARD_FAILURES: expected.failing, MISSING: expected.missing, LATENCY: SLOW_SHARE}
    rate = rates.get(dimension, expected.rates.get(dimension, 0.8))
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"the rate of '{dimension}' lies in [0, 1], got {rate}")
    return rate * (1.0 - rate), rate**2 + (1.0 - rate) ** 2


def _days(plan: RolloutPlan, subjects: int, subjects_per_day: float) -> float | None:
    """Go through the steps: each takes its time and its subjects, the last one all that is left.

    None where so few take part that the numbers end.
    """
    arms = 1.0 if plan.mode == "shadow" else 2.0
    days, so_far = 0.0, 0.0
    for number, percent in enumerate(plan.steps):
        rate = subjects_per_day * percent / 100.0 / arms
        if rate <= 0.0:
            return None
        wanted = float(plan.min_subjects)
        if number + 1 == len(plan.steps):
            wanted = max(wanted, subjects - so_far)
        spent = max(plan.min_step_s / 86400.0, wanted / rate)
        days += spent
        so_far += spent * rate
    return days if math.isfinite(days) else None


def _sentence(
    guards: tuple[PlannedGuard, ...],
    *,
    is_shadow: bool,
    subjects: int | None,
    days: float | None,
    plan: RolloutPlan,
) -> str:
    unit = "pairs" if is_shadow else "subjects an arm"
    if subjects is None:
        never = [g.dimension for g in guards if (g.shadow if is_shadow else g.split) is None]
        return f"No number of {unit} would show {', '.join(never)} unharmed: widen the margin."
    slowest = max(guards, key=lambda g: (g.shadow if is_shadow else g.split) or 0)
    said = f"About {subjects:,} {unit} are needed, most of them for {slowest.dimension}"
    if days is None:
        return f"{said}."
    limit = plan.max_age_s / 86400.0
    if days > limit:
        fewer = "" if is_shadow else "; shadow mode needs fewer"
        return (
            f"{said}; that takes {days:.1f} days, and after {limit:g} days the rollout is "
            f"reverted: raise the maximum age or the margins{fewer}."
        )
    return f"{said}; that takes {days:.1f} days."
