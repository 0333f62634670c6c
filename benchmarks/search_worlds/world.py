"""A world: cases, metric, seed prompt, the best prompt, and what any prompt is truly worth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from search_worlds.cases import WorldCase, chance_given_difficulty, draw_cases
from search_worlds.effect import Effects
from search_worlds.grading import PART_SCORE, Graded, field_skills, grade
from search_worlds.luck import rng_of
from search_worlds.phrases import pieces
from search_worlds.plan import Plan
from search_worlds.shapes import Turn
from search_worlds.task_model import TaskModel

OPTIONS = ("weak", "noisy", "terse", "notags", "null", "harmful")
RHO, RHO_NOISY = 0.7, 0.35
"""The share of a case's luck that no change of the prompt draws anew."""
N_DEMOS_OF_ORACLE = 2


class World:
    """One world of a plan and a seed. Cases are drawn when they are first asked for."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan, self.seed = plan, seed
        self.rho = RHO_NOISY if "noisy" in plan.options else RHO
        self.effects = Effects(plan, seed)
        self.seed_prompt = plan.write_seed(rng_of("seed prompt", plan.name, seed))
        self.task_model = TaskModel(plan, self.effects, self.rho, self._case)
        self._known: dict[str, WorldCase] = {}

    @property
    def name(self) -> str:
        """The name with its options, as in `clinic-notes+weak`."""
        named = (option for option in OPTIONS if option in self.plan.options)
        return "+".join((self.plan.name, *named))

    @cached_property
    def train(self) -> tuple[WorldCase, ...]:
        """100 cases to learn from."""
        return draw_cases(self.plan, self.seed, "train")

    @cached_property
    def val(self) -> tuple[WorldCase, ...]:
        """60 cases to choose by."""
        return draw_cases(self.plan, self.seed, "val")

    @cached_property
    def test(self) -> tuple[WorldCase, ...]:
        """300 cases for audits only."""
        return draw_cases(self.plan, self.seed, "test")

    def cases(self, split: str) -> tuple[WorldCase, ...]:
        """The cases of `train`, `val` or `test`."""
        return {"train": lambda: self.train, "val": lambda: self.val, "test": lambda: self.test}[
            split
        ]()

    def _case(self, ref: str) -> WorldCase | None:
        """Look a case up; test is drawn only where a reference is in none of the others."""
        for split in ("train", "val", "test"):
            found = self._known.get(ref)
            if found is not None:
                return found
            self._known.update((case.ref, case) for case in self.cases(split))
        return self._known.get(ref)

    def score(self, case: WorldCase, output: str) -> Graded:
        """Grade an answer: (score in [0, 1], feedback, tags)."""
        return grade(self.plan, case, output)

    @cached_property
    def oracle_prompt(self) -> str:
        """The best prompt that the world knows: right sentences, best wordings, demonstrations."""
        book = self.effects.phrasebook
        lines: list[str] = []
        for piece in pieces(self.seed_prompt):
            kinds = {phrase.kind for phrase in book.find(piece.strip().lstrip("- "))}
            if not kinds & {"contrary", "rule"}:
                lines.append(piece)
        rules = [f"- {self.effects.best_wording(skill)}\n" for skill in self.plan.skills]
        text = "".join(lines).rstrip() + "\n" + "".join(rules)
        hard = [skill.name for skill in self.plan.skills if skill.needs_demo]
        shown: dict[str, WorldCase] = {}
        for name in hard:
            fitting = [case for case in self.train if name in case.wrongs]
            shown |= {case.ref: case for case in fitting[:N_DEMOS_OF_ORACLE]}
        demos = "".join(
            f"\nExample:\n{case.input}\nAnswer: {case.gold_text}\n" for case in shown.values()
        )
        return text + demos

    def expected_score(self, prompt: str, split: str = "test") -> float:
        """The mean score of a system prompt over all luck: no call, no noise of the prompt."""
        return self.expected_of(
            lambda case: (Turn("system", prompt), Turn("user", case.input)), split
        )

    def expected_of(
        self, turns_of: Callable[[WorldCase], Sequence[Turn]], split: str = "test"
    ) -> float:
        """As `expected_score`, for the messages that `turns_of` makes of a case."""
        cases = self.cases(split)
        return sum(self._expected(case, turns_of(case)) for case in cases) / len(cases)

    def _expected(self, case: WorldCase, turns: Sequence[Turn]) -> float:
        question = self.task_model.question(turns)
        if question is None or question.case.ref != case.ref:
            return 0.0
        chances = self.task_model.chances(question)
        works: Mapping[str, float] = {
            name: chance_given_difficulty(case.difficulty[name], chances[name], self.rho)
            for name in case.wrongs
        }
        whole = math.prod(works.values())
        if self.plan.kind == "label":
            return whole
        n_wrong = sum(
            1 - math.prod(works[name] for name in names) for names in field_skills(case).values()
        )
        return whole + PART_SCORE * (1 - n_wrong / len(self.plan.fields) - whole)


def with_options(plan: Plan, options: frozenset[str]) -> Plan:
    """The plan with options. Raises ValueError for one that does not exist."""
    unknown = options.difference(OPTIONS)
    if unknown:
        raise ValueError(f"no option {sorted(unknown)}; there are {', '.join(OPTIONS)}")
    return replace(plan, options=options)
