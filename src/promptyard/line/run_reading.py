"""Reads runs for people: what there are, how one was started, what it measured, case by case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptyard.errors import NotFound
from promptyard.line.query import StoreOrUrl, opened
from promptyard.line.session import OPTIMIZE
from promptyard.protocols import Store
from promptyard.records.base import Json, Record
from promptyard.records.budget import Spent
from promptyard.records.calls import StoredCall
from promptyard.records.cases import EvalSplit
from promptyard.records.messages import CallRole
from promptyard.records.runs import RunHeader, RunStatus
from promptyard.records.scores import CheckSummary, Report, Summary, Trial
from promptyard.records.verdicts import VerdictStatus


class RunRow(Record):
    """One run of a list: its `id`, its `task` and how it stands.

    `started_at` is UTC, ISO 8601. `sentence` is its verdict, empty where it has none.
    """

    id: str
    task: str
    status: RunStatus
    started_at: str
    sentence: str = ""


class ReportRow(Record):
    """What one report of a run came to, without its trials.

    `number` counts the reports of the run from 1, in the order of storing. `n_trials` were run, of
    which `n_scored` have a score, `n_errors` failed and `n_unscored` could not be graded;
    `coverage` is the share of those scored and `score` their mean, None where there are none.
    `summaries` are the means by dimension, `checks` by check, `suite` of all answers together.
    """

    number: int
    program_id: str
    eval_set_version: str
    split: EvalSplit
    n_trials: int
    n_scored: int
    n_errors: int
    n_unscored: int
    coverage: float
    score: float | None
    summaries: tuple[Summary, ...] = ()
    checks: tuple[CheckSummary, ...] = ()
    suite: Mapping[str, Json] = {}


class RunAbout(Record):
    """One run: its `row`, how it was started (`header`), what it measured (`reports`).

    `kind` is what it was run for: `optimize`, `eval dev`, `gate` ... Of a finished search,
    `verdict` is what it came to, `version` the number of what it registered and `spent` its cost.
    """

    row: RunRow
    kind: str
    header: RunHeader
    reports: tuple[ReportRow, ...]
    verdict: VerdictStatus | None = None
    version: int | None = None
    spent: Spent | None = None


class CallRow(Record):
    """One attempt to reach a model, without what was sent and answered.

    `attempt` is its number in the store, `role` who asked. `outcome` is `ok`, the kind of failure,
    or None where nothing came back. `tokens` and `cost_usd` are None while unknown.
    """

    attempt: int
    role: str
    outcome: str | None
    started_at: str
    finished_at: str | None = None
    tokens: int | None = None
    cost_usd: float | None = None


async def run_rows(
    url: StoreOrUrl, *, task: str | None = None, before: str | None = None, limit: int = 100
) -> Sequence[RunRow]:
    """List runs, newest first, those before the run `before`. Raises NotFound where it is none."""
    async with opened(url) as store:
        rows = await store.runs(task, limit, before=before)
        return [_row(row) for row in rows]


async def run_about(url: StoreOrUrl, run_id: str) -> RunAbout:
    """Return what is known of a run, whether it has ended or not. Raises NotFound."""
    async with opened(url) as store:
        header = await store.run_header(run_id)
        reports = await store.reports(run_id)
        result = await store.run_result(run_id)
        return RunAbout(
            row=await run_row(store, run_id),
            kind=str(header.settings.get("kind", OPTIMIZE)),
            header=header,
            reports=tuple(report_row(number, item) for number, item in enumerate(reports, 1)),
            verdict=None if result is None else result.verdict.status,
            version=None if result is None else result.version,
            spent=None if result is None else result.spent,
        )


async def run_row(store: Store, run_id: str) -> RunRow:
    """Return the row of one run. Raises NotFound."""
    [row] = await store.runs(limit=1, only=run_id) or [None]
    if row is None:
        raise NotFound(f"there is no run '{run_id}'")
    return _row(row)


async def run_trials(
    url: StoreOrUrl, run_id: str, number: int, *, offset: int = 0, limit: int = 100
) -> Sequence[Trial]:
    """Return a part of the trials of a report (`ReportRow.number`), in the order of the report.

    Raises NotFound for an unknown run or report.
    """
    async with opened(url) as store:
        reports = await store.reports(run_id)
    if not 1 <= number <= len(reports):
        raise NotFound(f"run '{run_id}' has no report {number}; it has {len(reports)}")
    return reports[number - 1].trials[offset : offset + limit]


async def call_rows(
    url: StoreOrUrl, run_id: str, role: CallRole | None, *, limit: int, offset: int
) -> Sequence[CallRow]:
    """Return a page of a run's attempts in order, without their bodies. Raises NotFound."""
    async with opened(url) as store:
        await store.run_header(run_id)
        calls = await store.calls(run_id, role, limit=limit, offset=offset)
    return [_call_row(call) for call in calls]


def report_row(number: int, report: Report) -> ReportRow:
    """Return what a report came to."""
    return ReportRow(
        number=number,
        program_id=report.program_id,
        eval_set_version=report.eval_set_version,
        split=report.split,
        n_trials=len(report.trials),
        n_scored=report.n_scored,
        n_errors=report.n_errors,
        n_unscored=report.n_unscored,
        coverage=report.coverage,
        score=report.score,
        summaries=report.summaries,
        checks=report.checks,
        suite=report.suite,
    )


def _row(row: Mapping[str, Json]) -> RunRow:
    return RunRow.model_validate({**row, "sentence": row["sentence"] or ""})


def _call_row(call: StoredCall) -> CallRow:
    return CallRow(**{name: getattr(call, name) for name in CallRow.model_fields})
