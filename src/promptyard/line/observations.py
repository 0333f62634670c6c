"""Every row that a search has paid for: whole ones of the latest programs, scores of all.

Memory grows with candidates and cases, not with calls: a row that was dropped is answered from the
store again, at no cost.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from math import isnan, nan

from promptyard.records.cases import Case
from promptyard.records.evidence import TrainTrial

MAX_PROGRAMS = 24
"""Programs whose whole rows are kept."""


class Observations:
    """Rows of programs on train cases, by program, replicate and case."""

    def __init__(self, train: Sequence[Case], max_programs: int = MAX_PROGRAMS) -> None:
        self._train = {case.id: number for number, case in enumerate(train)}
        self._ids = list(self._train)
        self._max_programs = max_programs
        self._rows: OrderedDict[tuple[str, int], dict[str, TrainTrial]] = OrderedDict()
        self._scores: dict[str, array[float]] = {}

    def add(self, program_id: str, row: TrainTrial, replicate: int = 0) -> None:
        """Keep a row; one without a score is no observation."""
        if row.trial.status != "scored" or row.trial.score is None:
            return
        kept = self._rows.setdefault((program_id, replicate), {})
        self._rows.move_to_end((program_id, replicate))
        kept[row.case.id] = row
        while len(self._rows) > self._max_programs:
            self._rows.popitem(last=False)
        if replicate == 0:
            scores = self._scores.get(program_id)
            if scores is None:
                scores = self._scores[program_id] = array("f", [nan]) * len(self._ids)
            scores[self._train[row.case.id]] = row.trial.score

    def rows(self, program_id: str, replicate: int = 0) -> Mapping[str, TrainTrial]:
        """Return the whole rows that are kept of a program, by case id."""
        return self._rows.get((program_id, replicate), {})

    def scores(self, program_id: str) -> dict[str, float]:
        """Return every score of a program's first replicates, by case id."""
        values = self._scores.get(program_id, ())
        return {
            case_id: value
            for case_id, value in zip(self._ids, values, strict=False)
            if not isnan(value)
        }


class RowsInOrder:
    """The rows of one run: those that are known, and those that come in.

    `settled` is asked about each in the order of `cases`, each as soon as those before it are
    there, whether it was known before or not: what is kept in memory then changes nothing.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        known: Mapping[str, TrainTrial],
        settled: Callable[[TrainTrial], bool] | None,
    ) -> None:
        self.settled = False
        self._cases = cases
        self._rows = dict(known)
        self._settled = settled
        self._n_asked = 0
        self._ask()

    @property
    def missing(self) -> list[Case]:
        """The cases that have to be run."""
        return [] if self.settled else [case for case in self._cases if case.id not in self._rows]

    def add(self, row: TrainTrial) -> bool:
        """Take a row; True when no more are needed."""
        self._rows[row.case.id] = row
        self._ask()
        return self.settled

    def rows(self) -> list[TrainTrial]:
        """Return the rows in order, none behind the one that settled it."""
        cases = self._cases[: self._n_asked] if self.settled else self._cases
        return [self._rows[case.id] for case in cases if case.id in self._rows]

    def _ask(self) -> None:
        if self._settled is None:
            return
        while not self.settled and self._n_asked < len(self._cases):
            row = self._rows.get(self._cases[self._n_asked].id)
            if row is None:
                return
            self._n_asked += 1
            self.settled = self._settled(row)
