"""Checks on fresh cases: is the line better than the incumbent where nothing was learnt?

Small blocks of train cases that no sentence has learnt from; the unpaired look settles what is
plain, the same cases under the incumbent what is not. Source: anchors on search, section 2, steps
3 and 6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from promptyard.protocols import SearchContext
from promptyard.records.edits import Candidate
from promptyard.records.evidence import TrainTrial
from promptyard.records.scores import breaks_critical
from promptyard.search.settings import AutoSettings
from promptyard.search.working_line import WorkingLine, mean, score_differences, scores_of
from promptyard.stats.quick_look import paired_z, two_sample_z


@dataclass(frozen=True)
class Ruling:
    """Whether a line is taken, why, on how many fresh cases, and its lead over the other.

    `is_open` says that more cases could turn it.
    """

    taken: bool
    reason: str
    n_cases: int
    difference: float | None
    is_open: bool = False


@dataclass(frozen=True)
class Claim:
    """What a line claims beside its fresh rows: slice cases cured, and in which buckets.

    A line that only shows more demonstrations claims nothing and has to lead by more: they
    lengthen every call.
    """

    n_cured: int
    buckets: frozenset[str]
    only_demos: bool = False


class Checker:
    """Compares lines on unseen cases; keeps which rows of which program were unseen."""

    def __init__(self, context: SearchContext, settings: AutoSettings) -> None:
        self._context = context
        self._settings = settings
        self._unseen: dict[str, dict[str, TrainTrial]] = {}

    def saw(self, candidate_id: str, rows: Sequence[TrainTrial]) -> None:
        """Note rows of cases that nothing in the program had learnt from."""
        known = self._unseen.setdefault(candidate_id, {})
        known.update({row.case.id: row for row in rows if row.trial.status == "scored"})

    def unseen(self, candidate_id: str) -> list[TrainTrial]:
        """Return the unseen rows of a program."""
        return list(self._unseen.get(candidate_id, {}).values())

    def lead(self, candidate: Candidate) -> tuple[int, float] | None:
        """Return a program's lead over the baseline, by the unseen rows of each, and its cases.

        None where one of them has none: it was only checked on cases learnt from before.
        """
        ours = scores_of(self.unseen(candidate.id))
        theirs = scores_of(self.unseen(self._context.baseline.id))
        first, second = mean(ours), mean(theirs)
        return None if first is None or second is None else (len(ours), first - second)

    def n_cases(self, incumbent: WorkingLine) -> int:
        """Return how many fresh cases a check takes: enough to show about three failures."""
        scores = scores_of(self.unseen(incumbent.candidate.id))
        rate = 1 - (mean(scores) or 0.0)
        low, high = self._settings.min_check_cases, self._settings.max_check_cases
        return min(high, max(low, math.ceil(3 / max(rate, 0.01))))

    async def check(
        self,
        line: WorkingLine,
        incumbent: WorkingLine,
        rows: Sequence[TrainTrial],
        claim: Claim,
        *,
        unseen: bool,
    ) -> Ruling:
        """Decide whether a line replaces the incumbent, by rows that nothing was learnt from.

        `unseen` is False where train is used up and the rows are of cases learnt from before: then
        pairs decide alone.
        """
        broken = await self._breaks_critical(line, incumbent, rows)
        if broken is not None:
            return Ruling(False, f"breaks the critical case '{broken}'", len(rows), None)
        if unseen:
            self.saw(line.candidate.id, rows)
            ruling = self._quick(line, incumbent)
            if ruling is not None:
                return ruling
        return await self._paired(line, incumbent, rows, claim, unseen=unseen)

    async def _breaks_critical(
        self, line: WorkingLine, incumbent: WorkingLine, rows: Sequence[TrainTrial]
    ) -> str | None:
        """Return a critical case that the incumbent passes and the line fails.

        Critical cases that the incumbent is known to pass are run again under the line.
        """
        checked = {row.case.id for row in rows} | line.demo_ids
        known = [
            row
            for row in incumbent.rows.values()
            if row.trial.passed and is_critical(row) and row.case.id not in checked
        ]
        again = await self._run(line, known[: self._settings.max_critical_cases], "critical")
        suspects = [row for row in (*rows, *again) if not row.trial.passed and is_critical(row)]
        if not suspects:
            return None
        before = {row.case.id: row for row in await self._run(incumbent, suspects, "critical")}
        return next(
            (
                row.case.id
                for row in suspects
                if (other := before.get(row.case.id))
                and breaks_critical(row.case, other.trial, row.trial)
            ),
            None,
        )

    async def broken(
        self, line: WorkingLine, incumbent: WorkingLine, rows: Sequence[TrainTrial]
    ) -> list[TrainTrial]:
        """Return the rows in which a line is behind the incumbent; costs a call a failing row."""
        failing = [row for row in rows if not row.trial.passed]
        before = await self._run(incumbent, failing)
        lost = {
            row.case.id
            for row in failing
            if any(value < 0 for value in score_differences([row], before))
        }
        return [row for row in failing if row.case.id in lost]

    def _quick(self, line: WorkingLine, incumbent: WorkingLine) -> Ruling | None:
        """Look without a call: unseen rows of both, on whatever cases; None where it is open."""
        ours, theirs = self.unseen(line.candidate.id), self.unseen(incumbent.candidate.id)
        z = two_sample_z(scores_of(ours), scores_of(theirs))
        if z is None or abs(z) < self._settings.accept_z:
            return None
        lead = (mean(scores_of(ours)) or 0.0) - (mean(scores_of(theirs)) or 0.0)
        return Ruling(z > 0, f"z = {z:+.1f} on unseen cases", len(ours), lead)

    async def _paired(
        self,
        line: WorkingLine,
        incumbent: WorkingLine,
        fresh: Sequence[TrainTrial],
        claim: Claim,
        *,
        unseen: bool,
    ) -> Ruling:
        """Run the incumbent on the same cases and decide by pairs.

        A rare failure may be missing among them: cured slice cases then count, if nothing broke.
        """
        # Where the line passes it cannot be behind: its failures alone tell whether it broke any.
        failing = [row for row in fresh if not row.trial.passed]
        # Where none fails a single cure will do: the last rare failures come one by one.
        n_needed = self._settings.min_suspicious if failing else 1
        if claim.n_cured >= n_needed and not self._denied(line, fresh, claim):
            before = await self._run(incumbent, failing)
            if all(value >= 0 for value in score_differences(failing, before)):
                failures = "failure" if claim.n_cured == 1 else "failures"
                said = f"{claim.n_cured} {failures} mended, no fresh case broken"
                return Ruling(True, said, len(fresh), None)
        before = await self._run(incumbent, fresh)
        if unseen:
            self.saw(incumbent.candidate.id, before)
        differences = score_differences(fresh, before)
        z, lead = paired_z(differences), mean(differences)
        n = len(differences)
        if z is None or lead is None:
            return Ruling(False, "no fresh case was answered by both", n, lead)
        settings = self._settings
        bar = settings.only_demos_z if claim.only_demos else settings.paired_accept_z
        taken = lead > 0 and z >= bar
        is_open = abs(z) < settings.open_z
        return Ruling(taken, f"paired z = {z:+.1f} on fresh cases", n, lead, is_open)

    def _denied(self, line: WorkingLine, fresh: Sequence[TrainTrial], claim: Claim) -> bool:
        """Say whether fresh cases still fail in the way that is claimed to be mended."""
        found = self._context.evidence(fresh, line.candidate)
        return any(bucket.name in claim.buckets for bucket in found.buckets)

    async def _run(
        self, line: WorkingLine, rows: Sequence[TrainTrial], purpose: str = "fresh"
    ) -> Sequence[TrainTrial]:
        cases = [row.case for row in rows]
        if not cases:
            return ()
        return await self._context.run(line.candidate, cases, purpose=purpose, priority=1.0)

    async def beats_baseline(self, line: WorkingLine) -> Ruling:
        """Say whether a line may be served: better than the baseline on unseen cases."""
        baseline = self._context.baseline
        ours = self.unseen(line.candidate.id)
        bar, paired_bar = self._serve_bars()
        z = two_sample_z(scores_of(ours), scores_of(self.unseen(baseline.id)))
        lead = (mean(scores_of(ours)) or 0.0) - (mean(scores_of(self.unseen(baseline.id))) or 0.0)
        if z is not None and z > bar:
            return Ruling(True, f"z = {z:+.1f} against the baseline", len(ours), lead)
        if z is None or z < 0:
            return Ruling(False, "no lead over the baseline on unseen cases", len(ours), lead)
        before = await self._context.run(
            baseline, [row.case for row in ours], purpose="serve", priority=1.0
        )
        differences = score_differences(ours, before)
        paired = paired_z(differences)
        if paired is not None and paired > paired_bar:
            said = f"paired z = {paired:+.1f} against the baseline"
            return Ruling(True, said, len(differences), mean(differences))
        return Ruling(False, "not yet ahead of the baseline", len(differences), mean(differences))

    def _serve_bars(self) -> tuple[float, float]:
        """Return the bars of both looks; they are higher where nothing decides later."""
        if self._context.confirms:
            return self._settings.serve_z, self._settings.serve_paired_z
        return self._settings.serve_z_without_holdout, self._settings.serve_z_without_holdout


def is_critical(row: TrainTrial) -> bool:
    """Say whether a case, or one of its findings, is critical."""
    return row.case.critical or any(score.critical for score in row.trial.scores)
