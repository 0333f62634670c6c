"""Simulated live traffic of a rollout: drawn as arrays, told as events or counted directly.

`count` counts with arrays what `Tally` counts event by event; a test holds that both give the same
decisions. Times are seconds since the start of the rollout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    the treatment's. With `shared` each subject meets both versions (shadow mode): each kind of luck
    is drawn once for both in that share of the pairs, and twice in the others.
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
    shared: float | None = None

    @property
    def answers_each(self) -> int:
        """Answers of one subject."""
        return 1 if self.shared is None else 2


@dataclass(frozen=True)
class Traffic:
    """One draw: an entry an answer, in the order in which they come; of a pair control first."""

    arm: NDArray[np.int64]
    is_missing: Bools
    failed: Bools
    score: Floats
    latency_s: Floats
    cost_usd: Floats


def draw(world: World, rng: np.random.Generator) -> Traffic:
    """Draw the subjects of one rollout."""
    each = world.answers_each
    n = world.n_subjects * each

    def luck(drawn: Floats) -> Floats:
        if world.shared is not None:
            same = rng.random(world.n_subjects) < world.shared
            drawn[1::2][same] = drawn[::2][same]
        return drawn

    if world.shared is None:
        arm = (rng.random(n) < world.share).astype(np.int64)
    else:
        arm = np.tile(np.array([0, 1], dtype=np.int64), world.n_subjects)
    failing = np.array(world.failing)[arm]
    good = np.array([s / (1.0 - f) for s, f in zip(world.score, world.failing, strict=True)])[arm]
    if world.outage is not None:
        failing[world.outage[0] * each : world.outage[1] * each] = 0.4
    failed = luck(rng.random(n)) < failing
    latency = luck(rng.lognormal(np.log(1.2), 0.6, n)) * np.array([1.0, world.latency_factor])[arm]
    cost = luck(rng.lognormal(np.log(0.002), 0.5, n)) * np.array([1.0, world.cost_factor])[arm]
    return Traffic(
        arm=arm,
        is_missing=luck(rng.random(n)) < np.array(world.missing)[arm],
        failed=failed,
        score=((luck(rng.random(n)) < good) & ~failed).astype(np.float64),
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


def events(traffic: Traffic, world: World) -> Iterator[StoredEvent]:
    """Tell the traffic as the store would: an outcome each, unless missing, after an exposure.

    Pairs have no exposures here, since nobody is assigned.
    """
    seq = 0
    arms: list[int] = traffic.arm.tolist()
    for entry, arm in enumerate(arms):
        number = entry // world.answers_each
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
        if world.shared is None:
            seq += 1
            exposure = Exposure.model_validate({**shown, "id": f"e{number}", "reason": "split"})
            yield StoredEvent(seq=seq, stored_at=when, event=exposure)
        if traffic.is_missing[entry]:
            continue
        seq += 1
        outcome = Outcome.model_validate(
            {
                **shown,
                "id": f"o{entry}",
                "scores": {"score": float(traffic.score[entry])},
                "hard_failure": bool(traffic.failed[entry]),
                "latency_s": float(traffic.latency_s[entry]),
                "cost_usd": float(traffic.cost_usd[entry]),
                "pair": None if world.shared is None else f"p{number}",
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
    """The traffic counted at every look, with arrays instead of events: control, treatment.

    `differences` are those within pairs, `n_control` the outcomes of the control.
    """

    columns: Mapping[str, tuple[Arm, Arm]]
    differences: Mapping[str, Arm]
    exposed: tuple[Ints, Ints]
    n_control: Ints
    through: Ints
    frozen_at: int
    baseline: LiveBaseline | None
    wanted: int
    slowest_s: Floats
    looks: Sequence[tuple[int, str]]

    def standing(self, look: int) -> Standing:
        """Return what `Tally.standing` returns at a look."""
        columns = {
            name: Column(
                control=control.sample(look),
                treatment=treatment.sample(look),
                difference=self.differences[name].sample(look) if self.differences else None,
            )
            for name, (control, treatment) in self.columns.items()
            if control.n[look] or treatment.n[look]
        }
        control, treatment = (int(arm.n[look]) for arm in self.columns["score"])
        seen = min(self.wanted, int(self.n_control[look]))
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
    each, there = world.answers_each, ~traffic.is_missing
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
    looks = look_times(world)
    counts = np.array([n * each for n, _ in looks], dtype=np.int64)
    values = _values(traffic, there, later, baseline)
    slow = np.where(later & (traffic.arm == 0), traffic.latency_s, 0.0)
    # A pair begins with the first of its outcomes; who has one answer is told by an exposure.
    begun = _of_pairs(there, np.any) if each == 2 else np.full(len(there), fill_value=True)
    if each == 2:
        values = {name: (_of_pairs(has, np.all), value) for name, (has, value) in values.items()}
    values[MISSING] = (begun, traffic.is_missing.astype(np.float64))
    if each == 1:
        values[FEWER] = (begun, np.where(there, np.log(2.0), 0.0))
    due = np.floor((counts / each * GAP_S - plan.outcome_window_s - 1.0) / GAP_S) + 1
    upto = dict.fromkeys(values, counts) | dict.fromkeys(
        (MISSING, FEWER), due.astype(np.int64) * each
    )
    exposed = [_up_to(np.cumsum(begun & (traffic.arm == arm)), counts) for arm in (0, 1)]
    return Counts(
        columns={
            name: (
                _sums(has & (traffic.arm == 0), value, upto[name]),
                _sums(has & (traffic.arm == 1), value, upto[name]),
            )
            for name, (has, value) in values.items()
        },
        differences={
            name: _sums(has & (traffic.arm == 1), value - np.roll(value, 1), upto[name])
            for name, (has, value) in values.items()
            if each == 2
        },
        exposed=(exposed[0], exposed[1]),
        n_control=_up_to(np.cumsum(there & (traffic.arm == 0)), counts),
        through=_up_to(np.cumsum((each == 1) + there.astype(np.int64)), counts),
        frozen_at=frozen_at // each,
        baseline=baseline,
        wanted=wanted,
        slowest_s=_up_to(np.maximum.accumulate(slow), counts),
        looks=looks,
    )


def _values(
    traffic: Traffic, there: Bools, later: Bools, baseline: LiveBaseline | None
) -> dict[str, tuple[Bools, Floats]]:
    """Return for each dimension of outcomes who has a value, and the values."""
    limit_s, cap = np.inf, np.inf
    if baseline is not None:
        limit_s, cap = baseline.latency_p95_s or 0.0, baseline.cost_p999_usd or 0.0
    log_cost = np.log(np.maximum(np.minimum(traffic.cost_usd, cap), CHEAPEST_USD))
    is_measured = (there, np.zeros(len(there)))
    return {
        "score": (there, traffic.score),
        **{unscored(name): is_measured for name in ("score", LATENCY, COST)},
        unscored(HARD_FAILURES): (there & ~traffic.failed, np.zeros(len(there))),
        HARD_FAILURES: (there, traffic.failed.astype(np.float64)),
        LATENCY: (later, (traffic.latency_s > limit_s).astype(np.float64)),
        COST: (later, log_cost),
    }


def _of_pairs(has: Bools, how: Callable[..., Any]) -> Bools:
    """Say of each answer whether both (`np.all`) or one (`np.any`) of its pair have it."""
    return np.repeat(how(has.reshape(-1, 2), axis=1), 2)


def _sums(has: Bools, values: Floats, counts: Ints) -> Arm:
    """Sum the values of those who have one, over the first so many answers."""
    own = np.where(has, values, 0.0)
    sums = (np.cumsum(has), np.cumsum(own), np.cumsum(own * own))
    return Arm(*(_up_to(total, counts) for total in sums))


def _up_to(running: NDArray[Any], counts: Ints) -> NDArray[Any]:
    return np.concatenate([np.zeros(1, dtype=running.dtype), running])[np.maximum(counts, 0)]
