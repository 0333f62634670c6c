"""The policy `beam`: the best few prompts of each round are the parents of the next.

Every prompt of the beam is expanded by the generators on a batch of its failures; parents and
children compete for the beam on common cases, by a bandit, by successive rejects or by sequential
halving. With `critique` as generator this is ProTeGi (arXiv 2305.03495), and with its parents in
the race it goes back to the best of any earlier round, as PE2 does (arXiv 2311.05661).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from promptyard.protocols import SearchContext
from promptyard.records.base import Record
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.events import Accepted, Eliminated
from promptyard.records.evidence import ScoredPrompt
from promptyard.search.bandit import Arms
from promptyard.search.expanding import diagnose, expand, once
from promptyard.search.pipeline import side_by_side
from promptyard.search.pool_search import PoolSearch
from promptyard.search.rungs import climb
from promptyard.stats.bandits import sequential_halving, successive_rejects
from promptyard.stats.halving import Rung, schedule_calls


class BeamSettings(Record):
    """Sizes of the search: those of ProTeGi, but for batches and trials, which the budget cuts.

    `selection` names who chooses the beam. Counts are prompts, rounds or train cases; a pull of
    the bandit is `block_cases` cases. `max_round_trials` holds where nothing limits the calls.
    """

    n_kept: int = Field(default=4, ge=1)
    n_rounds: int = Field(default=6, ge=1)
    max_children: int = Field(default=8, ge=1)
    max_batch_cases: int = Field(default=64, ge=1)
    min_batch_cases: int = Field(default=4, ge=1)
    max_choosing_cases: int = Field(default=100, ge=1)
    selection: Literal["ucb", "rejects", "halving"] = "ucb"
    c: float = Field(default=1.0, ge=0)
    block_cases: int = Field(default=4, ge=1)
    width: int = Field(default=8, ge=1)
    max_round_trials: int = Field(default=512, ge=1)
    n_finalists: int = Field(default=3, ge=1)


class Beam:
    """Beam search. Deterministic: the same answers give the same search, whoever is first."""

    name = "beam"

    def __init__(self, settings: BeamSettings | None = None) -> None:
        self.settings = settings or BeamSettings()

    async def search(self, context: SearchContext) -> Candidate | None:
        """Search until the rounds or the budget end; None where nobody leads."""
        return await _BeamSearch(context, self.settings).to_the_end()


class _BeamSearch(PoolSearch):
    """One search: the beam, everyone who ever was in it, and what is left."""

    def __init__(self, context: SearchContext, settings: BeamSettings) -> None:
        super().__init__(context, settings)
        self._settings = settings
        # A quarter of a round goes into failures to learn from, the rest into the choice.
        share = int(self._round_trials(0) / (4 * settings.n_kept))
        size = max(settings.min_batch_cases, min(settings.max_batch_cases, share))
        self._batches = self._batches_of(size)
        self._arms = Arms(context, self._choosing, settings.block_cases)
        self._beam = [context.baseline]
        self._ever = {context.baseline.id}

    async def run(self) -> None:
        """Work round by round until they are over or nothing pays another."""
        for number in range(self._settings.n_rounds):
            if not await self._round(number):
                return

    async def _round(self, number: int) -> bool:
        """Expand and choose; False where the budget pays no round."""
        settings, beam = self._settings, self._beam
        batch = self._batches.next()
        n_trials = self._round_trials(number)
        n_pulls = n_trials - len(beam) * len(batch)
        # Two pulls an arm are the least that a choice can rest on.
        n_arms = n_pulls // (2 * settings.block_cases)
        if n_arms <= len(beam) or not self._allowance.take(n_trials):
            return False
        if number == 0:
            await diagnose(self._context, batch)
        round_ = _Round(
            number=number,
            batch=batch,
            n_pulls=n_pulls,
            max_children=min(settings.max_children, max(1, n_arms // len(beam) - 1)),
            trajectory=self._standing.trajectory,
        )
        families = await side_by_side(self._family(parent, round_) for parent in beam)
        children = once(child for family in families for child in family)
        self._add(children)
        if not children:  # another batch may have failures
            self._allowance.give_back(n_pulls)
            return True
        self._beam = await self._choose([*beam, *children], n_pulls)
        for item in self._beam:
            self._standing.record(item)
            if item.id not in self._ever:
                self._ever.add(item.id)
                reason = f"in the beam of round {number + 1}"
                await self._context.emit(Accepted(candidate_id=item.id, reason=reason))
        await self._standing.serve(self._beam[0])
        return True

    async def _family(self, parent: Candidate, round_: _Round) -> list[Candidate]:
        n_arms = len(self._beam) * (1 + round_.max_children)
        return await expand(
            self._context,
            parent,
            round_.batch,
            [(name, round_.number) for name in self._context.generators],
            max_children=round_.max_children,
            first=self._choosing[: self._first_cases(n_arms, round_.n_pulls)],
            known=self.pool,
            trajectory=round_.trajectory,
        )

    async def _choose(self, arms: Sequence[Candidate], n_pulls: int) -> list[Candidate]:
        """Choose the beam out of parents and children within so many trials."""
        settings = self._settings
        if settings.selection != "ucb":
            schedule = self._schedule(len(arms), n_pulls)
            self._allowance.give_back(n_pulls - schedule_calls(schedule, len(arms)))
            return await climb(self._context, arms, self._choosing, schedule, purpose="pull")
        fresh = [arm for arm in arms if self._arms.n_pulls(arm) == 0]
        for pulled in await side_by_side(self._arms.begin(arm) for arm in fresh):
            self._arms.note(pulled)
        left = n_pulls // settings.block_cases - len(fresh)
        spent = await self._arms.spend(arms, left, c=settings.c, width=settings.width)
        self._allowance.give_back(n_pulls - settings.block_cases * (len(fresh) + spent))
        kept = self._arms.best(arms, settings.n_kept) or list(self._beam)  # nothing was scored
        for arm in arms:
            if arm not in kept:
                reason = f"not among the best {settings.n_kept} of {len(arms)}"
                await self._context.emit(Eliminated(candidate_id=arm.id, reason=reason))
        return kept

    def _schedule(self, n_arms: int, n_pulls: int) -> tuple[Rung, ...]:
        """Plan rejects or halving; where all fit into the beam, one rung for all of them."""
        n_kept = self._settings.n_kept
        if n_arms <= n_kept:
            return (Rung(n_pulls // n_arms, n_kept),)
        plan = successive_rejects if self._settings.selection == "rejects" else sequential_halving
        try:
            return plan(n_arms, n_pulls, n_kept=n_kept)
        except ValueError:  # too few pulls for the formula: one look at all
            return (Rung(max(1, n_pulls // n_arms), n_kept),)

    def _first_cases(self, n_arms: int, n_pulls: int) -> int:
        """Return on how many cases a child may be run before anyone knows how many there are.

        Fewer arms than planned only get more cases, so that none of these is wasted.
        """
        if self._settings.selection == "ucb":
            return self._settings.block_cases
        return self._schedule(n_arms, n_pulls)[0].n_cases

    def _round_trials(self, number: int) -> int:
        """Return the share of the trials left that a round may ask for."""
        n_left = self._settings.n_rounds - number
        return int(min(self._allowance.left / n_left, self._settings.max_round_trials))


@dataclass(frozen=True)
class _Round:
    """What a round works with."""

    number: int
    batch: Sequence[Case]
    n_pulls: int
    max_children: int
    trajectory: Sequence[ScoredPrompt]
