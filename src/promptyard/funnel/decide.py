"""Decide: baseline and finalist on the sealed holdout, once a claim. Measures; gates judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from promptyard.errors import EvalSetError
from promptyard.funnel.settings import FunnelSettings
from promptyard.protocols import CaseRun
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.evidence import Evidence
from promptyard.records.runs import StageOutcome, StageRow, StageSummary
from promptyard.records.scores import Trial, breaks_critical

N_CONFIRMATIONS = 2


class Decide:
    """The last stage. Costs two task calls a holdout case; critical breaks are run twice more."""

    name = "decide"
    split: Literal["train", "dev", "holdout"] = "holdout"

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
        """Run both programs on all cases and rerun critical cases that seem to be broken.

        Raises EvalSetError when more than one finalist is given: one candidate meets the holdout.
        """
        del evidence
        if len(candidates) != 1:
            raise EvalSetError(f"one finalist meets the holdout, not {len(candidates)}")
        finalist = candidates[0]
        before = await run_cases(baseline.program, cases, 0)
        after = await run_cases(finalist.program, cases, 0)
        first, second = before.by_case(), after.by_case()
        broken = [c for c in cases if breaks_critical(c, first[c.id], second[c.id])]
        reruns: list[Trial] = []
        if broken and self._settings.stochastic:
            for replicate in range(1, N_CONFIRMATIONS + 1):
                reruns += (await run_cases(finalist.program, broken, replicate)).trials
        difference = (
            after.score - before.score
            if after.score is not None and before.score is not None
            else None
        )
        row = StageRow(
            candidate_id=finalist.id,
            generator=finalist.generator,
            n_cases=after.n_scored,
            score=after.score,
            baseline_score=before.score,
            difference=difference,
            status="kept",
            reason="measured; the gate decides",
        )
        summary = StageSummary(
            stage=self.name,
            split=self.split,
            n_tried=1,
            n_kept=1,
            calls=0,
            cached_calls=0,
            rows=(row,),
        )
        return StageOutcome(
            kept=(finalist,),
            summary=summary,
            reports={baseline.id: before, finalist.id: after},
            reruns=tuple(reruns),
        )
