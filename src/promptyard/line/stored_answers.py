"""Finds what the cases of a task were answered with in the runs of a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptyard.errors import NotFound
from promptyard.protocols import Store
from promptyard.records.scores import Trial

LAST = "last"
MOST_RUNS = 50
"""How many of the latest runs are searched for answers."""


@dataclass(frozen=True)
class StoredAnswers:
    """The trials by case, the newest first; `all_runs` is False where older runs were left out."""

    trials: Mapping[str, Sequence[Trial]]
    all_runs: bool = True

    def is_ambiguous(self, case_id: str) -> bool:
        """Whether a case was answered in several ways."""
        return len(self._texts(case_id)) > 1

    def only_answer(self, case_id: str) -> str | None:
        """Return what a case was answered with in every run, None where that is not known."""
        texts = self._texts(case_id)
        return next(iter(texts)) if self.all_runs and len(texts) == 1 else None

    def _texts(self, case_id: str) -> set[str]:
        return {trial.output for trial in self.trials.get(case_id, ()) if is_answer(trial)}


def is_answer(trial: Trial) -> bool:
    """Whether a trial has an answer at all."""
    return bool(trial.visits) and trial.status != "error"


async def stored_answers(
    store: Store, task: str, wanted: set[str], *, from_run: str = LAST, own_run: str = ""
) -> StoredAnswers:
    """Gather the trials of a run, or of the task's latest runs, from the newest report on.

    `own_run` is left out. Raises NotFound for an unknown run, or one without these cases.
    """
    all_runs = True
    if from_run != LAST:
        run_ids = [from_run]
    else:
        rows = await store.runs(task, limit=MOST_RUNS + 2)
        found = [str(row["id"]) for row in rows if row["id"] != own_run]
        run_ids, all_runs = found[:MOST_RUNS], len(found) <= MOST_RUNS
    trials: dict[str, list[Trial]] = {}
    for run_id in run_ids:
        for report in reversed(await store.reports(run_id)):
            for trial in report.trials:
                if trial.case_id in wanted:
                    trials.setdefault(trial.case_id, []).append(trial)
    if from_run != LAST and not trials:
        raise NotFound(f"run {from_run} has no output of these cases")
    return StoredAnswers(trials, all_runs)
