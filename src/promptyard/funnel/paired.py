"""Runs candidates against the baseline on the same cases, block by block, until settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from promptyard.protocols import CaseRun
from promptyard.records.cases import Case, SplitName
from promptyard.records.edits import Candidate
from promptyard.records.runs import StageOutcome, StageRow, StageSummary
from promptyard.records.scores import GradedCase, Report, Trial, breaks_critical
from promptyard.runner.summarize import summarize
from promptyard.stats.assignment import stratified_order
from promptyard.stats.curtailment import paired_outcome


@dataclass
class PairedRun:
    """What is known of one candidate in one stage."""

    candidate: Candidate
    differences: list[float] = field(default_factory=list[float])
    graded: list[GradedCase] = field(default_factory=list[GradedCase])
    baseline_scores: list[float] = field(default_factory=list[float])
    weights: list[float] = field(default_factory=list[float])
    broken_critical: str | None = None
    stopped_early: bool = False

    @property
    def difference(self) -> float | None:
        """Weighted mean of candidate minus baseline over the cases that both answered."""
        return self._mean(self.differences)

    @property
    def baseline_score(self) -> float | None:
        """Weighted mean score of the baseline over the same cases."""
        return self._mean(self.baseline_scores)

    @property
    def score(self) -> float | None:
        """Weighted mean score of the candidate over the same cases."""
        if self.difference is None or self.baseline_score is None:
            return None
        return self.baseline_score + self.difference

    def _mean(self, values: Sequence[float]) -> float | None:
        if not values:
            return None
        total = sum(value * weight for value, weight in zip(values, self.weights, strict=True))
        return total / sum(self.weights)

    def row(self, *, kept: bool, reason: str) -> StageRow:
        """Write the numbers down for the stage's summary."""
        return StageRow(
            candidate_id=self.candidate.id,
            generator=self.candidate.generator,
            n_cases=len(self.differences),
            score=self.score,
            baseline_score=self.baseline_score,
            difference=self.difference,
            status="kept" if kept else "dropped",
            reason=reason,
        )

    def report(self, like: Report) -> Report:
        """Fold the trials into a report of the same eval set and split as `like`."""
        return summarize(
            self.candidate.id, like.eval_set_version, like.split, self.graded, suite={}
        )


async def run_paired(
    candidate: Candidate,
    cases: Sequence[Case],
    baseline: dict[str, Trial],
    run_cases: CaseRun,
    *,
    bar: float,
    block_cases: int,
) -> PairedRun:
    """Run a candidate on cases in blocks, until done or until its mean difference is settled.

    Deterministic curtailment: stops when even winning every remaining case could not lift the mean
    difference above `bar`, or when a critical case broke. Costs at most one task call a case.
    """
    run = PairedRun(candidate)
    for start in range(0, len(cases), block_cases):
        block = cases[start : start + block_cases]
        report = await run_cases(candidate.program, block, 0)
        for case, trial in zip(block, report.trials, strict=True):
            _add(run, case, baseline.get(case.id), trial)
        rest = cases[start + block_cases :]
        remaining = [
            trial.score
            for case in rest
            if (trial := baseline.get(case.id)) is not None and trial.score is not None
        ]
        weighted = len({case.weight for case in cases}) > 1  # the bound holds for equal weights
        cannot = not weighted and (
            paired_outcome(run.differences, remaining, bar=bar) == "cannot_pass"
        )
        if rest and (cannot or run.broken_critical is not None):
            run.stopped_early = True
            break
    return run


@dataclass(frozen=True)
class StageComparison:
    """All candidates of a stage against the baseline on the same cases."""

    baseline: Report
    runs: tuple[PairedRun, ...]
    bar: float

    def keeps(self, run: PairedRun) -> bool:
        """Say whether a candidate clears the bar and broke nothing critical."""
        above = run.difference is not None and run.difference > self.bar
        return above and run.broken_critical is None and not run.stopped_early

    def outcome(self, stage: str, split: SplitName) -> StageOutcome:
        """Write the stage's result; best first, shorter programs first among equals."""
        kept = sorted(
            (run for run in self.runs if self.keeps(run)),
            key=lambda run: (-(run.difference or 0.0), _length(run.candidate)),
        )
        reports = {run.candidate.id: run.report(self.baseline) for run in kept}
        reports[self.baseline.program_id] = self.baseline
        summary = StageSummary(
            stage=stage,
            split=split,
            n_tried=len(self.runs),
            n_kept=len(kept),
            calls=0,
            cached_calls=0,
            rows=tuple(
                run.row(kept=self.keeps(run), reason=_reason(run, self.bar)) for run in self.runs
            ),
        )
        return StageOutcome(
            kept=tuple(run.candidate for run in kept), summary=summary, reports=reports
        )


async def compare_on(
    candidates: Sequence[Candidate],
    baseline: Candidate,
    cases: Sequence[Case],
    run_cases: CaseRun,
    *,
    bar: float,
    block_cases: int,
) -> StageComparison:
    """Run the baseline on all cases, then each candidate until its outcome is settled."""
    before = await run_cases(baseline.program, cases, 0)
    by_case = before.by_case()
    runs = [
        await run_paired(candidate, cases, by_case, run_cases, bar=bar, block_cases=block_cases)
        for candidate in candidates
    ]
    return StageComparison(before, tuple(runs), bar)


def _reason(run: PairedRun, bar: float) -> str:
    if run.broken_critical is not None:
        return f"breaks the critical case '{run.broken_critical}'"
    if run.difference is None:
        return "no case was answered by both"
    early = "; stopped: it could no longer clear the bar" if run.stopped_early else ""
    return f"{100 * run.difference:+.1f} points, bar {100 * bar:+.1f}{early}"


def _length(candidate: Candidate) -> int:
    return sum(len(step.prompt.text) for step in candidate.program.steps)


def _add(run: PairedRun, case: Case, before: Trial | None, after: Trial) -> None:
    run.graded.append(GradedCase(case=case, trial=after))
    if before is None or before.score is None or after.score is None:
        return
    run.differences.append(after.score - before.score)
    run.baseline_scores.append(before.score)
    run.weights.append(case.weight)
    if run.broken_critical is None and breaks_critical(case, before, after):
        run.broken_critical = case.id


def stratified(cases: Sequence[Case], seed: int) -> list[Case]:
    """Order cases so that every prefix is balanced over expected label, kind and tags.

    Critical cases come first; the order depends on the seed and the case ids only.
    """
    strata = [(case.id, (_label(case), case.kind, case.tags)) for case in cases]
    rank = {case_id: index for index, case_id in enumerate(stratified_order(strata, seed=seed))}
    return sorted(cases, key=lambda case: (not case.critical, rank[case.id]))


def _label(case: Case) -> str:
    return case.expected if isinstance(case.expected, str) and len(case.expected) <= 60 else ""
