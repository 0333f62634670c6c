"""What one pass through the line did: stages, spending, history, result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from pydantic import Field

from promptyard.records.base import Json, Record
from promptyard.records.budget import Budget, Spent
from promptyard.records.cases import SplitName
from promptyard.records.edits import Candidate, Rejection
from promptyard.records.events import Credited
from promptyard.records.evidence import Bucket, ConfusionPair
from promptyard.records.origins import Origin, ServedPoint
from promptyard.records.prompts import Program
from promptyard.records.scores import Report, Trial
from promptyard.records.verdicts import PairedReport, Verdict

RunStatus: TypeAlias = Literal["running", "interrupted", "finished", "failed"]


class StageRow(Record):
    """One candidate in one stage of the funnel.

    `difference` is candidate minus baseline on the `n_cases` cases that were run; `status` says
    whether it went on.
    """

    candidate_id: str
    generator: str
    n_cases: int
    score: float | None
    baseline_score: float | None
    difference: float | None
    status: Literal["kept", "dropped"]
    reason: str = ""


class StageSummary(Record):
    """What a stage tried, kept and cost. `calls` counts task calls, cached ones apart."""

    stage: str
    split: str
    n_tried: int
    n_kept: int
    calls: int
    cached_calls: int
    rows: tuple[StageRow, ...] = ()


class StageOutcome(Record):
    """What a stage returns: who goes on (best first), the numbers, and reports by program id.

    `reruns` are further replicates of critical cases that a candidate seemed to break.
    """

    kept: tuple[Candidate, ...]
    summary: StageSummary
    reports: Mapping[str, Report] = Field(default_factory=dict)
    reruns: tuple[Trial, ...] = ()


class HistoryEntry(Record):
    """One point of the score trajectory: a candidate, where it was measured, what it scored."""

    candidate_id: str
    generator: str
    hypothesis: str = ""
    stage: str
    n_cases: int
    score: float | None
    calls_so_far: int


class Progress(Record):
    """One step forward, for whoever draws it.

    `done` and `total` count cases of the present `phase`; `best_score` is the best mean so far
    with the stage it was measured in; `message` is a line worth keeping.
    """

    phase: str
    done: int = 0
    total: int = 0
    spent: Spent = Spent()
    calls_left: int | None = None
    best_score: float | None = None
    message: str = ""


class RunHeader(Record):
    """How a run was started: everything that a resume has to repeat exactly."""

    id: str
    task: str
    seed: int
    strategy: str
    eval_set_version: str
    baseline_id: str
    task_model: str
    optimizer_model: str
    budget: Budget
    settings: Mapping[str, Json] = Field(default_factory=dict)
    started_at: str


class Run(Record):
    """The result of one pass through the line.

    `best` is the candidate that won the gate, else the baseline. `naive_task_calls` is what
    running every evaluated candidate on all train and dev cases would have cost. `served` are the
    prompts that the search would have served, as it went on; `origins` say where the sentences of
    `finalist` come from; `verdict_split` is the split on whose cases the verdict rests. `credits`
    say in order which buckets a search mended, `traps` which sentences it found to do damage.
    """

    header: RunHeader
    status: RunStatus
    baseline: Program
    best: Program
    finalist: Program | None = None
    verdict: Verdict
    decision: PairedReport | None = None
    stages: tuple[StageSummary, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    buckets_before: tuple[Bucket, ...] = ()
    buckets_after: tuple[Bucket, ...] = ()
    confusions_before: tuple[ConfusionPair, ...] = ()
    confusions_after: tuple[ConfusionPair, ...] = ()
    spent: Spent
    search_task_calls: int = 0
    naive_task_calls: int = 0
    n_candidates: int = 0
    served: tuple[ServedPoint, ...] = ()
    origins: tuple[Origin, ...] = ()
    verdict_split: SplitName | None = None
    credits: tuple[Credited, ...] = ()
    traps: tuple[str, ...] = ()
    version: int | None = None
    finished_at: str = ""
    notes: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The id of the run."""
        return self.header.id
