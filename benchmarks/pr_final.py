"""How often a search returns a prompt that helps, that does nothing, or that harms.

    .venv/bin/python benchmarks/promotion_rates.py null --world label --seeds 400
    .venv/bin/python benchmarks/promotion_rates.py all               # everything, several hours

The worlds are those of tests/support: accuracies are known, prompts disagree on some cases.
`planted`: one sentence raises the accuracy by exactly 10 points, and every reply proposes it.
`null`: replies are sentences that change nothing, and demonstrations do nothing either. `harmful`:
replies are sentences of which each costs 10 points, and nothing else is proposed. `mixed`: the same
replies beside all other generators, whose demonstrations do nothing: what luck lets pass there is
no harm unless it holds one of the sentences. A run `returned` something else than the baseline;
with a holdout that is a promotion. `returned_harmful` are those that hold a harmful sentence.
Models answer in the process. Prints one JSON object a line.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import promptyard as py
from promptyard.records.cases import SplitName
from promptyard.records.runs import Run
from promptyard.testing import ScriptedModel
from support.graded_world import GRADED_PROMPT, GradedWorld, graded
from support.world import HARMFUL, PROMPT, World

Sizes = Mapping[SplitName, int]
SMALL: Sizes = {"train": 60, "dev": 60, "holdout": 200}
FULL: Sizes = {"train": 100, "dev": 100, "holdout": 400}
WITHOUT_HOLDOUT: Sizes = {"train": 100, "dev": 100}


class Setting(NamedTuple):
    """A kind of world: label or graded, its splits, and how much of luck is drawn per prompt.

    `task_calls` is a budget, None the whole search.
    """

    make: Callable[..., World]
    sizes: Sizes
    noise: float = 0.2
    base: float = 0.6
    task_calls: int | None = None


SETTINGS: Mapping[str, Setting] = {
    "label": Setting(World, SMALL),
    "label_easy": Setting(World, SMALL, base=0.85),
    "label_redrawn": Setting(World, SMALL, noise=1.0),
    "graded": Setting(GradedWorld, SMALL),
    "graded_redrawn": Setting(GradedWorld, SMALL, noise=1.0),
    "label_without_holdout": Setting(World, WITHOUT_HOLDOUT),
    "graded_without_holdout": Setting(GradedWorld, WITHOUT_HOLDOUT),
    "redrawn_without_holdout": Setting(World, WITHOUT_HOLDOUT, noise=1.0),
    "tight_without_holdout": Setting(World, WITHOUT_HOLDOUT, task_calls=150),
    "graded_tight_without_holdout": Setting(GradedWorld, WITHOUT_HOLDOUT, task_calls=150),
}
OPTIMIZERS = {
    "planted": "skilful",
    "null": "harmless",
    "harmful": "harmful",
    "mixed": "harmful",
}
N_SEEDS = {"planted": 100, "null": 400, "harmful": 400, "mixed": 400}


def run_once(kind: str, setting: str, seed: int) -> Run:
    """Search once in one world. `planted` has the splits of a real claim where it has a holdout."""
    chosen = SETTINGS[setting]
    sizes = FULL if kind == "planted" and "holdout" in chosen.sizes else chosen.sizes
    world = chosen.make(
        seed, n_cases=sizes, noise=chosen.noise, base=chosen.base, optimizer=OPTIMIZERS[kind]
    )

    def reply(body: Mapping[str, Any]) -> str:
        return world.answer(body)

    is_graded = isinstance(world, GradedWorld)
    task = py.Task(
        name="world",
        prompt=GRADED_PROMPT if is_graded else PROMPT,
        cases=world.cases,
        metrics=[graded] if is_graded else ["exact_match"],
        generators=["reflect"] if kind == "harmful" else None,
        models=py.Models(
            task=ScriptedModel(reply, name="scripted/task"),
            optimizer=ScriptedModel(reply, name="scripted/optimizer"),
        ),
    )
    return py.optimize(task, seed=seed, budget=py.Budget(task_calls=chosen.task_calls))


def is_returned(run: Run) -> bool:
    """Say whether a run returned something else than its baseline."""
    return run.best.id != run.baseline.id


def is_harmful(run: Run) -> bool:
    """Say whether what a run returned holds a sentence that costs 10 points."""
    return is_returned(run) and any(text in run.best.prompt.text for text in HARMFUL)


def measure(kind: str, setting: str, n_seeds: int) -> dict[str, Any]:
    """Search `n_seeds` times; says how often something was returned, and what it cost."""
    started_s = time.monotonic()
    verdicts: Counter[str] = Counter()
    returned: list[int] = []
    n_harmful = 0
    calls: list[int] = []
    for seed in range(n_seeds):
        run = run_once(kind, setting, seed)
        verdicts[run.verdict.status] += 1
        calls.append(run.search_task_calls)
        n_harmful += is_harmful(run)
        if is_returned(run):
            returned.append(seed)
    return {
        "kind": kind,
        "world": setting,
        "seeds": n_seeds,
        "returned": len(returned),
        "returned_pct": round(100 * len(returned) / n_seeds, 1),
        "returned_harmful": n_harmful,
        "verdicts": dict(verdicts),
        "median_search_calls": round(median(calls)),
        "seconds": round(time.monotonic() - started_s),
        "seeds_returned": returned if kind != "planted" else [],
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=(*OPTIMIZERS, "all"))
    parser.add_argument("--world", choices=tuple(SETTINGS), action="append")
    parser.add_argument("--seeds", type=int)
    arguments = parser.parse_args()
    for kind in OPTIMIZERS if arguments.kind == "all" else (arguments.kind,):
        for setting in arguments.world or SETTINGS:
            result = measure(kind, setting, arguments.seeds or N_SEEDS[kind])
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
