"""What the searches by parents and children share: how they begin, and how they end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Protocol

from promptyard.errors import BudgetExceeded
from promptyard.protocols import SearchContext
from promptyard.records.edits import Candidate
from promptyard.records.events import Noted
from promptyard.search.allowance import Allowance, Batches, two_parts
from promptyard.search.pool import Pool
from promptyard.search.standing import Standing


class PoolSettings(Protocol):
    """Sizes that all of these searches have."""

    @property
    def max_choosing_cases(self) -> int:
        """Train cases that choose, at most."""
        ...

    @property
    def n_finalists(self) -> int:
        """Candidates that go to dev, at most."""
        ...


class PoolSearch(ABC):
    """One search: train in two parts, trials to plan with, and everyone who was tried.

    Attributes:
        pool: the baseline and its descendants.
    """

    def __init__(self, context: SearchContext, settings: PoolSettings) -> None:
        self._context = context
        self._allowance = Allowance(context)
        self._learning, self._choosing = two_parts(
            context.train, self._allowance.left, most=settings.max_choosing_cases
        )
        self.pool = Pool(context.baseline)
        self._standing = Standing(context, self.pool, self._choosing)
        self._n_finalists = settings.n_finalists

    @abstractmethod
    async def run(self) -> None:
        """Search until nothing more can be paid or gained."""

    def finalists(self) -> list[Candidate]:
        """Return the best of those who were recorded and lead over the baseline."""
        return self._standing.best(self._n_finalists)

    async def to_the_end(self) -> Candidate | None:
        """Search, then take the finalists to dev; None where there are none or dev keeps none.

        A budget that ends early ends the search and no more, where there is a finalist.
        """
        try:
            await self.run()
        except BudgetExceeded as error:
            if not self.finalists():
                raise
            await self._context.emit(Noted(text=f"the search ended early: {error}"))
        chosen = self.finalists()
        if not chosen:
            return None
        for candidate in chosen:
            self._context.blame(candidate, self.pool.origins(candidate))
        kept = await self._context.stage("full", chosen)
        return kept[0] if kept else None

    def _batches_of(self, n_cases: int) -> Batches:
        """Return batches of the cases to learn from."""
        return Batches(self._learning, n_cases, f"{self._context.seed}:batches")

    def _add(self, children: Iterable[Candidate]) -> None:
        for child in children:
            self.pool.add(child)
