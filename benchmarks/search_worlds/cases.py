"""The cases of a world: drawn from a seed, with a difficulty of their own for each skill."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from search_worlds.luck import NORMAL, hashed, normal, rng_of
from search_worlds.plan import Gold, Plan, Value

SIZES: Mapping[str, int] = {"train": 100, "val": 60, "test": 300}


@dataclass(frozen=True)
class WorldCase:
    """One case. `difficulty` is standard normal for each skill that the case needs."""

    ref: str
    split: str
    input: str
    gold: Gold
    wrongs: Mapping[str, Mapping[str, Value]]
    difficulty: Mapping[str, float]

    @property
    def gold_text(self) -> str:
        """The right answer as text."""
        return self.gold if isinstance(self.gold, str) else json.dumps(self.gold)


def draw_cases(plan: Plan, seed: int, split: str) -> tuple[WorldCase, ...]:
    """Draw the cases of a split. References are unique over all splits."""
    cases: list[WorldCase] = []
    start = {"train": 0, "val": 1, "test": 2}[split]
    taken: set[int] = set()
    for number in range(SIZES[split]):
        drawn = plan.draw(rng_of("case", plan.name, seed, split, number))
        code = hashed("ref", plan.name, seed, split, number) % 30_000
        while code in taken:
            code = (code + 1) % 30_000
        taken.add(code)
        ref = f"{plan.mark}-{10_000 + 3 * code + start}"
        difficulty = {
            name: normal("difficulty", plan.name, seed, ref, name) for name in drawn.wrongs
        }
        text = f"{ref}\n{drawn.text}"
        cases.append(WorldCase(ref, split, text, drawn.gold, drawn.wrongs, difficulty))
    return tuple(cases)


def succeeds(difficulty: float, luck: float, chance: float, rho: float) -> bool:
    """Whether a skill works: a Gaussian copula of a case's difficulty and a prompt's luck."""
    mixed = math.sqrt(rho) * difficulty + math.sqrt(1 - rho) * luck
    return mixed < NORMAL.inv_cdf(chance)


def chance_given_difficulty(difficulty: float, chance: float, rho: float) -> float:
    """The chance over all luck that a skill works on a case of this difficulty."""
    bound = NORMAL.inv_cdf(chance) - math.sqrt(rho) * difficulty
    return NORMAL.cdf(bound / math.sqrt(1 - rho))
