"""The policy `opro`: score whole instructions on one train subset, show the scores, ask again.

Every instruction is scored on the same cases and joins the trajectory, however low; nothing is
rejected on the way. The best one goes to dev. Source: OPRO (arXiv 2309.03409); anchors on
algorithms, A2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from promptyard.errors import BudgetExceeded, ConfigError
from promptyard.protocols import SearchContext
from promptyard.records.atoms import atoms_of
from promptyard.records.base import Record
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.events import Accepted, Diagnosed, Noted
from promptyard.records.evidence import TrainTrial
from promptyard.records.origins import Origin
from promptyard.search.working_line import mean, score_differences, scores_of

GENERATOR = "trajectory"


class OproSettings(Record):
    """Sizes of the search. The source takes 200 steps of 8 and up to 20 % of train (BBH)."""

    max_steps: int = Field(default=200, ge=1)
    candidates_per_step: int = Field(default=8, ge=1)
    subset_share: float = Field(default=0.2, gt=0, le=1)
    min_subset_cases: int = Field(default=12, ge=1)
    max_subset_cases: int = Field(default=50, ge=1)
    min_steps: int = Field(default=4, ge=1)
    max_empty_steps: int = Field(default=3, ge=1)
    min_shared: float = Field(default=0.9, gt=0, le=1)


@dataclass(frozen=True)
class _Scored:
    """A candidate with its lead over the baseline on the cases that both scored."""

    candidate: Candidate
    lead: float
    n_cases: int


class Opro:
    """Optimisation by prompting. Costs the subset for each candidate, and dev for the best."""

    name = "opro"

    def __init__(self, settings: OproSettings | None = None) -> None:
        self.settings = settings or OproSettings()

    async def search(self, context: SearchContext) -> Candidate | None:
        """Search until the steps or the task calls end; None where nobody beats the baseline.

        Raises ConfigError where the task leaves the generator out, BudgetExceeded where the budget
        ends before anything was found.
        """
        if GENERATOR not in context.generators:
            raise ConfigError(
                f"the policy opro asks the generator '{GENERATOR}', which optimize.generators "
                "leaves out; add it there"
            )
        search = _Search(context, self.settings)
        try:
            await search.run()
        except BudgetExceeded as error:
            if search.best is None:
                raise
            await context.emit(Noted(text=f"the search ended early: {error}"))
        best = search.best
        if best is None:
            return None
        await _accept(context, best)
        kept = await context.stage("full", [best.candidate])
        return kept[0] if kept else None


class _Search:
    """One search: the subset, the baseline's rows on it, and the best candidate so far."""

    def __init__(self, context: SearchContext, settings: OproSettings) -> None:
        self._context = context
        self._settings = settings
        self._cases: Sequence[Case] = ()
        self._before: Sequence[TrainTrial] = ()
        self.best: _Scored | None = None

    async def run(self) -> None:
        """Run the baseline, then step by step until nothing can be paid or nothing comes."""
        context = self._context
        self._cases = context.train[: self._n_cases()]
        self._before = await context.run(context.baseline, self._cases, purpose="baseline")
        found = context.evidence(self._before, context.baseline)
        await context.emit(
            Diagnosed(
                score=mean(scores_of(self._before)),
                n_cases=len(self._before),
                n_buckets=len(found.buckets),
            )
        )
        empty = 0
        for step in range(self._settings.max_steps):
            if self._affordable() < 1:
                return
            n_proposed = await self._step(step)
            empty = 0 if n_proposed else empty + 1
            if empty == self._settings.max_empty_steps:
                await context.emit(Noted(text=f"no new instruction came of {empty} requests"))
                return

    async def _step(self, step: int) -> int:
        """Ask once, score all that came; returns how many did."""
        context = self._context
        evidence = context.evidence(self._before, context.baseline)
        proposed = await context.propose(GENERATOR, context.baseline, evidence, attempt=step)
        chosen = proposed[: min(self._affordable(), self._settings.candidates_per_step)]
        scored = await asyncio.gather(
            *(self._score(candidate) for candidate in chosen), return_exceptions=True
        )
        error: BaseException | None = None
        for result in scored:  # in order, and what was paid counts whatever became of the others
            if isinstance(result, BaseException):
                error = error or result
            elif result is not None and result.lead > (self.best.lead if self.best else 0.0):
                self.best = result
        if error is not None:
            raise error
        return len(chosen)

    async def _score(self, candidate: Candidate) -> _Scored | None:
        """Score a candidate; None where too few cases were scored for a comparison."""
        rows = await self._context.run(candidate, self._cases, purpose="trajectory")
        differences = score_differences(rows, self._before)
        lead = mean(differences)
        n_before = len(scores_of(self._before))
        if lead is None or len(differences) < self._settings.min_shared * n_before:
            return None
        return _Scored(candidate, lead, len(differences))

    def _n_cases(self) -> int:
        """Return the size of the subset: a share of train, and so small that steps can be paid."""
        settings, n_train = self._settings, len(self._context.train)
        wanted = round(settings.subset_share * n_train)
        wanted = max(settings.min_subset_cases, min(settings.max_subset_cases, wanted))
        left = self._context.task_calls_left
        if left is not None:
            runs = 1 + settings.min_steps * settings.candidates_per_step
            wanted = min(wanted, max(settings.min_subset_cases, left // (runs * self._n_calls)))
        return max(1, min(wanted, n_train))

    def _affordable(self) -> int:
        """Return how many candidates the task calls that are left can still score."""
        left = self._context.task_calls_left
        if left is None:
            return self._settings.candidates_per_step
        return left // (len(self._cases) * self._n_calls)

    @property
    def _n_calls(self) -> int:
        """Task calls of one case at least."""
        return len(self._context.baseline.program.steps)


async def _accept(context: SearchContext, best: _Scored) -> None:
    """Say who is best, and keep where its sentences come from."""
    candidate = best.candidate
    context.blame(
        candidate,
        [
            Origin(
                atom=atom,
                buckets=(GENERATOR,),
                generator=candidate.generator,
                hypothesis=candidate.hypothesis,
            )
            for atom in atoms_of(context.baseline.program, candidate.edits)
        ],
    )
    await context.emit(
        Accepted(
            candidate_id=candidate.id,
            reason="the highest score on the train subset",
            n_cases=best.n_cases,
            difference=best.lead,
        )
    )
