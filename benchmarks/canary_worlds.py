"""Simulated live traffic of a rollout: drawn as arrays, told as events or counted directly.

`count` counts with arrays what `Tally` counts event by event; a test holds that both give the same
decisions. Times are seconds since the start of the rollout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptyard.records.guard_dimensions import (
    COST,
    FEWER,
    HARD_FAILURES,
    LATENCY,
    MISSING,
    unscored,
)
from promptyard.records.live import Exposure, Outcome, StoredEvent
from promptyard.records.rollouts import (
    Decision,
    LiveBaseline,
    Rollout,
    RolloutPlan,
    RolloutRecord,
)
from promptyard.release.frozen import CHEAPEST_USD
from promptyard.release.standing import Column, Standing
from promptyard.stats.confidence_sequence import Sample
from promptyard.stats.intervals import percentile

GAP_S = 18.0
"""Between two subjects: 4,800 subjects a day, both arms together."""

LOOK_EVERY = 50
"""Subjects, both arms together, from one look to the next: about 25 an arm."""

START = datetime(2026, 1, 1, tzinfo=UTC)
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """What is true of two versions; pairs are control, treatment.

    `score` is the share of good answers, a hard failure being a bad one. Latency is log-normal with
    median 1.2 s, cost with median 0.002 USD; the treatment's are multiplied by the factors.
    `outage` is a span of subjects of whom 40 % fail in either arm. `share` of all subjects are
    the treatment's.
    """

    name: str
    score: tuple[float, float] = (0.8, 0.8)
    failing: tuple[float, float] = (0.01, 0.01)
    missing: tuple[float, float] = (0.005, 0.005)
    latency_factor: float = 1.0
    cost_factor: float = 1.0
    outage: tuple[int, int] | None = None
    share: float = 0.5
    n_subjects: int = 10_000


@dataclass(frozen=True)
class Traffic:
    """One draw: an entry a subject, in the order in which they come."""

    arm: NDArray[np.int64]
    is_missing: Bools
    failed: Bools
    score: Floats
    latency_s: Floats
    cost_usd: Floats


def draw(world: World, rng: np.random.Generator) -> Traffic:
    """Draw the subjects of one rollout."""
    n = world.n_subjects
    arm = (rng.random(n) < world.share).astype(np.int64)
    failing = np.array(world.failing)[arm]
    good = np.array([s / (1.0 - f) for s, f in zip(world.score, world.failing, strict=True)])[arm]
    if world.outage is not None:
        failing[slice(*world.outage)] = 0.4
    failed = rng.random(n) < failing
    latency = rng.lognormal(np.log(1.2), 0.6, n) * np.array([1.0, world.latency_factor])[arm]
    cost = rng.lognormal(np.log(0.002), 0.5, n) * np.array([1.0, world.cost_factor])[arm]
    return Traffic(
        arm=arm,
        is_missing=rng.random(n) < np.array(world.missing)[arm],
        failed=failed,
        score=((rng.random(n) < good) & ~failed).astype(np.float64),
        latency_s=latency,
        cost_usd=cost,
    )


def started(plan: RolloutPlan) -> RolloutRecord:
    """Return a rollout of v2 beside v1 that has just started."""
    rollout = Rollout(
        id="r1",
        prompt="support",
        pointer="production",
        control=1,
        treatment=2,
        control_digest="one",
        treatment_digest="two",
        plan=plan,
        started_at=at(0.0),
        started_by="ann",
    )
    first = Decision(
        rollout_id="r1",
        seq=1,
        at=at(0.0),
        actor="ann",
        action="start",
        state="running",
        step=0,
        enrolled=plan.steps[0] / 100,
        step_at=at(0.0),
    )
    return RolloutRecord(rollout=rollout, decisions=(first,))


def at(time_s: float) -> str:
    """Write a time since the start as the store does."""
    return (START + timedelta(seconds=time_s)).isoformat(timespec="microseconds")


@lru_cache
def look_times(world: World) -> list[tuple[int, str]]:
    """Return for each look how many subjects have come, and when it is."""
    counts = range(LOOK_EVERY, world.n_subjects + 1, LOOK_EVERY)
    return [(n, at(n * GAP_S)) for n in counts]


def events(traffic: Traffic) -> Iterator[StoredEvent]:
    """Tell the traffic as the store would: an exposure and, unless missing, an outcome each."""
    seq = 0
    arms: list[int] = traffic.arm.tolist()
    for number, arm in enumerate(arms):
        when = at(number * GAP_S + 1.0)
        shown = {
            "prompt": "support",
            "rollout_id": "r1",
            "subject": f"s{number}",
            "arm": ("control", "treatment")[arm],
            "version": arm + 1,
            "digest": ("one", "two")[arm],
            "at": when,
        }
        seq += 1
        exposure = Exposure.model_validate({**shown, "id": f"e{number}", "reason": "split"})
        yield StoredEvent(seq=seq, stored_at=when, event=exposure)
        if traffic.is_missing[number]:
            continue
        seq += 1
        outcome = Outcome.model_validate(
            {
                **shown,
                "id": f"o{number}",
                "scores": {"score": float(traffic.score[number])},
                "hard_failure": bool(traffic.failed[number]),
                "latency_s": float(traffic.latency_s[number]),
                "cost_usd": float(traffic.cost_usd[number]),
            }
        )
        yield StoredEvent(seq=seq, stored_at=when, event=outcome)


@dataclass(frozen=True)
class Arm:
    """Number, sum and sum of squares of the values in one arm, at every look."""

    n: Ints
    total: Floats
    squares: Floats

    def sample(self, look: int) -> Sample:
        """Return the values up to a look."""
        return Sample.of_sums(int(self.n[look]), float(self.total[look]), float(self.squares[look]))


@dataclass(frozen=True)
class Counts:
    """The traffic counted at every look, with arrays instead of events: control, treatment."""

    columns: Mapping[str, tuple[Arm, Arm]]
    exposed: tuple[Ints, Ints]
    through: Ints
    frozen_at: int
    baseline: LiveBaseline | None
    wanted: int
    slowest_s: Floats
    looks: Sequence[tuple[int, str]]

    def standing(self, look: int) -> Standing:
        """Return what `Tally.standing` returns at a look."""
        columns = {
            name: Column(control=control.sample(look), treatment=treatment.sample(look))
            for name, (control, treatment) in self.columns.items()
            if control.n[look] or treatment.n[look]
        }
        control, treatment = (int(arm.n[look]) for arm in self.columns["score"])
        seen = min(self.wanted, control)
        return Standing(
            through=int(self.through[look]),
            n_exposed=(int(self.exposed[0][look]), int(self.exposed[1][look])),
            n_subjects=(control, treatment),
            columns=columns,
            baseline=self.baseline if self.looks[look][0] > self.frozen_at else None,
            baseline_seen=(seen, seen),
            slowest_s=float(self.slowest_s[look]) or None,
        )


def count(traffic: Traffic, plan: RolloutPlan, world: World) -> Counts:
    """Count the traffic at every look."""
    there = ~traffic.is_missing
    everyone = np.full(len(there), fill_value=True)
    control = np.flatnonzero(there & (traffic.arm == 0))
    wanted = plan.baseline_outcomes
    frozen_at, baseline = len(there), None
    if len(control) >= wanted:
        frozen_at = int(control[wanted - 1])
        first = control[:wanted]
        baseline = LiveBaseline(
            n_outcomes=wanted,
            latency_p95_s=percentile(traffic.latency_s[first].tolist(), 0.95),
            cost_p999_usd=percentile(traffic.cost_usd[first].tolist(), 0.999),
        )
    later = there & (np.arange(len(there)) > frozen_at)
    limit_s, cap = np.inf, np.inf
    if baseline is not None:
        limit_s, cap = baseline.latency_p95_s or 0.0, baseline.cost_p999_usd or 0.0
    log_cost = np.log(np.maximum(np.minimum(traffic.cost_usd, cap), CHEAPEST_USD))
    looks = look_times(world)
    counts = np.array([n for n, _ in looks], dtype=np.int64)
    due = np.floor((counts * GAP_S - plan.outcome_window_s - 1.0) / GAP_S).astype(np.int64) + 1
    columns = {
        "score": _sums(traffic, there, traffic.score, counts),
        unscored("score"): _sums(traffic, there, np.zeros(len(there)), counts),
        HARD_FAILURES: _sums(traffic, there, traffic.failed.astype(np.float64), counts),
        LATENCY: _sums(traffic, later, (traffic.latency_s > limit_s).astype(np.float64), counts),
        COST: _sums(traffic, later, log_cost, counts),
        MISSING: _sums(traffic, everyone, traffic.is_missing.astype(np.float64), due),
        FEWER: _sums(traffic, everyone, np.where(there, np.log(2.0), 0.0), due),
    }
    slow = np.where(later & (traffic.arm == 0), traffic.latency_s, 0.0)
    exposed = [_up_to(np.cumsum(traffic.arm == arm), counts) for arm in (0, 1)]
    return Counts(
        columns=columns,
        exposed=(exposed[0], exposed[1]),
        through=_up_to(np.cumsum(1 + there), counts),
        frozen_at=frozen_at,
        baseline=baseline,
        wanted=wanted,
        slowest_s=_up_to(np.maximum.accumulate(slow), counts),
        looks=looks,
    )


def _sums(traffic: Traffic, has: Bools, values: Floats, counts: Ints) -> tuple[Arm, Arm]:
    """Sum the values of those who have one, in each arm, over the first so many subjects."""
    arms: list[Arm] = []
    for arm in (0, 1):
        mine = has & (traffic.arm == arm)
        own = np.where(mine, values, 0.0)
        sums = (np.cumsum(mine), np.cumsum(own), np.cumsum(own * own))
        arms.append(Arm(*(_up_to(total, counts) for total in sums)))
    return arms[0], arms[1]


def _up_to(running: NDArray[Any], counts: Ints) -> NDArray[Any]:
    return np.concatenate([np.zeros(1, dtype=running.dtype), running])[np.maximum(counts, 0)]
