"""What a run has done so far, in order; the result is written from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from promptyard.records.cases import Case
from promptyard.records.edits import Candidate, Rejection
from promptyard.records.events import Credited, Eliminated, Event, Noted
from promptyard.records.evidence import Evidence
from promptyard.records.origins import Origin, ServedPoint
from promptyard.records.runs import HistoryEntry, StageOutcome, StageRow, StageSummary
from promptyard.reports.event_lines import FOR_PROGRESS, event_line

MAX_LABEL_CHARS = 60


@dataclass
class Trail:
    """Candidates, stages, evidence, rejections, what was served, and notes for a reader."""

    stages: list[StageSummary] = field(default_factory=list[StageSummary])
    history: list[HistoryEntry] = field(default_factory=list[HistoryEntry])
    rejections: list[Rejection] = field(default_factory=list[Rejection])
    evaluated: dict[str, Candidate] = field(default_factory=dict[str, Candidate])
    evidence: Evidence = field(default_factory=Evidence)
    outcomes: dict[str, StageOutcome] = field(default_factory=dict[str, StageOutcome])
    served: list[ServedPoint] = field(default_factory=list[ServedPoint])
    origins: dict[str, tuple[Origin, ...]] = field(default_factory=dict[str, tuple[Origin, ...]])
    notes: list[str] = field(default_factory=list[str])
    credits: list[Credited] = field(default_factory=list[Credited])
    traps: list[str] = field(default_factory=list[str])
    best_score: float | None = None

    train_calls: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])

    def keep(self, event: Event) -> None:
        """Keep what the report shows of the events themselves."""
        match event:
            case Noted():
                self.notes.append(event.text)
            case Credited():
                self.credits.append(event)
            case Eliminated(trap=trap) if trap:
                self.traps.append(trap)
            case _:
                pass

    def count_train(self, purpose: str, candidate: Candidate, calls: int) -> None:
        """Count what the search ran on train cases, by what it was run for."""
        counts = self.train_calls.setdefault(purpose, Counter())
        counts[candidate.id] += 1
        counts[""] += calls

    def close_train(self) -> None:
        """Write what the search ran on train cases into the stages, before those of dev."""
        rows: dict[str, list[StageRow]] = {}
        for entry in self.history:
            if entry.stage in self.train_calls:
                rows.setdefault(entry.stage, []).append(_train_row(entry))
        self.stages[:0] = [
            StageSummary(
                stage=purpose,
                split="train",
                n_tried=len(counts) - 1,
                n_kept=len(counts) - 1,
                calls=counts[""],
                cached_calls=0,
                rows=tuple(rows.get(purpose, ())),
            )
            for purpose, counts in self.train_calls.items()
        ]
        self.train_calls = {}


def _train_row(entry: HistoryEntry) -> StageRow:
    return StageRow(
        candidate_id=entry.candidate_id,
        generator=entry.generator,
        n_cases=entry.n_cases,
        score=entry.score,
        baseline_score=None,
        difference=None,
        status="kept",
    )


def label_set(cases: Sequence[Case]) -> tuple[str, ...]:
    """Return the answers of a label task in order of first use; empty where answers are free."""
    found: dict[str, None] = {}
    for case in cases:
        if not isinstance(case.expected, str) or len(case.expected) > MAX_LABEL_CHARS:
            return ()
        found[case.expected] = None
    return tuple(found) if len(found) <= len(cases) / 2 else ()


def about(buckets: Sequence[str]) -> str:
    """Say in one sentence what a composition answers."""
    if not buckets:
        return "Sentences of earlier rounds."
    named = ", ".join(buckets[:3])
    more = f" and {len(buckets) - 3} more" if len(buckets) > 3 else ""
    return f"Patches for {named}{more}, together."


def sentence(event: Event) -> str:
    """Return what a person should read of an event as it happens; empty for most."""
    return event_line(event) if isinstance(event, FOR_PROGRESS) else ""
