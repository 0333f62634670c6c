"""The policy `pareto`: everyone who is best at something may become a parent.

A parent is drawn by the number of fronts it is on; a small batch of cases is run, one generator
asked, and a child that gains on the same cases is measured on the cases that choose and joins the
pool. After a gain two candidates of the front may be merged. With `reflective` and `merge` as
generators this is GEPA (arXiv 2507.19457); dimensions are fronts beside the cases, and several
proposals are under way at any time.
"""

from __future__ import annotations

import random
from collections.abc import Coroutine, Sequence
from typing import Any

from pydantic import Field

from promptyard.protocols import SearchContext
from promptyard.records.base import Record
from promptyard.records.edits import Candidate
from promptyard.records.events import Accepted, Eliminated
from promptyard.records.evidence import TrainTrial
from promptyard.records.regions import components
from promptyard.search.expanding import diagnose
from promptyard.search.mating import Asking, Mating, Outcome, Trying
from promptyard.search.merging import Merger
from promptyard.search.objectives import ObjectiveSettings, axis_values, loss, tolerances
from promptyard.search.pipeline import in_order
from promptyard.search.pool_search import PoolSearch
from promptyard.stats.fronts import front_counts, fronts

MERGE = "merge"


class ParetoSettings(Record):
    """Sizes of the search. Counts are train cases or steps; those of GEPA where it has them."""

    batch_cases: int = Field(default=3, ge=1)
    max_choosing_cases: int = Field(default=60, ge=1)
    max_children: int = Field(default=4, ge=1)
    width: int = Field(default=4, ge=1)
    steps_per_width: int = Field(default=25, ge=1)
    max_steps: int = Field(default=400, ge=1)
    max_idle_steps: int = Field(default=30, ge=1)
    max_merges: int = Field(default=5, ge=0)
    merge_cases: int = Field(default=5, ge=1)
    n_finalists: int = Field(default=3, ge=1)
    objectives: ObjectiveSettings = ObjectiveSettings()


class Pareto:
    """Pareto search. Deterministic: the same answers give the same search, whoever is first."""

    name = "pareto"

    def __init__(self, settings: ParetoSettings | None = None) -> None:
        self.settings = settings or ParetoSettings()

    async def search(self, context: SearchContext) -> Candidate | None:
        """Search until the budget, the steps or the gains end; None where nobody leads."""
        return await ParetoSearch(context, self.settings).to_the_end()


