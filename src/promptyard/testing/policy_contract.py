"""What every search policy must keep to; subclass `PolicyContract` and give it yours."""

from __future__ import annotations

import asyncio

from promptyard.errors import BudgetExceeded
from promptyard.protocols import SearchPolicy
from promptyard.records.edits import Candidate
from promptyard.records.events import Noted
from promptyard.testing.search_world import WorldContext


class PolicyContract:
    """Checks of a policy: it diagnoses first, decides nothing itself, takes no for an answer."""

    def policy(self) -> SearchPolicy:
        """Return the policy under test."""
        raise NotImplementedError("a PolicyContract suite gives policy()")

    def context(self, **world: object) -> WorldContext:
        """Return the world to search; override it to name the generators that the policy asks."""
        return WorldContext(**world)  # type: ignore[arg-type]

    def search(self, context: WorldContext) -> Candidate | None:
        """Run one search."""
        return asyncio.run(self._search(context))

    async def _search(self, context: WorldContext) -> Candidate | None:
        return await self.policy().search(context)

    def test_it_finds_a_prompt_that_is_ahead(self) -> None:
        """Every failure has a sentence that cures it; the finalist has some of them."""
        context = self.context()
        finalist = self.search(context)
        assert finalist is not None
        cases = context.train
        before = sum(context.passes(context.baseline, case) for case in cases)
        assert sum(context.passes(finalist, case) for case in cases) > before

    def test_it_looks_before_it_asks_and_never_opens_the_holdout(self) -> None:
        """The decision is the line's, once, after the search."""
        context = self.context()
        self.search(context)
        assert context.asked[0].startswith("run ")
        assert not [question for question in context.asked if question.startswith("stage decide")]

    def test_the_finalist_was_seen_on_dev_last(self) -> None:
        """A finalist that dev has not kept would be a claim without evidence."""
        context = self.context()
        assert self.search(context) is not None
        assert context.asked[-1].startswith("stage full")
        assert self.search(self.context(keeps=_not_on_dev)) is None

    def test_nothing_proposed_keeps_the_baseline(self) -> None:
        """No improvement found is a normal end."""
        assert self.search(self.context(sentences={})) is None

    def test_useless_sentences_do_not_reach_the_end(self) -> None:
        """What changes nothing is no improvement, whatever it is called."""
        useless = {"format": "Be nice.", "units": "Be calm.", "dates": "Think.", "names": "Try."}
        assert self.search(self.context(sentences=useless)) is None

    def test_the_same_answers_give_the_same_search(self) -> None:
        """A resumed run must ask the same questions."""
        first, second = self.context(), self.context()
        found = self.search(first)
        assert found == self.search(second)
        assert first.journal == second.journal

    def test_the_budget_is_kept_and_its_end_is_said(self) -> None:
        """The line has to know that the search was cut short."""
        context = self.context(task_calls=20)
        try:
            self.search(context)
        except BudgetExceeded:
            return
        assert context.n_calls <= 20
        said = [event.text for event in context.events if isinstance(event, Noted)]
        assert any("ended early" in text for text in said) or context.n_calls < 20


def _not_on_dev(stage: str, candidate: Candidate) -> bool:
    del candidate
    return stage != "full"
