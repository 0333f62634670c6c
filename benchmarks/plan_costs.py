"""What a search of `auto` spends, by phase: the figures that `--plan` scales to a task.

    python benchmarks/plan_costs.py

Runs `auto` in three worlds of search_worlds, plain and with a weak optimizer and terse feedback:
100 train and 60 dev cases, all generators, no holdout, a budget of 1,000 task calls. Prints the
task calls of each phase over all runs, and the ratios that src/promptyard/search/outlook.py holds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

import promptyard as py
from search_worlds import world_of
from search_worlds.tasks import task_of

WORLDS = ("clinic-notes", "freight-bills", "lease-clauses")
OPTIONS = ("", "+weak+terse")
SEEDS = (1, 2, 3)
TASK_CALLS = 1000
N_TRAIN = 100
PHASES: Mapping[str, tuple[str, ...]] = {
    "baseline": ("baseline",),
    "slices and traps": ("slice", "noise", "trap"),
    "fresh checks": ("fresh", "serve", "critical"),
    "other generators": ("arm", "race"),
    "second looks": ("seen",),
    "leaving out": ("lean", "tidy"),
    "dev": ("full",),
    "inside generators": (),
}
"""What a row of the table counts: the names of stages in a run's record. The last one is the rest:
task calls that generators make to bootstrap, and those of a stage in which the budget ended."""


@dataclass(frozen=True)
class Cost:
    """Task calls of one run by phase, its optimizer calls, and when it served first (None: never).

    `n_left` are the train cases that the baseline was not run on first.
    """

    phases: Mapping[str, int]
    optimizer_calls: int
    first_served: int | None
    n_left: int


def searched(world_name: str, seed: int, task_calls: int = TASK_CALLS) -> py.Run:
    """Search once."""
    budget = py.Budget(task_calls=task_calls)
    return py.optimize(task_of(world_of(world_name, seed)), budget=budget, seed=seed, store=None)


def cost_of(run: py.Run) -> Cost:
    """Sort what a run spent into phases. Raises ValueError for a stage that none of them counts."""
    phase_of = {stage: phase for phase, stages in PHASES.items() for stage in stages}
    phases = dict.fromkeys(PHASES, 0)
    for summary in run.stages:
        if summary.stage not in phase_of:
            raise ValueError(f"no phase counts the stage {summary.stage!r}: add it to PHASES")
        phases[phase_of[summary.stage]] += summary.calls
    phases["inside generators"] = run.spent.task_calls - sum(phases.values())
    first = run.served[0].calls_so_far if run.served else None
    n_left = N_TRAIN - phases["baseline"]
    return Cost(phases, run.spent.optimizer_calls, first, n_left)


def table(costs: Sequence[Cost]) -> str:
    """Write the phases as a Markdown table, and what stands beside it."""
    lines = ["| phase | mean | least | most | runs without |", "| --- | --- | --- | --- | --- |"]
    for phase in PHASES:
        calls = [cost.phases[phase] for cost in costs]
        none = calls.count(0)
        lines.append(f"| {phase} | {mean(calls):.0f} | {min(calls)} | {max(calls)} | {none} |")
    asked = [cost.optimizer_calls for cost in costs]
    served = [cost.first_served for cost in costs if cost.first_served is not None]
    lines += [
        "",
        f"{len(costs)} runs; optimizer calls {mean(asked):.0f} ({min(asked)} to {max(asked)})",
        f"first served in {len(served)} runs, after {mean(served):.0f} calls "
        f"({min(served)} to {max(served)})"
        if served
        else "nothing was served",
        *ratios(costs),
    ]
    return "\n".join(lines)


def ratios(costs: Sequence[Cost]) -> list[str]:
    """Write the constants of search/outlook.py as these runs give them."""

    def total(phase: str) -> int:
        return sum(cost.phases[phase] for cost in costs)

    n_first = total("baseline")
    n_train = N_TRAIN * len(costs)
    found = {
        "SLICE_RUNS_A_CASE": total("slices and traps") / n_first,
        "FRESH_RUNS_A_CASE": total("fresh checks") / sum(cost.n_left for cost in costs),
        "SEEN_RUNS_A_CASE": total("second looks") / n_train,
        "LEAN_RUNS_A_CASE": total("leaving out") / n_train,
        "OPTIMIZER_CALLS_A_CASE": sum(cost.optimizer_calls for cost in costs) / n_first,
    }
    return [f"{name} = {value:.2f}" for name, value in found.items()]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--worlds", nargs="+", default=list(WORLDS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    given = parser.parse_args()
    costs: list[Cost] = []
    for name in (f"{world}{options}" for world in given.worlds for options in OPTIONS):
        for seed in given.seeds:
            costs.append(cost_of(searched(name, seed)))
            print(f"{name} {seed}: {dict(costs[-1].phases)}", file=sys.stderr, flush=True)
    print(table(costs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
