"""Regress: a stratified subset of dev that no patch has learnt from, critical cases first.

Catches the common failure of local edits: one behaviour mended, another broken. Candidates are
compared with the baseline on the same cases; who loses more than the non-inferiority margin or
breaks a critical case is out.
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


class Regress:
    """The second stage, on dev. Costs at most `regress_cases` task calls a candidate."""

    name = "regress"
    split: Literal["train", "dev", "holdout"] = "dev"

    def __init__(self, settings: FunnelSettings) -> None:
        self._settings = settings

    def max_trials(self, n_candidates: int, n_cases: int) -> int:
        """Return the upper bound that the class docstring names, in trials."""
        return (n_candidates + 1) * min(n_cases, self._settings.regress_cases)

    async def run(
        self,
        candidates: Sequence[Candidate],
        baseline: Candidate,
        evidence: Evidence,
        cases: Sequence[Case],
        run_cases: CaseRun,
    ) -> StageOutcome:
        """Rank candidates by their mean difference on the subset; drop those that lose."""
        del evidence
        ordered = stratified(cases, self._settings.seed)
        n_critical = sum(case.critical for case in ordered)
        chosen = ordered[: max(self._settings.regress_cases, n_critical)]
        bar = -self._settings.noninferiority
        block_cases = self._settings.block_cases
        comparison = await compare_on(
            candidates, baseline, chosen, run_cases, bar=bar, block_cases=block_cases
        )
        return comparison.outcome(self.name, self.split)
