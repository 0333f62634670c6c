"""A report as CSV, one row a trial, whose cells no spreadsheet runs as a formula."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence

from promptyard.records.base import Json
from promptyard.records.cases import Case
from promptyard.records.scores import Report, Score, Trial
from promptyard.records.spreadsheet import safe_cell

COLUMNS = (
    "case_id", "split", "replicate", "status", "passed", "score", "failed_checks", "tags",
    "reasons", "skipped_checks", "failure", "output", "expected", "input", "kind", "case_tags",
    "cluster", "latency_s", "tokens", "cost_usd",
)  # fmt: skip


def report_csv(report: Report, cases: Sequence[Case]) -> str:
    r"""Write a report as CSV (RFC 4180). Pure.

    A value that was not measured is an empty cell, never 0. Several values in a cell are parted by
    `; `. A cell that begins with `=`, `+`, `-`, `@`, a tab or \r has a `'` before it.
    """
    by_id = {case.id: case for case in cases}
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for trial in report.trials:
        cells = _measured(trial) | _known(by_id.get(trial.case_id))
        writer.writerow([safe_cell(cells.get(name, "")) for name in COLUMNS])
    return stream.getvalue()


def _measured(trial: Trial) -> dict[str, str]:
    findings = [score for score in trial.scores if score.value < 1.0]
    scored = trial.status == "scored"
    failure = trial.failure
    return {
        "case_id": trial.case_id,
        "split": trial.split,
        "replicate": str(trial.replicate),
        "status": trial.status,
        "passed": str(trial.passed).lower() if scored else "",
        "score": "" if trial.score is None else f"{trial.score:.6g}",
        "failed_checks": _listed(_check(score) for score in findings),
        "tags": _listed(tag for score in findings for tag in score.tags),
        "reasons": _listed(score.reason for score in findings if score.reason),
        "skipped_checks": _listed(
            f"{gap.metric}: {gap.reason}" for gap in trial.unmeasured if gap.status == "skip"
        ),
        "failure": "" if failure is None else f"{failure.at} {failure.kind}: {failure.message}",
        "output": trial.output,
        "latency_s": f"{trial.latency_s:.6g}" if trial.visits else "",
        "tokens": str(trial.total_tokens) if trial.visits else "",
        "cost_usd": _cost(trial),
    }


def _check(score: Score) -> str:
    """Name the check of a finding, and where it was found unless the name says so."""
    name, field = score.metric, score.field
    named = not field or name.partition("#")[0].endswith(f":{field}")
    return name if named else f"{name}({field})"


def _cost(trial: Trial) -> str:
    cost = trial.cost_usd if trial.visits else None
    return "" if cost is None else f"{cost:.6g}"


def _known(case: Case | None) -> dict[str, str]:
    if case is None:
        return {}
    return {
        "expected": _text(case.expected),
        "input": json.dumps(dict(case.input), ensure_ascii=False),
        "kind": case.kind,
        "case_tags": _listed(case.tags),
        "cluster": case.cluster or "",
    }


def _text(value: Json) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _listed(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts))
