"""Reads every guard of a rollout off its columns: harmed, unharmed, open or without data.

Harm and no harm are two claims with two bounds. One guard that is harmed ends a rollout, so each is
tested at alpha / guards (Bonferroni); all must be unharmed to promote, so each is shown at alpha
(an intersection-union test needs no correction). Source: anchors on release, 2.3 (f) and 2.4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from promptyard.records.guard_dimensions import (
    COST,
    FEWER,
    HARD_FAILURES,
    IN_LOGARITHMS,
    LATENCY,
    MISSING,
    unscored,
)
from promptyard.records.rollouts import Guard, GuardReading, GuardStatus, Rollout, RolloutPlan
from promptyard.release.standing import Column, Standing, score_names
from promptyard.release.wording import guard_sentence
from promptyard.stats.confidence_sequence import Sample, difference_half_width, mean_half_width
from promptyard.stats.hard_failures import log_e_above, log_e_share_above, log_e_share_below

FEWEST = 30
"""Subjects an arm below which no bound is used: they rest on the central limit theorem."""

UNMEASURED: Mapping[str, str] = {
    HARD_FAILURES: "that did not fail were not looked at for hard failures",
    LATENCY: "have no latency",
    COST: "have no cost",
}

PROOF_HORIZONS = 3
"""Horizons at which the bounds of no harm are narrowest.

Harm that matters shows within about `plan.horizon` subjects, a margin of a few points takes several
times as many. With one horizon for both, equal prompts are promoted 2 points less often.
"""

FEWER_MARGIN = 0.05
"""How many fewer outcomes a subject may seem to leave, as a logarithm, when its arm is promoted."""

MOST_SLOW = 0.4
"""The share of the control's slow answers above which its limit, which 5 % passed, fits no more."""

SURE_OF_SLOW = 400
"""Subjects of the control of whom one comes near the limit, if that of its first outcomes fits."""

RATE_PART = 0.8
"""The part of alpha with which hard failures are compared by rate; the rest goes to their share."""

_PAD = math.log(2.0)
"""How far a logarithm may lie from the mean before a spread has shown: half or twice."""


class Bounds(NamedTuple):
    """A difference of means with its bounds: against harm and for the proof of no harm."""

    difference: float
    harm: float
    proof: float


def all_guards(plan: RolloutPlan, rollout: Rollout) -> tuple[Guard, ...]:
    """Return the plan's guards and those that every rollout has beside them.

    Subjects without an outcome (`missing`), fewer outcomes a subject (`fewer_outcomes`; pairs have
    one each) and, for each score, answers without it (`unscored:<name>`): otherwise what crashes
    would hide itself.
    """
    guards = list(plan.guards)
    if all(guard.dimension != MISSING for guard in guards):
        guards.append(Guard(dimension=MISSING, margin=plan.missing_margin))
    if plan.mode == "split" and all(guard.dimension != FEWER for guard in guards):
        guards.append(Guard(dimension=FEWER, margin=FEWER_MARGIN))
    guards += [
        Guard(dimension=unscored(name), margin=plan.missing_margin) for name in score_names(rollout)
    ]
    return tuple(guards)


def is_less_seen(reading: GuardReading) -> bool:
    """Say whether a treatment seems to leave fewer outcomes, shown or not."""
    return reading.dimension == FEWER and (reading.difference or 0.0) < -reading.margin


def less_measured(rollout: Rollout, standing: Standing) -> list[str]:
    """Say which values the treatment's answers lack more often than the control's.

    Who is not measured is in no mean, or counts as no failure: a scorer that breaks on bad answers,
    bad scores that come late, or a client that gives up without a time, would hide them.
    """
    found: list[str] = []
    for name in (guard.dimension for guard in rollout.plan.guards):
        column = standing.columns.get(unscored(name))
        if column is None:
            continue
        control, treatment = column.control.mean, column.treatment.mean
        lack = UNMEASURED.get(name, f"have no '{name}'")
        if treatment - control > rollout.plan.missing_margin:
            found.append(
                f"{100 * treatment:.1f} % of the treatment's answers beside {100 * control:.1f} % "
                f"{lack}, so what they are like is not known"
            )
    return found


