"""Screen: the fewest train cases that can show whether a candidate does what it was made for.

A local patch runs on the failure slice of the buckets it answers, demonstrations on train cases
that are not shown, anything else on a representative train subset. A slice of failures is biased
(the same prompt run again passes some of them), so it may reject and order, never accept.
Source: anchors on evaluation, section 5; on search, section 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from promptyard.funnel.paired import PairedRun, run_paired, stratified
from promptyard.funnel.settings import FunnelSettings
from promptyard.protocols import CaseRun
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate, demo_case_ids
from promptyard.records.evidence import Evidence
from promptyard.records.runs import StageOutcome, StageRow, StageSummary
from promptyard.records.scores import Trial


class Screen:
    """The first stage, on train. Costs at most `max_screen_cases` task calls a candidate."""

    name = "screen"
    split: Literal["train", "dev", "holdout"] = "train"

    def __init__(self, settings: FunnelSettings) -> None:
        self._settings = settings

    def max_trials(self, n_candidates: int, n_cases: int) -> int:
        """Return the upper bound that the class docstring names, in trials."""
        return n_candidates * min(n_cases, 2 * self._settings.max_screen_cases)

    async def run(
        self,
        candidates: Sequence[Candidate],
        baseline: Candidate,
        evidence: Evidence,
        cases: Sequence[Case],
        run_cases: CaseRun,
    ) -> StageOutcome:
        """Keep patches that cure a case of their slice, and others that do not clearly lose."""
        stored = {item.case.id: item.trial for item in (*evidence.failures, *evidence.successes)}
        runs: list[tuple[PairedRun, bool]] = []
        rows: list[StageRow] = []
        by_id = {case.id: case for case in cases}
        ordered = stratified(cases, self._settings.seed)
        for candidate in candidates:
            sliced = self._failure_slice(candidate, evidence, by_id)
            chosen = sliced or self._representative(candidate, candidates, ordered)
            if not chosen:
                runs.append((PairedRun(candidate), True))
                rows.append(
                    PairedRun(candidate).row(kept=True, reason="no train case left to screen on")
                )
                continue
            before = await self._before(baseline, chosen, stored, run_cases, fresh=bool(sliced))
            run = await run_paired(
                candidate,
                chosen,
                before,
                run_cases,
                bar=0.0 if sliced else -self._settings.noninferiority,
                block_cases=self._settings.block_cases,
            )
            kept = _keeps(run, local=bool(sliced), margin=self._settings.noninferiority)
            runs.append((run, kept))
            what = "its failure slice" if sliced else "representative train cases"
            change = f"{run.difference:+.2f}" if run.difference is not None else "no result"
            rows.append(run.row(kept=kept, reason=f"{change} on {what}"))
        ranked = sorted(
            (run for run, kept in runs if kept), key=lambda run: -(run.difference or 0.0)
        )
        kept_candidates = tuple(run.candidate for run in ranked)
        summary = StageSummary(
            stage=self.name,
            split=self.split,
            n_tried=len(candidates),
            n_kept=len(kept_candidates),
            calls=0,
            cached_calls=0,
            rows=tuple(rows),
        )
        return StageOutcome(kept=kept_candidates, summary=summary)

    def _failure_slice(
        self, candidate: Candidate, evidence: Evidence, by_id: dict[str, Case]
    ) -> list[Case]:
        """Return failing cases that show each bucket of the candidate `cases_per_bucket` times.

        More often where that makes fewer than `min_screen_cases`.

        Taken from the end of a bucket: its first cases were shown to the generator.
        """
        named = [bucket for bucket in evidence.buckets if bucket.name in candidate.evidence]
        demos = demo_case_ids(candidate.program)
        chosen: dict[str, None] = {}
        # Two cases of one bucket decide nothing: few buckets are shown more often.
        wanted = math.ceil(self._settings.min_screen_cases / max(1, len(named)))
        for turn in range(max(self._settings.cases_per_bucket, wanted)):
            for bucket in named:
                left = [i for i in reversed(bucket.primary_ids) if i not in demos and i in by_id]
                if turn < len(left) and len(chosen) < self._settings.max_screen_cases:
                    chosen[left[turn]] = None
        return [by_id[case_id] for case_id in chosen]

    def _representative(
        self, candidate: Candidate, candidates: Sequence[Candidate], ordered: Sequence[Case]
    ) -> list[Case]:
        """Return train cases that none of the demonstration candidates shows, so that all pair."""
        shown = demo_case_ids(candidate.program)
        if shown:
            shown = shown.union(*(demo_case_ids(item.program) for item in candidates))
        left = [case for case in ordered if case.id not in shown]
        return left[: 2 * self._settings.max_screen_cases]

    async def _before(
        self,
        baseline: Candidate,
        chosen: Sequence[Case],
        stored: dict[str, Trial],
        run_cases: CaseRun,
        *,
        fresh: bool,
    ) -> dict[str, Trial]:
        """Return the baseline's trials: stored, or fresh where they were selected by outcome."""
        if fresh and self._settings.stochastic:
            report = await run_cases(baseline.program, chosen, 1)
            return report.by_case()
        return {case.id: stored[case.id] for case in chosen if case.id in stored}


def _keeps(run: PairedRun, *, local: bool, margin: float) -> bool:
    if run.difference is None or run.broken_critical is not None:
        return False
    return run.difference > 0 if local else run.difference >= -margin
