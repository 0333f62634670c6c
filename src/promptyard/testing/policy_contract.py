"""What every search policy must keep to; subclass `PolicyContract` and give it yours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from promptyard.errors import BudgetExceeded
from promptyard.protocols import SearchPolicy
from promptyard.records.edits import Candidate
from promptyard.records.evidence import Evidence
from promptyard.records.prompts import Program, Prompt

Survivors = Callable[[str, Sequence[Candidate]], Sequence[Candidate]]


class ScriptedContext:
    """A SearchContext with scripted proposals and stages; it runs nothing.

    Attributes:
        asked: every question in order, as text: `diagnose`, `propose <name>`, `stage <name> <n>`.
    """

    def __init__(self, proposed: dict[str, list[Candidate]], survivors: Survivors) -> None:
        self.seed = 0
        self.baseline = named_candidate("baseline")
        self.asked: list[str] = []
        self._proposed = proposed
        self._survivors = survivors

    @property
    def generators(self) -> Sequence[str]:
        """The scripted generators."""
        return tuple(self._proposed)

    async def diagnose(self) -> Evidence:
        """Return empty evidence."""
        self.asked.append("diagnose")
        return Evidence()

    async def propose(
        self, generator: str, base: Candidate, evidence: Evidence
    ) -> Sequence[Candidate]:
        """Return the scripted candidates."""
        del base, evidence
        self.asked.append(f"propose {generator}")
        return self._proposed[generator]

    def combine(self, parts: Sequence[Candidate]) -> Candidate | None:
        """Join two or more candidates by their names."""
        if len(parts) < 2:
            return None
        names = "+".join(part.program.prompt.text.split()[-1] for part in parts)
        return named_candidate(names, "combine")

    async def stage(self, name: str, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """Return who survives by the script."""
        self.asked.append(f"stage {name} {len(candidates)}")
        return self._survivors(name, candidates)


def named_candidate(name: str, generator: str = "seed") -> Candidate:
    """Return a candidate whose prompt ends in its name."""
    program = Program.single(Prompt.from_text(f"user:\n{{{{x}}}} {name}"))
    return Candidate(program=program, generator=generator)


class PolicyContract:
    """Checks of a policy: it diagnoses first, decides nothing itself, takes no for an answer."""

    def policy(self) -> SearchPolicy:
        """Return the policy under test."""
        raise NotImplementedError("override policy()")  # the suite is abstract without one

    def search(
        self, survivors: Survivors, proposed: dict[str, list[Candidate]] | None = None
    ) -> tuple[Candidate | None, list[str]]:
        """Run a search over scripted candidates; returns the finalist and what was asked."""
        given = (
            proposed
            if proposed is not None
            else {
                "reflect": [named_candidate(f"r{n}", "reflect") for n in range(3)],
                "demos": [named_candidate(f"d{n}", "demos") for n in range(2)],
            }
        )
        context = ScriptedContext(given, survivors)
        return asyncio.run(self._search(context)), context.asked

    async def _search(self, context: ScriptedContext) -> Candidate | None:
        return await self.policy().search(context)

    def test_it_looks_before_it_asks_and_never_opens_the_holdout(self) -> None:
        """The decision is the line's, once, after the search."""
        _, asked = self.search(lambda stage, candidates: candidates)
        assert asked[0] == "diagnose"
        assert not [question for question in asked if question.startswith("stage decide")]

    def test_the_finalist_survived_the_last_stage(self) -> None:
        """A finalist that no stage has kept would be a claim without evidence."""
        kept: list[Sequence[Candidate]] = []

        def survivors(stage: str, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
            kept.append(candidates[1:] or candidates)
            return kept[-1]

        finalist, _ = self.search(survivors)
        assert finalist is not None
        assert finalist in kept[-1]

    def test_nothing_proposed_or_nothing_left_keeps_the_baseline(self) -> None:
        """No improvement found is a normal end."""
        assert self.search(lambda stage, candidates: candidates, {"reflect": []})[0] is None
        assert self.search(lambda stage, candidates: [])[0] is None

    def test_the_same_answers_give_the_same_search(self) -> None:
        """A resumed run must ask the same questions."""
        first = self.search(lambda stage, candidates: candidates[:2])
        assert first == self.search(lambda stage, candidates: candidates[:2])

    def test_the_end_of_the_budget_is_not_swallowed(self) -> None:
        """The line has to know that the search was cut short."""

        def survivors(stage: str, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
            raise BudgetExceeded(f"nothing left for {stage} of {len(candidates)}")

        try:
            self.search(survivors)
        except BudgetExceeded:
            return
        raise AssertionError("the policy swallowed BudgetExceeded")
