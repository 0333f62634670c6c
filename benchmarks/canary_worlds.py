"""Simulated live traffic of a rollout: drawn as arrays, told as events or counted directly.

`standings` counts with arrays what `Tally` counts event by event; a test holds that both give the
same decisions. Times are seconds since the start of the rollout.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from promptyard.records.live import Exposure, Outcome, StoredEvent
from promptyard.records.rollouts import (
    Decision,
    LiveBaseline,
    Rollout,
    RolloutPlan,
    RolloutRecord,
)
from promptyard.release.frozen import CHEAPEST_USD
from promptyard.release.standing import (
    COST,
    HARD_FAILURES,
    LATENCY,
    MISSING,
    Column,
    Standing,
    unscored,
)
from promptyard.stats.confidence_sequence import Sample
from promptyard.stats.intervals import percentile

GAP_S = 18.0
"""Between two subjects: 4,800 subjects a day, both arms together."""

LOOK_EVERY = 50
"""Subjects, both arms together, from one look to the next: about 25 an arm."""

START = datetime(2026, 1, 1, tzinfo=UTC)
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


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


def standings(traffic: Traffic, plan: RolloutPlan, world: World) -> Iterator[tuple[str, Standing]]:
    """Count the traffic at every look, with arrays instead of events."""
    there = ~traffic.is_missing
    control = np.flatnonzero(there & (traffic.arm == 0))
    wanted = plan.baseline_outcomes
    frozen = int(control[wanted - 1]) if len(control) >= wanted else len(there)
    baseline = None
    if frozen < len(there):
        first = control[:wanted]
        baseline = LiveBaseline(
            n_outcomes=wanted,
            latency_p95_s=percentile(traffic.latency_s[first].tolist(), 0.95),
            cost_p999_usd=percentile(traffic.cost_usd[first].tolist(), 0.999),
        )
    numbers = np.arange(len(there))
    later = there & (numbers > frozen)
    slow = traffic.latency_s > (baseline.latency_p95_s or 0.0 if baseline else np.inf)
    cap = baseline.cost_p999_usd or 0.0 if baseline else np.inf
    log_cost = np.log(np.maximum(np.minimum(traffic.cost_usd, cap), CHEAPEST_USD))
    zero = np.zeros(len(there))
    counted = {
        "score": _Counted(traffic, there, traffic.score),
        unscored("score"): _Counted(traffic, there, zero),
        HARD_FAILURES: _Counted(traffic, there, traffic.failed.astype(np.float64)),
        LATENCY: _Counted(traffic, later, slow.astype(np.float64)),
        COST: _Counted(traffic, later, log_cost),
    }
    missing = _Counted(traffic, np.full(len(there), True), traffic.is_missing.astype(np.float64))
    exposed = [np.cumsum(traffic.arm == arm) for arm in (0, 1)]
    through = np.cumsum(1 + there)
    for n, now in look_times(world):
        n_due = min(n, int((n * GAP_S - plan.outcome_window_s - 1.0) // GAP_S) + 1)
        columns = {name: values.column(n) for name, values in counted.items()}
        if n_due > 0:
            columns[MISSING] = missing.column(n_due)
        present = columns["score"]
        is_frozen = baseline is not None and n > frozen
        seen = min(wanted, present.control.n)
        yield (
            now,
            Standing(
                through=int(through[n - 1]),
                n_exposed=(int(exposed[0][n - 1]), int(exposed[1][n - 1])),
                n_subjects=(present.control.n, present.treatment.n),
                columns={k: c for k, c in columns.items() if c.control.n or c.treatment.n},
                baseline=baseline if is_frozen else None,
                baseline_seen=(seen, seen),
            ),
        )


class _Counted:
    """Running sums of one value a subject, in each arm, over the subjects that have it."""

    def __init__(self, traffic: Traffic, has: Bools, values: Floats) -> None:
        self._sums: list[tuple[NDArray[np.int64], Floats, Floats]] = []
        for arm in (0, 1):
            mine = has & (traffic.arm == arm)
            own = np.where(mine, values, 0.0)
            self._sums.append((np.cumsum(mine), np.cumsum(own), np.cumsum(own * own)))

    def column(self, n: int) -> Column:
        """Return the column of the first `n` subjects."""
        control, treatment = (
            Sample.of_sums(int(count[n - 1]), float(total[n - 1]), float(squares[n - 1]))
            for count, total, squares in self._sums
        )
        return Column(control=control, treatment=treatment)
