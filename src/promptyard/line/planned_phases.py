"""The phases of a run with the calls that each will take, and what the budget cuts off."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.line.plan import DEV_SHARE, calls_to_keep
from promptyard.line.task import Task
from promptyard.line.trail import label_set
from promptyard.line.wiring import build_generators, judges_per_case
from promptyard.records.base import Record
from promptyard.records.budget import Budget
from promptyard.search.outlook import SearchOutlook, search_outlook
from promptyard.search.settings import AutoSettings

LEARNING = ("slices", "search")
"""The phases in which the optimizer is asked."""


class PlannedCalls(Record):
    """Calls by role; None where nobody can say or nothing limits them."""

    task: int | None = 0
    optimizer: int | None = 0
    judge: int | None = 0


class PlannedPhase(Record):
    """One phase of a run; `maximum` is what it takes where no other takes more than it must.

    The phases of a search share what the budget leaves it.
    """

    phase: str
    split: str
    expected: PlannedCalls
    maximum: PlannedCalls


def planned_phases(task: Task, budget: Budget) -> tuple[tuple[PlannedPhase, ...], tuple[str, ...]]:
    """Return the phases of a run in order, and what its budget of task calls leaves out."""
    planning = _Planning(task, budget)
    phases = (*planning.search(), planning.dev(), *planning.holdout())
    return phases, tuple(planning.left_out)


class _Planning:
    def __init__(self, task: Task, budget: Budget) -> None:
        self._task = task
        self._budget = budget
        self._n_steps = len(task.program.steps)
        self._judged = judges_per_case(task)
        self._settings = AutoSettings()
        self._kept = calls_to_keep(task, budget.task_calls)
        self.left_out: list[str] = []
        if self._kept is not None and self._kept.note:
            self.left_out.append(self._kept.note)

    def search(self) -> list[PlannedPhase]:
        """What is run on train."""
        limit, free = self._budget.task_calls, None
        if limit is not None and self._kept is not None:
            free = max(0, limit - self._kept.dev - self._kept.holdout)
        runs_left = None if free is None else free // self._n_steps
        outlook, wanted = self._outlook(runs_left), self._outlook(None)
        if (paid := _n_runs(outlook)) is not None and paid < (_n_runs(wanted) or 0):
            self.left_out.append(
                f"the budget leaves the search {paid * self._n_steps:,} of about "
                f"{(_n_runs(wanted) or 0) * self._n_steps:,} task calls: less or none for "
                f"{_cut(outlook, wanted)}"
            )
        return [
            PlannedPhase(
                phase=item.phase,
                split="train",
                expected=self._calls(
                    item.runs, outlook.optimizer_calls if item.phase in LEARNING else 0
                ),
                maximum=self._calls(item.runs)
                if item.phase == "baseline"
                else self._calls(
                    runs_left, self._budget.optimizer_calls if item.phase in LEARNING else 0
                ),
            )
            for item in outlook.phases
        ]

    def dev(self) -> PlannedPhase:
        """What compares the finalists with the baseline."""
        task = self._task
        n_dev = len(task.eval_set.split("dev"))
        confirms = bool(task.eval_set.split("holdout"))
        n_finalists = self._settings.max_finalists if confirms else 1
        paid = n_dev
        if self._kept is not None:
            paid = min(n_dev, self._kept.dev // (2 * self._n_steps))
            if paid < n_dev:
                self.left_out.append(
                    f"only {paid} of {n_dev} dev cases are sure to be paid "
                    f"({100 * DEV_SHARE:.0f} % of the budget are kept for them)"
                )
        return PlannedPhase(
            phase="dev",
            split="dev",
            expected=self._calls(2 * paid),
            maximum=self._calls((1 + n_finalists) * n_dev),
        )

    def holdout(self) -> list[PlannedPhase]:
        """The decision; none where the task has no holdout or the budget cannot pay it."""
        n_holdout = len(self._task.eval_set.split("holdout"))
        if not n_holdout or (self._kept is not None and not self._kept.holdout):
            return []
        calls = self._calls(2 * n_holdout)
        return [PlannedPhase(phase="holdout", split="holdout", expected=calls, maximum=calls)]

    def _outlook(self, runs_left: int | None) -> SearchOutlook:
        task = self._task
        return search_outlook(
            task.strategy,
            n_train=len(task.eval_set.split("train")),
            n_labels=len(label_set(task.eval_set.cases)),
            generators=tuple(build_generators(task)),
            runs_left=runs_left,
            settings=self._settings,
        )

    def _calls(self, runs: int | None, optimizer: int | None = 0) -> PlannedCalls:
        judge = 0 if not self._judged else None if runs is None else round(runs * self._judged)
        task = None if runs is None else runs * self._n_steps
        return PlannedCalls(task=task, optimizer=optimizer, judge=judge)


def _n_runs(outlook: SearchOutlook) -> int | None:
    runs = [item.runs for item in outlook.phases]
    return None if any(n is None for n in runs) else sum(n or 0 for n in runs)


def _cut(outlook: SearchOutlook, wanted: SearchOutlook) -> str:
    paid: Sequence[int] = [item.runs or 0 for item in outlook.phases]
    names = [
        item.phase
        for item, n in zip(wanted.phases, paid, strict=True)
        if n < (item.runs or 0) and item.phase != "baseline"
    ]
    return ", ".join(names) or "baseline"
