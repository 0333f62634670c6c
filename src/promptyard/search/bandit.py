"""Candidates as arms of a bandit: a pull is the next block of one order of cases.

All arms see the same blocks in the same order, so that means compare, and no case is run twice.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, TypeAlias

from promptyard.protocols import SearchContext
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.search.allowance import unseen_by
from promptyard.search.objectives import n_chars
from promptyard.search.pipeline import in_order
from promptyard.stats.bandits import next_pull

PRIOR_PULLS = 1
"""Weight of the mean of all arms in the estimate of each: a lucky first pull is no proof."""

Pulled: TypeAlias = tuple[str, tuple[float, ...]]


class Arms:
    """What has been pulled of each arm and what came of it."""

    def __init__(self, context: SearchContext, order: Sequence[Case], block_cases: int) -> None:
        self._context = context
        self._blocks = [order[at : at + block_cases] for at in range(0, len(order), block_cases)]
        self._block_cases = block_cases
        self._n_begun: dict[str, int] = {}
        self._scores: dict[str, list[float]] = {}

    def n_pulls(self, candidate: Candidate) -> int:
        """Return how many pulls of an arm have been begun."""
        return self._n_begun.get(candidate.id, 0)

    def begin(self, candidate: Candidate) -> Coroutine[Any, Any, Pulled]:
        """Begin the next pull of an arm; it counts from now on, whenever its answers come."""
        at = self.n_pulls(candidate)
        self._n_begun[candidate.id] = at + 1
        return self._pull(candidate, self._blocks[at])

    def note(self, pulled: Pulled) -> None:
        """Take in the answers of a pull."""
        name, scores = pulled
        self._scores.setdefault(name, []).extend(scores)

    async def spend(self, arms: Sequence[Candidate], n_pulls: int, *, c: float, width: int) -> int:
        """Make up to `n_pulls` pulls where the upper confidence bound is highest; return how many.

        Of arms without a pull each comes first once. `width` pulls are under way at a time; each
        is chosen by what was decided when there were `width` fewer.
        """

        def begin(number: int) -> Coroutine[Any, Any, Pulled] | None:
            # An arm whose blocks are used up, or of whom nothing can be scored, is pulled no more.
            open_ = [arm for arm in arms if self.n_pulls(arm) < len(self._blocks)]
            open_ = [arm for arm in open_ if self._scores.get(arm.id) or self.n_pulls(arm) < 2]
            if number >= n_pulls or not open_:
                return None
            counts = [self.n_pulls(arm) for arm in open_]
            return self.begin(open_[next_pull(counts, [self._mean(arm) for arm in open_], c=c)])

        n_made = 0

        async def decide(pulled: Pulled) -> None:
            nonlocal n_made
            n_made += 1
            self.note(pulled)

        await in_order(begin, decide, width=width)
        return n_made

    def best(self, arms: Sequence[Candidate], n: int) -> list[Candidate]:
        """Return the `n` best arms that have a score, best first; the shorter one wins a tie."""
        known = [arm for arm in arms if self._scores.get(arm.id)]
        return sorted(known, key=lambda arm: (-self.estimate(arm, known), n_chars(arm)))[:n]

    def estimate(self, arm: Candidate, arms: Sequence[Candidate]) -> float:
        """Return an arm's mean, drawn towards the mean of all by one pull's weight."""
        everything = [score for item in arms for score in self._scores.get(item.id, ())]
        own, prior = self._scores[arm.id], PRIOR_PULLS * self._block_cases
        pooled = sum(everything) / len(everything)
        return round((sum(own) + prior * pooled) / (len(own) + prior), 6)

    def _mean(self, arm: Candidate) -> float:
        scores = self._scores.get(arm.id, ())
        return sum(scores) / len(scores) if scores else 0.0  # 0.0: it is under way, and comes back

    async def _pull(self, candidate: Candidate, block: Sequence[Case]) -> Pulled:
        cases = unseen_by(block, candidate)
        rows = await self._context.run(candidate, cases, purpose="pull")
        return candidate.id, tuple(r.trial.score for r in rows if r.trial.score is not None)
