"""The funnel of a run's page as texts and lengths: stages, their candidates, the calls saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from promptyard.records.runs import Run, StageSummary
from promptyard.reports.figures import change, count, percent, share_of
from promptyard.reports.visible import one_line

HYPOTHESIS_CHARS = 180
OPEN_ROWS = 4
"""Stages of at most this many candidates show their table at once."""


@dataclass(frozen=True)
class CandidateRow:
    """One candidate in one stage, written out."""

    short_id: str
    generator: str
    hypothesis: str
    n_cases: str
    score: str
    baseline: str
    difference: str
    status: str
    reason: str
    finalist: bool


@dataclass(frozen=True)
class StageView:
    """A stage of the funnel; the lengths are in percent of the longest bar."""

    name: str
    split: str
    tried: str
    kept: str
    calls: str
    cached: str
    tried_length: float
    kept_length: float
    rows: tuple[CandidateRow, ...]
    opened: bool


@dataclass(frozen=True)
class NaiveView:
    """Search calls beside naive evaluation; lengths in percent of the longer one."""

    search: str
    naive: str
    share: str
    search_length: float
    naive_length: float


def stage_views(run: Run) -> tuple[StageView, ...]:
    """Write out the funnel, each candidate with the hypothesis that the history has of it."""
    hypotheses = {entry.candidate_id: entry.hypothesis for entry in run.history}
    longest = max((stage.n_tried for stage in run.stages), default=0)
    return tuple(_stage_view(stage, run, hypotheses, longest) for stage in run.stages)


def _stage_view(
    stage: StageSummary, run: Run, hypotheses: Mapping[str, str], longest: int
) -> StageView:
    finalist = run.finalist.id if run.finalist is not None else None
    return StageView(
        name=stage.stage,
        split=stage.split,
        tried=count(stage.n_tried),
        kept=count(stage.n_kept),
        calls=count(stage.calls),
        cached=count(stage.cached_calls),
        tried_length=_length(stage.n_tried, longest),
        kept_length=_length(stage.n_kept, longest),
        rows=tuple(
            CandidateRow(
                short_id=row.candidate_id[:8],
                generator=row.generator,
                hypothesis=one_line(hypotheses.get(row.candidate_id, ""), HYPOTHESIS_CHARS),
                n_cases=count(row.n_cases),
                score=percent(row.score),
                baseline=percent(row.baseline_score),
                difference=change("score", row.difference),
                status=row.status,
                reason=row.reason,
                finalist=row.candidate_id == finalist,
            )
            for row in stage.rows
        ),
        opened=len(stage.rows) <= OPEN_ROWS,
    )


def naive_view(run: Run) -> NaiveView | None:
    """Compare the calls of the search with naive evaluation; None where nothing was evaluated."""
    if not run.naive_task_calls:
        return None
    longest = max(run.search_task_calls, run.naive_task_calls)
    return NaiveView(
        search=count(run.search_task_calls),
        naive=count(run.naive_task_calls),
        share=share_of(run.search_task_calls, run.naive_task_calls),
        search_length=_length(run.search_task_calls, longest),
        naive_length=_length(run.naive_task_calls, longest),
    )


def _length(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 0.0