class ParetoSearch(PoolSearch):
    """One search: the pool, its fronts, and whose turn it is.

    Attributes:
        pool: the baseline and everyone who gained.
        values: by candidate id the value on each axis, of those that lost nothing protected.
    """

    def __init__(self, context: SearchContext, settings: ParetoSettings) -> None:
        super().__init__(context, settings)
        self._settings = settings
        self._batches = self._batches_of(settings.batch_cases)
        self._generators = [name for name in context.generators if name != MERGE]
        self._mating = Mating(context, self._learning, self._choosing, settings.max_children)
        self._merger = Merger(self.pool, settings.merge_cases)
        self._baseline_rows: tuple[TrainTrial, ...] = ()
        self.values: dict[str, dict[str, float]] = {}
        self._turns: dict[str, int] = {}
        self._decided: set[str] = set()
        self._n_idle = 0
        self._n_merges = 0
        self._merge_is_due = False

    def finalists(self) -> list[Candidate]:
        """Return who goes to dev: the best of the pool that lead over the baseline."""
        return self._standing.best(self._n_finalists, among=self.values)

    def weights(self) -> dict[str, int]:
        """Return on how many fronts each undominated candidate is, the strongest first."""
        wide = tolerances(self.values, self._settings.objectives)
        return front_counts(fronts(self.values, tolerance=wide), self._strength())

    async def run(self) -> None:
        """Measure the baseline, then step by step until nothing more is begun."""
        context, baseline = self._context, self._context.baseline
        self._allowance.take(len(self._choosing))
        rows = await diagnose(context, self._choosing)
        self._baseline_rows = tuple(rows)
        self._standing.record(baseline)
        self.values[baseline.id] = axis_values(baseline, rows, self._settings.objectives)
        if self._generators:
            await in_order(self._begin, self._decide, width=self._width())

    def _width(self) -> int:
        """Return how many steps are under way at a time: few where the budget pays few.

        Steps that run side by side do not build on each other, and a short search needs depth.
        """
        n_steps = self._allowance.left / (len(self._choosing) + 2 * self._settings.batch_cases)
        return int(max(1, min(self._settings.width, n_steps / self._settings.steps_per_width)))

    def _begin(self, number: int) -> Coroutine[Any, Any, Outcome] | None:
        """Begin a step where the budget and the patience pay one; a merge where one is due."""
        tired = self._n_idle >= self._settings.max_idle_steps
        if tired or number >= self._settings.max_steps:
            return None
        if not self._allowance.take(self._mating.max_trials(self._settings.batch_cases)):
            return None
        rng = random.Random(f"{self._context.seed}:pareto:{number}")
        if self._merge_is_due and self._n_merges < self._settings.max_merges:
            self._merge_is_due = False
            pair = self._merger.pair(
                tuple(self.weights()), self._strength(), self._case_scores(), rng
            )
            if pair is not None:
                return self._mating.merge(pair, number, frozenset(self._decided))
        weights = self.weights()
        parent = self.pool[rng.choices(list(weights), list(weights.values()))[0]]
        turn = self._turns.get(parent.id, 0)
        self._turns[parent.id] = turn + 1
        parts = components(parent.program)
        asking = Asking(
            number=number,
            generator=self._generators[number % len(self._generators)],
            target=parts[turn % len(parts)] if parts else None,
            trajectory=self._standing.trajectory,
            known=frozenset(self._decided),
        )
        return self._mating.step(parent, self._batches.next(), asking)

    async def _decide(self, outcome: Outcome) -> None:
        """Take a step's result into the pool, in the order of the steps."""
        self._allowance.give_back(
            self._mating.max_trials(self._settings.batch_cases) - outcome.n_trials
        )
        if outcome.is_idle:
            self._turns[outcome.parent.id] -= 1  # the part whose turn it was has had none
        entered = False
        for trying in outcome.tried:
            if trying.child.id in self.pool:
                continue  # proposed twice at the same time
            self._decided.add(trying.child.id)
            if trying.rows is None:
                await self._context.emit(
                    Eliminated(candidate_id=trying.child.id, reason=trying.reason)
                )
                self._mating.remember(outcome.parent, trying)
            else:
                entered = await self._enter(trying, trying.rows) or entered
        self._n_idle = 0 if entered else self._n_idle + 1
        if outcome.is_merge:
            self._n_merges += entered
        else:
            self._merge_is_due = entered and MERGE in self._context.generators

    async def _enter(self, trying: Trying, rows: Sequence[TrainTrial]) -> bool:
        """Let a child into the pool, unless it loses what it may not lose."""
        context, child = self._context, trying.child
        lost = loss(rows, self._baseline_rows, self._settings.objectives)
        if lost is not None:
            await context.emit(Eliminated(candidate_id=child.id, reason=lost))
            return False
        self.pool.add(child)
        self._standing.record(child)
        self.values[child.id] = axis_values(child, rows, self._settings.objectives)
        await context.emit(
            Accepted(
                candidate_id=child.id,
                reason=trying.reason,
                n_cases=trying.n_cases,
                difference=trying.difference,
            )
        )
        await self._standing.serve(child)
        return True

    def _case_scores(self) -> dict[str, dict[str, float]]:
        return {
            name: {
                axis.removeprefix("case:"): value
                for axis, value in axes.items()
                if axis.startswith("case:")
            }
            for name, axes in self.values.items()
        }

    def _strength(self) -> dict[str, float]:
        return {
            name: sum(scores.values()) / max(1, len(scores))
            for name, scores in self._case_scores().items()
        }