def read_guards(rollout: Rollout, standing: Standing) -> tuple[GuardReading, ...]:
    """Read all guards at one look. Pure; costs no calls."""
    guards = all_guards(rollout.plan, rollout)
    alpha_harm = rollout.plan.alpha / len(guards)
    return tuple(_read(guard, rollout, standing, alpha_harm) for guard in guards)


def _read(guard: Guard, rollout: Rollout, standing: Standing, alpha_harm: float) -> GuardReading:
    name = guard.dimension
    worse: Literal[-1, 1] = -1 if name == FEWER or name in score_names(rollout) else 1
    column = standing.columns.get(name)
    if column is None or not column.control.n or not column.treatment.n:
        return _without_data(guard, standing, worse)
    plan = rollout.plan
    proof_alpha = plan.alpha * RATE_PART if name == HARD_FAILURES else plan.alpha
    bounds = _bounds(column, name, worse, plan.horizon, alpha_harm, proof_alpha)
    log_e = _log_e_harm(column, guard.margin) if name == HARD_FAILURES else None
    status: GuardStatus = "open"
    if _is_harmed(bounds, worse, log_e, alpha_harm):
        status = "harmed"
    elif worse * bounds.proof < guard.margin or (
        name == HARD_FAILURES and _is_share_small(column, plan.alpha * (1.0 - RATE_PART))
    ):
        status = "unharmed"
    if status != "harmed" and name == LATENCY and not _is_limit_fit(column.control, standing, plan):
        status = "no_data"
    low, high = (bounds.proof, bounds.harm) if worse < 0 else (bounds.harm, bounds.proof)
    reading = GuardReading(
        dimension=name,
        status=status,
        margin=guard.margin,
        worse=worse,
        n_control=column.control.n,
        n_treatment=column.treatment.n,
        mean_control=column.control.mean,
        mean_treatment=column.treatment.mean,
        difference=bounds.difference,
        low=low if math.isfinite(low) else None,
        high=high if math.isfinite(high) else None,
        log_e=log_e,
    )
    return reading.model_copy(update={"sentence": guard_sentence(reading)})


def _is_limit_fit(control: Sample, standing: Standing, plan: RolloutPlan) -> bool:
    """Say whether the limit of latency still tells the control's slow answers from the others.

    Where nearly all are slow, or all take less than half the limit, the treatment could be slower
    without a trace. A limit that the plan gives may be one that the control never reaches.
    """
    if control.n < FEWEST:
        return True
    is_given = plan.baseline is not None and plan.baseline.latency_p95_s is not None
    limit_s = (standing.baseline.latency_p95_s if standing.baseline else None) or 0.0
    slowest_s = limit_s if standing.slowest_s is None else standing.slowest_s
    is_far = not is_given and control.n >= SURE_OF_SLOW and slowest_s < limit_s / 2.0
    return control.mean <= MOST_SLOW and not is_far


def _without_data(guard: Guard, standing: Standing, worse: Literal[-1, 1]) -> GuardReading:
    """Tell data that are still to come, as far as one can see, from none at all."""
    name = guard.dimension
    n_latency, n_cost = standing.baseline_seen
    seen = n_latency if name == LATENCY else n_cost if name == COST else 0
    column = standing.columns.get(name)
    counts = (0, 0) if column is None else (column.control.n, column.treatment.n)
    waits = name in {MISSING, FEWER} and min(standing.n_exposed) > 0
    is_coming = waits or (seen > 0 and column is None) or 0 < max(counts) < FEWEST
    reading = GuardReading(
        dimension=name,
        status="open" if is_coming else "no_data",
        margin=guard.margin,
        worse=worse,
        n_control=counts[0],
        n_treatment=counts[1],
    )
    return reading.model_copy(update={"sentence": guard_sentence(reading, n_baseline=seen)})


