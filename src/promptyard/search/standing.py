"""How candidates stand against the baseline on the cases that choose, and who is served."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from promptyard.protocols import SearchContext
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.events import Accepted
from promptyard.records.evidence import ScoredPrompt
from promptyard.search.allowance import unseen_by
from promptyard.search.objectives import n_chars
from promptyard.search.pool import Pool
from promptyard.stats.quick_look import paired_z

SERVE_Z = 1.64
SERVE_Z_WITHOUT_HOLDOUT = 2.33
"""Bars of a lead over the baseline that is served; higher where nothing decides later."""

PRIOR_CASES = 4
"""A lead counts as if so many further cases had shown none: few cases are not trusted."""


class Standing:
    """Ranks candidates by their paired lead over the baseline on the choosing cases.

    Leads and scores are those of the moment when a candidate was last recorded: rows of calls that
    were cancelled later depend on who was first, and decide nothing.
    """

    def __init__(self, context: SearchContext, pool: Pool, choosing: Sequence[Case]) -> None:
        self._context = context
        self._pool = pool
        self._choosing = choosing
        self._leads: dict[str, float] = {}
        self._points: dict[str, ScoredPrompt] = {}
        self._served_lead = 0.0
        self.record(context.baseline)

    def record(self, candidate: Candidate) -> None:
        """Keep how a candidate stands now; to be called where all of its calls have ended."""
        found = self._differences(candidate)
        self._leads[candidate.id] = sum(found) / (len(found) + PRIOR_CASES)
        scores = self._context.scores(candidate)
        known = [scores[case.id] for case in self._choosing if case.id in scores]
        if known:
            text = "\n\n".join(step.prompt.text for step in candidate.program.steps)
            pct = round(100 * sum(known) / len(known))
            self._points[candidate.id] = ScoredPrompt(
                program_id=candidate.id, text=text, score_pct=pct
            )

    def best(self, n: int, among: Collection[str] | None = None) -> list[Candidate]:
        """Return up to `n` recorded candidates that lead over the baseline, best first.

        `among` are the ids that may be returned, by default all; the shorter prompt wins a tie.
        """
        ahead = [
            self._pool[name]
            for name, lead in self._leads.items()
            if lead > 0 and (among is None or name in among)
        ]
        return sorted(ahead, key=lambda item: (-self._leads[item.id], n_chars(item)))[:n]

    @property
    def trajectory(self) -> tuple[ScoredPrompt, ...]:
        """The recorded candidates with their rounded score on the choosing cases, worst first."""
        return tuple(sorted(self._points.values(), key=lambda point: point.score_pct))

    def _differences(self, candidate: Candidate) -> list[float]:
        """Return candidate minus baseline on the choosing cases that both scored."""
        baseline = self._context.baseline
        own, theirs = self._context.scores(candidate), self._context.scores(baseline)
        return [
            own[case.id] - theirs[case.id]
            for case in unseen_by(self._choosing, candidate, baseline)
            if case.id in own and case.id in theirs
        ]

    async def serve(self, candidate: Candidate) -> None:
        """Serve a candidate that is clearly ahead of the baseline, and of what was served last."""
        found = self._differences(candidate)
        z, lead = paired_z(found), self._leads.get(candidate.id, 0.0)
        bar = SERVE_Z if self._context.confirms else SERVE_Z_WITHOUT_HOLDOUT
        if z is None or z < bar or lead <= self._served_lead:
            return
        self._served_lead = lead
        difference = sum(found) / len(found)
        self._context.serve(
            candidate, self._pool.origins(candidate), n_cases=len(found), difference=difference
        )
        await self._context.emit(
            Accepted(
                candidate_id=candidate.id,
                reason=f"paired z = {z:+.1f} against the baseline",
                served=True,
                n_cases=len(found),
                difference=difference,
            )
        )
