"""The prompt being worked on: its sentences with their origins, and its latest row of each case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from promptyard.records.edits import Candidate
from promptyard.records.evidence import TrainTrial
from promptyard.records.origins import Origin
from promptyard.records.prompts import Demo


@dataclass(frozen=True)
class WorkingLine:
    """A composition of the baseline. `rows` holds each case's latest row, whatever program made it.

    A row may be older than the candidate: taking a sentence out again is not run anew.
    """

    candidate: Candidate
    origins: tuple[Origin, ...] = ()
    demos: tuple[Demo, ...] = ()
    rows: Mapping[str, TrainTrial] = field(default_factory=dict[str, TrainTrial])

    def with_rows(self, rows: Iterable[TrainTrial]) -> WorkingLine:
        """Return the line with newer rows; those without a score change nothing."""
        newer = {row.case.id: row for row in rows if row.trial.status == "scored"}
        return replace(self, rows={**self.rows, **newer})

    def without_cases(self, case_ids: Iterable[str]) -> WorkingLine:
        """Return the line with the rows of cases taken away: they are demonstrations now."""
        gone = frozenset(case_ids)
        return replace(
            self, rows={name: row for name, row in self.rows.items() if name not in gone}
        )

    @property
    def failures(self) -> tuple[TrainTrial, ...]:
        """The latest rows that fail."""
        return tuple(row for row in self.rows.values() if not row.trial.passed)

    @property
    def demo_ids(self) -> frozenset[str]:
        """The train cases that the line shows."""
        return frozenset(demo.case_id for demo in self.demos if demo.case_id)

    @property
    def patched(self) -> frozenset[str]:
        """The buckets that have a sentence of their own in the line."""
        return frozenset(name for origin in self.origins for name in origin.buckets)


def scores_of(rows: Sequence[TrainTrial]) -> list[float]:
    """Return the scores of rows; those without one are left out."""
    return [row.trial.score for row in rows if row.trial.score is not None]


def score_differences(rows: Sequence[TrainTrial], others: Sequence[TrainTrial]) -> list[float]:
    """Return row minus other on the cases that both scored."""
    before = {row.case.id: row.trial.score for row in others}
    return [
        row.trial.score - score
        for row in rows
        if row.trial.score is not None and (score := before.get(row.case.id)) is not None
    ]


def mean(values: Sequence[float]) -> float | None:
    """Return the mean, None without values."""
    return sum(values) / len(values) if values else None
