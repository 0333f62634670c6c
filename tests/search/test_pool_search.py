"""What searches by parents and children share: the parts of train, the end, who goes to dev."""

from __future__ import annotations

import asyncio
import random

import pytest

from promptyard.errors import BudgetExceeded
from promptyard.records.edits import Candidate
from promptyard.records.events import Noted
from promptyard.records.evidence import Evidence
from promptyard.search.halving import HalvingSettings
from promptyard.search.pool_search import PoolSearch
from support.toy_search import ToyContext, ToyGenerator, ToyWorld

SETTINGS = HalvingSettings(max_choosing_cases=20, n_finalists=2)


def rules(base: Candidate, evidence: Evidence, rng: random.Random) -> list[str]:
    """Suggest two rules, and a note that changes nothing."""
    return ["Rule 0.", "Rule 1.", "A note."]


class OneRound(PoolSearch):
    """Runs all children of the baseline on the cases that choose; then the budget ends."""

    def __init__(self, context: ToyContext, *, fails: bool = False) -> None:
        super().__init__(context, SETTINGS)
        self.fails = fails
        self.parts = self._learning, self._choosing

    async def run(self) -> None:
        context = self._context
        await context.run(context.baseline, self._choosing, purpose="baseline")
        children = await context.propose("rules", context.baseline, Evidence())
        self._add(children)
        for child in children:
            await context.run(child, self._choosing, purpose="first")
            self._standing.record(child)
        if self.fails:
            raise BudgetExceeded("it is used up")


def context_of(world: ToyWorld) -> ToyContext:
    return ToyContext(world, [ToyGenerator("rules", rules)])


def test_who_leads_over_the_baseline_goes_to_dev_with_its_origins() -> None:
    context = context_of(ToyWorld())
    search = OneRound(context)
    best = asyncio.run(search.to_the_end())
    assert best is not None
    ((stage, ids),) = context.staged
    assert stage == "full"
    texts = [search.pool[name].program.prompt.text for name in ids]
    assert len(texts) == 2
    assert all("Rule" in text for text in texts), "the note leads over nobody"
    assert {name for name, origins in context.origins.items() if origins} == set(ids)


def test_learning_and_choosing_are_two_parts_of_train() -> None:
    context = context_of(ToyWorld())
    learning, choosing = OneRound(context).parts
    assert (len(learning), len(choosing)) == (40, 20)
    assert [*learning, *choosing] == list(context.train)


def test_a_budget_that_ends_early_ends_the_search_and_is_said() -> None:
    context = context_of(ToyWorld())
    assert asyncio.run(OneRound(context, fails=True).to_the_end()) is not None
    (note,) = [event.text for event in context.events if isinstance(event, Noted)]
    assert note == "the search ended early: it is used up"


@pytest.mark.parametrize("fails", [False, True])
def test_without_a_lead_nobody_goes_to_dev(fails: bool) -> None:
    # Every case needs three rules: one more makes no case pass.
    context = context_of(ToyWorld(needs=3))
    search = OneRound(context, fails=fails)
    if fails:
        with pytest.raises(BudgetExceeded):
            asyncio.run(search.to_the_end())
    else:
        assert asyncio.run(search.to_the_end()) is None
    assert context.staged == []
