"""When a candidate's calls in flight may be cancelled: its outcome is settled whatever comes.

Lossless: a bar stops only a candidate that no answer could save, so that what is kept is the same
as without it, in whatever order the answers come in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptyard.records.evidence import TrainTrial

_TIE = 1e-6  # scores come back from 32-bit storage


class GainBar:
    """A sum of scores that a candidate has to reach on cases, or to exceed (`strict`).

    A case that ends without a score leaves both sides; `before` are the scores to be compared
    with.
    """

    def __init__(self, before: Mapping[str, float], *, strict: bool = True) -> None:
        self._before = dict(before)
        self._strict = strict
        self._own: dict[str, float] = {}

    @property
    def gain(self) -> float | None:
        """Candidate minus bar on the cases that came in; None before the first."""
        if not self._own:
            return None
        return sum(self._own[name] - self._before[name] for name in self._own)

    def is_cleared(self, rows: Sequence[TrainTrial]) -> bool:
        """Say whether the rows clear the bar. Rows of other cases, and without a score, do not."""
        for row in rows:
            self.add(row)
        gain = self.gain
        return gain is not None and (gain > _TIE if self._strict else gain >= -_TIE)

    def add(self, row: TrainTrial) -> bool:
        """Take a row in; say whether the bar can no longer be cleared."""
        name = row.case.id
        if row.trial.score is None:
            self._before.pop(name, None)
        elif name in self._before:
            self._own[name] = row.trial.score
        most = sum(1.0 - score for case, score in self._before.items() if case not in self._own)
        best = (self.gain or 0.0) + most
        return best <= _TIE if self._strict else best < -_TIE


class RankBar:
    """The place among the best `n_kept` on the same cases, for candidates that run side by side.

    A candidate is out when `n_kept` others are above everything that it can still reach: their
    mean with 0 for what is missing against its own with 1.
    """

    def __init__(self, n_kept: int, cases: Mapping[str, Sequence[str]]) -> None:
        """Take how many are kept, and for each candidate the cases that it runs on."""
        self._n_kept = n_kept
        self._missing = {name: set(ids) for name, ids in cases.items()}
        self._scores: dict[str, dict[str, float]] = {name: {} for name in cases}
        self._n_cases = {name: len(ids) for name, ids in cases.items()}

    def know(self, candidate_id: str, scores: Mapping[str, float]) -> None:
        """Take in scores that are there already."""
        for name, score in scores.items():
            if name in self._missing[candidate_id]:
                self._missing[candidate_id].discard(name)
                self._scores[candidate_id][name] = score

    def add(self, candidate_id: str, row: TrainTrial) -> bool:
        """Take a row in; say whether its candidate can no longer be among the best."""
        self._missing[candidate_id].discard(row.case.id)
        if row.trial.score is not None:
            self._scores[candidate_id][row.case.id] = row.trial.score
        return self.is_out(candidate_id)

    def is_out(self, candidate_id: str) -> bool:
        """Say whether `n_kept` others are out of a candidate's reach."""
        most = self._bound(candidate_id, 1.0)
        n_above = sum(
            self._bound(name, 0.0) > most + _TIE
            for name in self._scores
            if name != candidate_id and 2 * len(self._scores[name]) >= self._n_cases[name]
        )
        return n_above >= self._n_kept

    def _bound(self, name: str, missing_score: float) -> float:
        n_missing, scores = len(self._missing[name]), self._scores[name]
        n = len(scores) + n_missing
        if n == 0:
            return missing_score
        return (sum(scores.values()) + missing_score * n_missing) / n
