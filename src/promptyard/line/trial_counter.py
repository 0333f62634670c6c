"""Counts finished trials and tells the progress of a measurement."""

from __future__ import annotations

from promptyard.line.session import Session
from promptyard.protocols import ProgressSink
from promptyard.records.runs import Progress
from promptyard.records.scores import Trial

MAX_PROGRESS_STEPS = 500
"""How often an eval says how far it is, at most: nobody sees a smaller step."""


class TrialCounter:
    """To be called with every trial; tells at most some hundred times how far it is."""

    def __init__(self, session: Session, on_progress: ProgressSink, phase: str, total: int) -> None:
        self._session = session
        self._on_progress = on_progress
        self._phase = phase
        self._total = total
        self._stride = max(1, total // MAX_PROGRESS_STEPS)
        self._done = 0
        self._sum = 0.0
        self._n_scored = 0

    def __call__(self, trial: Trial) -> None:
        """Count a trial. There may be more than `total`: reruns are not foreseen."""
        self._done += 1
        if trial.score is not None:
            self._n_scored += 1
            self._sum += trial.score
        if self._done % self._stride and self._done < self._total:
            return
        ledger = self._session.ledger
        self._on_progress(
            Progress(
                phase=self._phase,
                done=self._done,
                total=max(self._total, self._done),
                spent=ledger.spent,
                calls_left=ledger.task_calls_left,
                best_score=self._sum / self._n_scored if self._n_scored else None,
            )
        )
