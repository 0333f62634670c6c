"""Simulates rollouts whose truth is known and counts what the decision engine does with them.

    .venv/bin/python benchmarks/canary_rates.py                # 2,000 runs each, some minutes
    .venv/bin/python benchmarks/canary_rates.py --runs 100     # a first impression

Prints progress and one Markdown table. Every decision is one of `release.look.look_at` with the
default plan and all its guards. Events are counted with arrays (`canary_worlds.count`), and looks
of the last step that can only hold are left out (`canary_shortcut`); tests hold both equal to the
long way. All seeds are fixed.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

import numpy as np

from canary_shortcut import telling_looks
from canary_worlds import GAP_S, Arm, Counts, Floats, World, at, count, draw, started
from promptyard.records.rollouts import Decision, RolloutPlan
from promptyard.release.look import look_at
from promptyard.release.standing import Standing
from promptyard.stats.sample_ratio import log_e_ratio

PAIRS = World("in pairs: equal, .80", n_subjects=5_000, shared=0.5)
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
    PAIRS,
    replace(PAIRS, name="in pairs that share no luck: equal, .80", shared=0.0),
    replace(PAIRS, name="in pairs: worse by 3 points, .80 → .77", score=(0.80, 0.77)),
    replace(PAIRS, name="in pairs: worse by 10 points, .80 → .70", score=(0.80, 0.70)),
    replace(PAIRS, name="in pairs: hard failures 1 % → 5 %", failing=(0.01, 0.05)),
    replace(PAIRS, name="in pairs: missing outcomes 0.5 % → 5 %", missing=(0.005, 0.05)),
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


def run(world: World, seed: int, *, every_look: bool = False) -> Ended:
    """Simulate one rollout to its end, or to `world.n_subjects`, or to its maximum age.

    The plan is the default one, in shadow mode where there are pairs. Looks that can only
    hold are left out unless `every_look`; a test holds that this changes nothing.
    """
    plan = RolloutPlan(mode="split" if world.shared is None else "shadow")
    record = started(plan)
    last: Decision = record.last
    traffic = draw(world, np.random.default_rng(seed))
    counts = count(traffic, plan, world)
    telling = telling_looks(counts, record.rollout)
    standing = Standing(0, (0, 0), (0, 0), {})
    look = 0
    for look, now in moments(world, counts, plan):
        if record.last.step + 1 == len(plan.steps) and not (every_look or telling[look]):
            continue
        if look < len(counts.looks):
            standing = counts.standing(look)
        decision = look_at(record, standing, now=now, pointer_number=record.rollout.control)
        if decision is None:
            continue
        last = decision
        if decision.is_final:
            break
        record = record.model_copy(update={"decisions": (decision,)})
    return Ended(
        action=last.action if last.is_final else "hold",
        n_subjects=sum(standing.n_subjects) / 2,
        harmed=tuple(guard.dimension for guard in last.guards if guard.status == "harmed"),
        alarm=is_ever_alarmed(counts, look, plan),
        naive=is_ever_significant(counts),
    )


def moments(world: World, counts: Counts, plan: RolloutPlan) -> Iterator[tuple[int, str]]:
    """Looks while subjects come; where there are no outcomes, hourly until the maximum age."""
    for look, (_, now) in enumerate(counts.looks):
        yield look, now
    if counts.looks and counts.standing(len(counts.looks) - 1).smaller_arm:
        return
    past_h = int(world.n_subjects * GAP_S / 3600.0)
    for hour in range(past_h + 1, int(plan.max_age_s / 3600.0) + 2):
        yield len(counts.looks), at(3600.0 * hour)


def is_ever_alarmed(counts: Counts, through: int, plan: RolloutPlan) -> bool:
    """Say whether the shares of the arms raise the alarm at one of the looks up to this."""
    arms = zip(*(arm[: through + 1].tolist() for arm in counts.exposed), strict=True)
    return any(log_e_ratio(*pair) >= math.log(plan.ratio_alarm) for pair in arms)


def is_ever_significant(counts: Counts) -> bool:
    """Say whether an ordinary test of the score calls the treatment worse at one of the looks."""
    if counts.differences:
        return is_ever_significant_in_pairs(counts.differences["score"])
    control, treatment = counts.columns["score"]
    enough = np.minimum(control.n, treatment.n) >= FIRST_NAIVE
    means: list[Floats] = []
    errors: list[Floats] = []
    for arm in (control, treatment):
        n = arm.n[enough].astype(np.float64)
        mean = arm.total[enough] / n
        means.append(mean)
        errors.append(mean * (1.0 - mean) / (n - 1.0))
    return bool(np.any(means[1] - means[0] < -1.6449 * np.sqrt(errors[0] + errors[1])))


def is_ever_significant_in_pairs(pairs: Arm) -> bool:
    """As `is_ever_significant`, on the differences within pairs."""
    enough = pairs.n >= FIRST_NAIVE
    n = pairs.n[enough].astype(np.float64)
    mean = pairs.total[enough] / n
    variance = (pairs.squares[enough] - n * mean * mean) / (n - 1.0)
    return bool(np.any(mean < -1.6449 * np.sqrt(variance / n)))


def simulate(world: World, n_runs: int, *, parts: Callable[..., Iterable[Ended]] = map) -> str:
    """Return the row of one world."""
    first = 1_000_000 * WORLDS.index(world) if world in WORLDS else 0
    seeds = range(first, first + n_runs)
    return row(world, list(parts(partial(run, world), seeds)))


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
    parser.add_argument("--worlds", default="", help="only those whose names begin like this")
    arguments = parser.parse_args()
    rows: list[str] = []
    began = time.monotonic()
    with ProcessPoolExecutor(arguments.processes) as pool:
        for world in WORLDS:
            if not world.name.startswith(arguments.worlds):
                continue
            # Where nothing is random there is one run to make.
            n_runs = arguments.runs if world.n_subjects else 1
            rows.append(simulate(world, n_runs, parts=partial(pool.map, chunksize=10)))
            print(f"{time.monotonic() - began:6.0f} s  {rows[-1]}", file=sys.stderr, flush=True)
    print("\n".join((HEAD, *rows)))


if __name__ == "__main__":
    main()
