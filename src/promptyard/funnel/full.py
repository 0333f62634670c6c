"""Full: all of dev, finalists only, every dimension. Chooses the one that meets the holdout.

The dev score of the winner is selected and therefore too high; the holdout number is the estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from promptyard.funnel.paired import compare_on, stratified
from promptyard.funnel.settings import FunnelSettings
from promptyard.protocols import CaseRun
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.evidence import Evidence
from promptyard.records.runs import StageOutcome


class Full:
    """The third stage. Costs at most one task call a dev case for the baseline and each finalist.

    The cases come in the order of `regress`, so that its calls are not paid again.
    """

    name = "full"
    split: Literal["train", "dev", "holdout"] = "dev"

    def __init__(self, settings: FunnelSettings) -> None:
        self._settings = settings

    def max_trials(self, n_candidates: int, n_cases: int) -> int:
        """Return the upper bound that the class docstring names, in trials."""
        return (n_candidates + 1) * n_cases

    async def run(
        self,
        candidates: Sequence[Candidate],
        baseline: Candidate,
        evidence: Evidence,
        cases: Sequence[Case],
        run_cases: CaseRun,
    ) -> StageOutcome:
        """Keep candidates whose mean is above the baseline's, best first."""
        del evidence
        ordered = stratified(cases, self._settings.seed)
        comparison = await compare_on(
            candidates,
            baseline,
            ordered,
            run_cases,
            bar=0.0,
            block_cases=self._settings.block_cases,
        )
        return comparison.outcome(self.name, self.split)
