"""The policy `halving`: ask widely, halve the field on nested subsets, go on from the winner.

All generators are asked several times about the same failures; the candidates, and all patches of
one parent together, climb the rungs of sequential halving with the incumbent among them. The winner
is the next parent. Sources: TRIPLE (arXiv 2402.09723) for best-arm identification of prompts;
Karnin, Koren & Somekh 2013 for the schedule.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from promptyard.protocols import SearchContext
from promptyard.records.base import Record
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.events import Accepted
from promptyard.search.expanding import diagnose, expand, once
from promptyard.search.pool_search import PoolSearch
from promptyard.search.rungs import climb
from promptyard.stats.bandits import affordable_arms, sequential_halving
from promptyard.stats.halving import schedule_calls


class HalvingSettings(Record):
    """Sizes of the search. Counts are train cases, candidates, replies or rounds.

    `n_replies` is how often each generator is asked in a round; `n_left` candidates of a round may
    become finalists.
    """

    n_rounds: int = Field(default=4, ge=1)
    max_idle_rounds: int = Field(default=2, ge=1)
    batch_cases: int = Field(default=16, ge=1)
    max_choosing_cases: int = Field(default=100, ge=1)
    n_replies: int = Field(default=3, ge=1)
    max_candidates: int = Field(default=16, ge=2)
    n_left: int = Field(default=2, ge=1)
    max_round_trials: int = Field(default=512, ge=1)
    n_finalists: int = Field(default=3, ge=1)


class Halving:
    """Sequential halving. Deterministic: the same answers give the same search."""

    name = "halving"

    def __init__(self, settings: HalvingSettings | None = None) -> None:
        self.settings = settings or HalvingSettings()

    async def search(self, context: SearchContext) -> Candidate | None:
        """Search until rounds find nothing better or the budget ends; None where nobody leads."""
        return await _HalvingSearch(context, self.settings).to_the_end()


class _HalvingSearch(PoolSearch):
    """One search: the incumbent, and everyone who was tried."""

    def __init__(self, context: SearchContext, settings: HalvingSettings) -> None:
        super().__init__(context, settings)
        self._settings = settings
        self._batches = self._batches_of(settings.batch_cases)
        self._incumbent = context.baseline

    async def run(self) -> None:
        """Work round by round until the incumbent has won several, or nothing pays another."""
        n_idle = 0
        for number in range(self._settings.n_rounds):
            improved = await self._round(number)
            n_idle = 0 if improved else n_idle + 1
            if improved is None or n_idle >= self._settings.max_idle_rounds:
                return

    async def _round(self, number: int) -> bool | None:
        """Ask and choose; say whether there is a new incumbent, None where nothing pays a round."""
        settings = self._settings
        share = self._allowance.left / (settings.n_rounds - number)
        n_trials = int(min(share, settings.max_round_trials))
        batch = self._batches.next()
        n_pulls = n_trials - len(batch)
        n_arms = min(settings.max_candidates, affordable_arms(max(0, n_pulls)))
        if n_arms < 2 or not self._allowance.take(n_trials):
            return None
        if number == 0:
            await diagnose(self._context, batch)
        candidates = await self._candidates(number, batch, n_arms, n_pulls)
        if len(candidates) < 2:
            self._allowance.give_back(n_pulls)
            return False
        n_left = min(settings.n_left, len(candidates) - 1)
        schedule = sequential_halving(len(candidates), n_pulls, n_kept=n_left)
        self._allowance.give_back(n_pulls - schedule_calls(schedule, len(candidates)))
        best = await climb(self._context, candidates, self._choosing, schedule, purpose="rung")
        for item in best:
            self._standing.record(item)
        if best[0].id == self._incumbent.id:
            return False
        self._incumbent = best[0]
        reason = f"best of {len(candidates)} in round {number + 1}"
        await self._context.emit(Accepted(candidate_id=best[0].id, reason=reason))
        await self._standing.serve(best[0])
        return True

    async def _candidates(
        self, number: int, batch: Sequence[Case], n_arms: int, n_pulls: int
    ) -> list[Candidate]:
        """Return the incumbent, its children, and the patches of all children in one.

        The first rung of fewer candidates is longer: what children are run on is never wasted.
        """
        settings, parent = self._settings, self._incumbent
        first = sequential_halving(n_arms, n_pulls)[0].n_cases
        questions = [
            (name, number * settings.n_replies + reply)
            for reply in range(settings.n_replies)
            for name in self._context.generators
        ]
        children = await expand(
            self._context,
            parent,
            batch,
            questions,
            max_children=n_arms - 1,
            first=self._choosing[:first],
            known=self.pool,
            trajectory=self._standing.trajectory,
        )
        if parent.id == self._context.baseline.id and 1 < len(children) < n_arms - 1:
            together = self._context.combine(children)
            children = once([*children, together] if together is not None else children)
        self._add(children)
        return [parent, *children]
