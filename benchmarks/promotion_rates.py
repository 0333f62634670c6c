"""How often a real gain is promoted, and how often nothing is.

    .venv/bin/python benchmarks/promotion_rates.py planted --seeds 40    # over real HTTP
    .venv/bin/python benchmarks/promotion_rates.py null --seeds 400      # harmless paraphrases
    .venv/bin/python benchmarks/promotion_rates.py aa --seeds 400        # every answer drawn anew

The worlds are those of tests/support/world.py: accuracies are known, prompts disagree on some
cases. `planted` raises the accuracy by exactly 10 points. `null` and `aa` change nothing; every
promotion of theirs is false (nominal rate: alpha / 2 = 2.5 %). Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import promptyard as py
from promptyard.records.cases import SplitName
from promptyard.testing import ScriptedModel
from support.chat_server import ChatServer
from support.world import PROMPT, World

SMALL: dict[SplitName, int] = {"train": 60, "dev": 60, "holdout": 200}


def task_of(world: World, models: py.Models) -> py.Task:
    return py.Task(
        name="world",
        prompt=PROMPT,
        cases=world.cases,
        metrics=["exact_match"],
        models=models,
    )


def planted(seed: int) -> str:
    world = World(seed, gain=0.10)
    with ChatServer(world.answer) as server:
        models = py.Models(
            task="openai/task", optimizer="openai/optimizer", base_url=server.base_url
        )
        return py.optimize(task_of(world, models), seed=seed).verdict.status


def unchanged(seed: int, noise: float) -> str:
    """Run a world in which nothing helps; `noise` 1.0 draws every answer anew for each prompt."""
    world = World(seed, n_cases=SMALL, noise=noise, optimizer="harmless")

    def reply(body: Mapping[str, Any]) -> str:
        return world.answer(body)

    models = py.Models(
        task=ScriptedModel(reply, name="scripted/task"),
        optimizer=ScriptedModel(reply, name="scripted/optimizer"),
    )
    return py.optimize(task_of(world, models), seed=seed).verdict.status


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("planted", "null", "aa"))
    parser.add_argument("--seeds", type=int, default=40)
    arguments = parser.parse_args()
    started_s = time.monotonic()
    verdicts: Counter[str] = Counter()
    for seed in range(arguments.seeds):
        if arguments.kind == "planted":
            verdicts[planted(seed)] += 1
        else:
            verdicts[unchanged(seed, 0.2 if arguments.kind == "null" else 1.0)] += 1
    n_passed = verdicts["pass"]
    result = {
        "kind": arguments.kind,
        "seeds": arguments.seeds,
        "promoted": n_passed,
        "promoted_pct": round(100 * n_passed / arguments.seeds, 1),
        "verdicts": dict(verdicts),
        "seconds": round(time.monotonic() - started_s),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
