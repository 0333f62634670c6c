"""The policy `racing`: a population and its children race over blocks, the clearly beaten go.

Parents are drawn from the population, their children join, and all of them run block after block of
the same cases; who is significantly worse than enough others goes at once. Source: CAPO (arXiv
2504.16005), with exact paired tests whose level is shared out over looks and rivals.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from pydantic import Field

from promptyard.protocols import SearchContext
from promptyard.records.base import Record
from promptyard.records.edits import Candidate
from promptyard.records.events import Accepted
from promptyard.search.expanding import diagnose, expand, once
from promptyard.search.pipeline import side_by_side
from promptyard.search.pool_search import PoolSearch
from promptyard.search.race import race


class RacingSettings(Record):
    """Sizes of the search. Counts are prompts, rounds or train cases; those of CAPO where it has.

    `alpha` is the chance at most that a race loses its best candidate.
    """

    n_kept: int = Field(default=4, ge=1)
    n_parents: int = Field(default=4, ge=1)
    children_per_parent: int = Field(default=2, ge=1)
    n_rounds: int = Field(default=12, ge=1)
    batch_cases: int = Field(default=6, ge=1)
    max_choosing_cases: int = Field(default=100, ge=2)
    n_blocks: int = Field(default=6, ge=1)
    alpha: float = Field(default=0.2, gt=0, lt=1)
    max_idle_rounds: int = Field(default=3, ge=1)
    n_finalists: int = Field(default=3, ge=1)


class Racing:
    """Racing over generations. Deterministic: the same answers give the same search."""

    name = "racing"

    def __init__(self, settings: RacingSettings | None = None) -> None:
        self.settings = settings or RacingSettings()

    async def search(self, context: SearchContext) -> Candidate | None:
        """Search until the rounds, the budget or the changes end; None where nobody leads."""
        return await _RacingSearch(context, self.settings).to_the_end()


class _RacingSearch(PoolSearch):
    """One search: the population, best first, and everyone who was tried."""

    def __init__(self, context: SearchContext, settings: RacingSettings) -> None:
        super().__init__(context, settings)
        self._settings = settings
        n_blocks = min(settings.n_blocks, len(self._choosing))
        size = -(-len(self._choosing) // n_blocks)
        self._blocks = [self._choosing[: at + size] for at in range(0, len(self._choosing), size)]
        self._batches = self._batches_of(settings.batch_cases)
        self._population = [context.baseline]

    async def run(self) -> None:
        """Work round by round until the budget ends or nothing new is kept in several."""
        n_idle = 0
        for number in range(self._settings.n_rounds):
            kept_new = await self._round(number)
            if kept_new is None:
                return
            n_idle = 0 if kept_new else n_idle + 1
            if n_idle >= self._settings.max_idle_rounds:
                return

    async def _round(self, number: int) -> bool | None:
        """Mate and race; say whether anyone new was kept, None where the budget pays no round."""
        settings = self._settings
        rng = random.Random(f"{self._context.seed}:racing:{number}")
        parents = rng.sample(self._population, min(settings.n_parents, len(self._population)))
        parents += rng.choices(self._population, k=settings.n_parents - len(parents))
        n_new = settings.n_parents * settings.children_per_parent
        n_known = len(self._population) if number else 0  # survivors have seen every block
        n_racing = len(self._population) - n_known + n_new
        batches = [self._batches.next() for _ in parents]
        n_trials = sum(map(len, batches)) + n_racing * len(self._choosing)
        if not self._allowance.take(n_trials):
            return None
        if number == 0:
            await diagnose(self._context, batches[0])
        families = await side_by_side(
            expand(
                self._context,
                parent,
                batch,
                self._questions(number, place),
                max_children=settings.children_per_parent,
                first=self._blocks[0],
                known=self.pool,
                trajectory=self._standing.trajectory,
            )
            for place, (parent, batch) in enumerate(zip(parents, batches, strict=True))
        )
        children = once(child for family in families for child in family)
        self._add(children)
        return await self._race(children, number, n_planned=n_racing)

    def _questions(self, number: int, place: int) -> list[tuple[str, int]]:
        """Return one question for each child of a parent; the generators take turns."""
        names = self._context.generators
        n_each = self._settings.children_per_parent
        turns = range(place * n_each, (place + 1) * n_each) if names else ()
        return [(names[(number + turn) % len(names)], 1000 * number + turn) for turn in turns]

    async def _race(self, children: Sequence[Candidate], number: int, *, n_planned: int) -> bool:
        runners = [*self._population, *children]
        known = len(self._population) if number else 0
        ended = await race(
            self._context,
            runners,
            self._blocks,
            n_kept=self._settings.n_kept,
            alpha=self._settings.alpha,
        )
        n_run = sum(
            len(self._blocks[n_looks - 1]) for n_looks in list(ended.n_looks.values())[known:]
        )
        self._allowance.give_back(n_planned * len(self._choosing) - n_run)
        before = {item.id for item in self._population}
        new = [item for item in ended.kept if item.id not in before]
        self._population = ended.kept
        for item in ended.kept:
            self._standing.record(item)
        for item in new:
            reason = f"survived the race of round {number + 1}"
            await self._context.emit(Accepted(candidate_id=item.id, reason=reason))
        await self._standing.serve(ended.kept[0])
        return bool(new)