def _bounds(
    column: Column, name: str, worse: int, horizon: int, alpha_harm: float, alpha_proof: float
) -> Bounds:
    """Return the difference, the bound that shows harm beyond 0 and that which excludes it.

    Treatment minus control. For a score harm is shown by the upper bound, else by the lower one.
    """
    paired = column.difference
    difference = column.treatment.mean - column.control.mean
    few = min(column.control.n, column.treatment.n)
    if paired is not None:
        difference, few = paired.mean, paired.n
    if few < FEWEST:
        return Bounds(difference, -worse * math.inf, worse * math.inf)
    padded = _padded(column, name)
    widths: list[float] = []
    for alpha, size in ((alpha_harm, horizon), (alpha_proof, horizon * PROOF_HORIZONS)):
        if len(padded) == 1:
            widths.append(mean_half_width(padded[0], alpha=alpha, horizon=size))
        else:
            widths.append(difference_half_width(*padded, alpha=alpha, horizon=size))
    return Bounds(difference, difference - worse * widths[0], difference + worse * widths[1])


def pad_ends(sample: Sample, dimension: str, column: Column) -> tuple[float, float]:
    """Return the two values that pad a sample: the ends of its range, or of what is plausible."""
    if dimension in IN_LOGARITHMS:
        return sample.mean - _PAD, sample.mean + _PAD
    return (0.0 if column.difference is None else -1.0), 1.0


def pad_of(sample: Sample, dimension: str, column: Column) -> float:
    """Return the sum of squares that padding adds about the mean."""
    low, high = pad_ends(sample, dimension, column)
    return (low - sample.mean) ** 2 + (high - sample.mean) ** 2


def _padded(column: Column, name: str) -> Sequence[Sample]:
    samples = [column.control, column.treatment]
    if column.difference is not None:
        samples = [column.difference]
    return [sample.padded(*pad_ends(sample, name, column)) for sample in samples]


def _is_harmed(bounds: Bounds, worse: int, log_e: float | None, alpha_harm: float) -> bool:
    if log_e is not None:
        return log_e >= -math.log(alpha_harm)
    return worse * bounds.harm > 0.0


def _failures(column: Column) -> tuple[int, int, int, int]:
    """Return failures and subjects of the treatment, then of the control, for their shares.

    In pairs only those count that failed on one side alone.
    """
    paired = column.difference
    if paired is None:
        control, treatment = column.control, column.treatment
        return (_hits(treatment), treatment.n, _hits(control), control.n)
    n_changed = round(paired.variance * max(paired.n - 1, 0) + paired.n * paired.mean**2)
    excess = round(paired.n * paired.mean)
    return ((n_changed + excess) // 2, paired.n, (n_changed - excess) // 2, paired.n)


def _log_e_harm(column: Column, tolerated: float) -> float:
    """Return ln E for "at most `tolerated` fail, or at most twice those of the control".

    The smaller of two e-values is one for "either is true". So an outage of the provider, which
    hits both arms, shows nothing, and neither do a few failures where the control has none.
    """
    treatment, n_treatment, control, n_control = _failures(column)
    by_share = log_e_share_above(treatment, control, n_treatment=n_treatment, n_control=n_control)
    all_failed = _hits(column.treatment)
    return min(log_e_above(all_failed, column.treatment.n, min(tolerated, 0.99)), by_share)


def _is_share_small(column: Column, alpha: float) -> bool:
    treatment, n_treatment, control, n_control = _failures(column)
    log_e = log_e_share_below(treatment, control, n_treatment=n_treatment, n_control=n_control)
    return log_e >= -math.log(alpha)


def _hits(sample: Sample) -> int:
    return round(sample.n * sample.mean)
