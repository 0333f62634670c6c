"""Tells what happens in a run: to its journal, to who listens, and to the trail.

Work side by side is told in its turn, so that a run reads, and is repeated, the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from promptyard.line.listener import Listener
from promptyard.line.trail import Trail, sentence
from promptyard.protocols import EventSink, ProgressSink, Store
from promptyard.records.budget import Spent
from promptyard.records.edits import Candidate, Rejection
from promptyard.records.events import (
    Eliminated,
    Event,
    Noted,
    Proposed,
    Rejected,
    Screened,
    Spending,
    Staged,
)
from promptyard.records.evidence import TrainTrial
from promptyard.records.runs import HistoryEntry, Progress, StageOutcome
from promptyard.records.turns import in_turn
from promptyard.runner.ledger import Ledger

BEST_AFTER = ("baseline", "fresh", "regress", "full")
"""Purposes and stages whose scores count for the best so far: others run chosen cases."""


class Telling:
    """Tells events and progress of one run; the trail keeps what its result is written from."""

    def __init__(
        self,
        *,
        run_id: str,
        store: Store,
        ledger: Ledger,
        trail: Trail,
        on_progress: ProgressSink,
        on_event: EventSink | None = None,
    ) -> None:
        self._run_id = run_id
        self._store = store
        self._ledger = ledger
        self._trail = trail
        self._on_progress = on_progress
        self._listener = Listener(on_event)

    async def emit(self, event: Event) -> None:
        """Journal an event, and show it to whoever listens; from work side by side in its turn."""
        await in_turn(partial(self._tell, event))

    async def proposed(self, candidate: Candidate) -> None:
        """Tell of a candidate that the validators let pass."""
        await self.emit(
            Proposed(
                candidate_id=candidate.id,
                generator=candidate.generator,
                hypothesis=candidate.hypothesis,
                evidence=candidate.evidence,
                edits=tuple(edit.model_dump(mode="json") for edit in candidate.edits),
            )
        )

    async def rejected(self, rejection: Rejection) -> None:
        """Tell of a proposal that was refused, and keep it."""

        async def keep() -> None:
            self._trail.rejections.append(rejection)

        await in_turn(keep)
        await self.emit(Rejected(**rejection.model_dump()))

    async def screened(
        self, candidate: Candidate, purpose: str, rows: Sequence[TrainTrial]
    ) -> None:
        """Tell what a candidate came to on train cases."""
        values = [row.trial.score for row in rows if row.trial.score is not None]
        score = sum(values) / len(values) if values else None
        entry = self._entry(candidate.id, candidate.generator, purpose, len(values), score)
        await in_turn(partial(self._remember, entry))
        await self.emit(
            Screened(candidate_id=candidate.id, purpose=purpose, n_cases=len(values), score=score)
        )

    async def staged(self, outcome: StageOutcome, spent: Spent) -> None:
        """Tell what a stage of the funnel came to, and store its reports."""
        summary = outcome.summary
        name = summary.stage
        self._trail.stages.append(summary)
        self._trail.outcomes[name] = outcome
        for row in summary.rows:
            await self._remember(
                self._entry(row.candidate_id, row.generator, name, row.n_cases, row.score)
            )
            if row.status == "dropped":
                await self.emit(
                    Eliminated(candidate_id=row.candidate_id, reason=f"{name}: {row.reason}")
                )
        for report in outcome.reports.values():
            await self._store.save_report(self._run_id, name, report)
        await self._store.append_journal(self._run_id, "stage", summary.model_dump(mode="json"))
        await self._publish(
            Staged(stage=name, n_tried=summary.n_tried, n_kept=summary.n_kept, calls=summary.calls)
        )
        await self.emit(Spending(spent=spent))

    def progress(self, phase: str, done: int, total: int, message: str = "") -> None:
        """Show how far a phase is: `done` of `total` cases or trials."""
        self._on_progress(
            Progress(
                phase=phase,
                done=done,
                total=total,
                spent=self._ledger.spent,
                calls_left=self._ledger.task_calls_left,
                best_score=self._trail.best_score,
                message=message,
            )
        )

    async def _tell(self, event: Event) -> None:
        await self._store.append_journal(
            self._run_id, event.kind, event.model_dump(mode="json", exclude={"kind"})
        )
        await self._publish(event)
        self._trail.keep(event)

    async def _publish(self, event: Event) -> None:
        fault = self._listener.tell(event)
        said = sentence(event)
        if said:
            self.progress(event.kind, 0, 0, said)
        if fault is not None:
            await self.emit(Noted(text=fault))

    def _entry(
        self, candidate_id: str, generator: str, stage: str, n_cases: int, score: float | None
    ) -> HistoryEntry:
        known = self._trail.evaluated.get(candidate_id)
        return HistoryEntry(
            candidate_id=candidate_id,
            generator=generator,
            hypothesis=known.hypothesis if known else "",
            stage=stage,
            n_cases=n_cases,
            score=score,
            calls_so_far=self._ledger.task_calls_so_far,
        )

    async def _remember(self, entry: HistoryEntry) -> None:
        self._trail.history.append(entry)
        if entry.score is not None and entry.stage in BEST_AFTER:
            best = self._trail.best_score
            self._trail.best_score = entry.score if best is None else max(best, entry.score)
