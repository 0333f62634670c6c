"""Simulates rollouts whose truth is known and counts what the decision engine does with them.

    .venv/bin/python benchmarks/canary_rates.py                # 2,000 runs each, half an hour or so
    .venv/bin/python benchmarks/canary_rates.py --runs 100     # a first impression

Prints progress and one Markdown table. Every look goes through `release.look.look_at` with the
default plan and all its guards; only the counting of events is done with arrays
(`canary_worlds.standings`), which a test holds equal to `release.tally.Tally`. All seeds are fixed.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import median

import numpy as np

from canary_worlds import (
    World,
    at,
    draw,
    look_times,
    standings,
    started,
)
from promptyard.records.rollouts import Decision, RolloutPlan
from promptyard.release.look import look_at
from promptyard.release.standing import Standing

WORLDS = (
    World("equal, .80"),
    World("equal, .95", score=(0.95, 0.95)),
    World("better by 3 points, .80 → .83", score=(0.80, 0.83)),
    World("worse by 3 points, .80 → .77", score=(0.80, 0.77)),
    World("worse by 5 points, .80 → .75", score=(0.80, 0.75)),
    World("worse by 10 points, .80 → .70", score=(0.80, 0.70)),
    World("latency times 1.3", latency_factor=1.3),
    World("cost times 1.2", cost_factor=1.2),
    World("hard failures 1 % → 5 %, score the same", failing=(0.01, 0.05)),
    World("missing outcomes 0.5 % → 5 %", missing=(0.005, 0.05)),
    World("outage: 40 % of 1,000 subjects fail in both arms", outage=(2000, 3000)),
    World("53 % of the subjects in the treatment", share=0.53),
    World("no outcome ever comes", missing=(1.0, 1.0)),
    World("nobody comes", n_subjects=0),
)
FIRST_NAIVE = 100
"""Subjects an arm before the first ordinary test."""

HEAD = (
    "| world | rolled back | promoted | still held | median subjects an arm: back / promoted "
    "| guards that were worse | naive test: rolled back |\n"
    "| --- | ---: | ---: | ---: | ---: | --- | ---: |"
)


@dataclass(frozen=True)
class Ended:
    """One rollout: how it ended (or `hold`), after how many subjects an arm, for which guards.

    `alarm` says that the arms' shares were called wrong, `naive` that an ordinary one-sided z-test
    of the score, done at every look, found the treatment worse (p < 0.05) at one of them.
    """

    action: str
    n_subjects: float
    harmed: tuple[str, ...]
    alarm: bool
    naive: bool


def run(world: World, seed: int, plan: RolloutPlan) -> Ended:
    """Simulate one rollout to its end, or to `world.n_subjects`, or to its maximum age."""
    record = started(plan)
    last: Decision = record.last
    alarm = naive = False
    n_subjects = 0.0
    for now, standing in _moments(world, seed, plan):
        n_subjects = sum(standing.n_subjects) / 2
        naive = naive or _is_naively_worse(standing)
        decision = look_at(record, standing, now=now, pointer_number=record.rollout.control)
        if decision is None:
            continue
        last = decision
        alarm = alarm or (decision.ratio is not None and decision.ratio.is_alarm)
        if decision.is_final:
            break
        record = record.model_copy(update={"decisions": (decision,)})
    naive = naive or _is_naively_worse_later(world, seed, plan, n_subjects)
    harmed = tuple(guard.dimension for guard in last.guards if guard.status == "harmed")
    action = last.action if last.is_final else "hold"
    return Ended(action, n_subjects, harmed, alarm, naive)


def _moments(world: World, seed: int, plan: RolloutPlan) -> Iterator[tuple[str, Standing]]:
    """Looks while subjects come; where there is no data, hours until the maximum age after that."""
    standing = Standing(0, (0, 0), (0, 0), {})
    if world.n_subjects:
        traffic = draw(world, np.random.default_rng(seed))
        for now, standing in standings(traffic, plan, world):
            yield now, standing
    if world.missing[0] < 1.0 and world.n_subjects:
        return
    end = len(look_times(world))
    for hour in range(end // 4 + 1, int(plan.max_age_s / 3600) + 2):
        yield at(3600.0 * hour), standing


def _is_naively_worse(standing: Standing) -> bool:
    column = standing.columns.get("score")
    if column is None or min(column.control.n, column.treatment.n) < FIRST_NAIVE:
        return False
    control, treatment = column.control, column.treatment
    error = math.sqrt(control.variance / control.n + treatment.variance / treatment.n)
    return treatment.mean - control.mean < -1.6449 * error


def _is_naively_worse_later(world: World, seed: int, plan: RolloutPlan, n_subjects: float) -> bool:
    """Let the ordinary test go on where the engine has stopped."""
    if not world.n_subjects:
        return False
    traffic = draw(world, np.random.default_rng(seed))
    later = (s for _, s in standings(traffic, plan, world) if sum(s.n_subjects) / 2 > n_subjects)
    return any(map(_is_naively_worse, later))


def simulate(world: World, n_runs: int, *, parts: Callable[..., Iterable[Ended]] = map) -> str:
    """Return the row of one world."""
    first = 1_000_000 * WORLDS.index(world) if world in WORLDS else 0
    seeds = range(first, first + n_runs)
    return row(world, list(parts(partial(run, world, plan=RolloutPlan()), seeds)))


def row(world: World, ends: Sequence[Ended]) -> str:
    """Write the runs of a world as one line of the table."""

    def share(n: int) -> str:
        return f"{100 * n / len(ends):.1f} %"

    back = [end for end in ends if end.action == "roll_back"]
    promoted = [end for end in ends if end.action == "promote"]
    held = len(ends) - len(back) - len(promoted)
    medians = " / ".join(
        f"{median(end.n_subjects for end in some):,.0f}" if some else "–"
        for some in (back, promoted)
    )
    names = sorted({name for end in back for name in end.harmed})
    worse = [f"{name} {share(sum(name in end.harmed for end in back))}" for name in names]
    n_alarms = sum(end.alarm for end in ends)
    if n_alarms:
        worse.append(f"(ratio alarm {share(n_alarms)})")
    cells = (
        world.name,
        share(len(back)),
        share(len(promoted)),
        share(held),
        medians,
        ", ".join(worse) or "–",
        share(sum(end.naive for end in ends)),
    )
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    rows: list[str] = []
    began = time.monotonic()
    with ProcessPoolExecutor(arguments.processes) as pool:
        for world in WORLDS:
            # Where nothing is random there is one run to make.
            n_runs = arguments.runs if world.n_subjects else 1
            rows.append(simulate(world, n_runs, parts=partial(pool.map, chunksize=10)))
            print(f"{time.monotonic() - began:6.0f} s  {rows[-1]}", file=sys.stderr, flush=True)
    print("\n".join((HEAD, *rows)))


if __name__ == "__main__":
    main()
