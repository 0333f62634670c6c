"""Reports of runs, and what one came to in one row: the measurements.

A report of 20,000 cases has 35 MB of trials. They are stored apart from the report, in chunks: no
row grows with the eval set, and no text is ever as large as the report.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeAlias

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json
from sqlalchemy import Connection, delete, func, insert, select

from promptyard.records.measurements import Measurement
from promptyard.records.scores import Report, Trial
from promptyard.storage.runs import require_run
from promptyard.storage.statements import insert_or_replace
from promptyard.storage.stored_text import from_text, json_text, to_text
from promptyard.storage.tables import measurements, report_trials, reports

TRIALS_PER_CHUNK = 500

_Key: TypeAlias = dict[str, str]
_TRIALS = TypeAdapter(tuple[Trial, ...])


def replace_report(
    connection: Connection, run_id: str, purpose: str, report: Report, at: str
) -> None:
    """Store a report in the place of an older one of the same run, purpose, program and split.

    The caller holds the run's lock.
    """
    key = {
        "run_id": run_id,
        "purpose": purpose,
        "program_id": report.program_id,
        "split": report.split,
    }
    last = select(func.max(reports.c.seq)).where(reports.c.run_id == run_id)
    head = report.model_copy(update={"trials": ()})
    values = {
        **key,
        "report": to_text(head),
        "saved_at": at,
        "seq": (connection.execute(last).scalar() or 0) + 1,
    }
    connection.execute(insert_or_replace(connection, reports, tuple(key), values))
    connection.execute(delete(report_trials).where(*_has_key(key)))
    for chunk, start in enumerate(range(0, len(report.trials), TRIALS_PER_CHUNK)):
        text = _trials_text(report.trials[start : start + TRIALS_PER_CHUNK])
        connection.execute(insert(report_trials).values(**key, chunk=chunk, trials=text))


def list_reports(connection: Connection, run_id: str, purpose: str | None) -> list[Report]:
    """The reports of a run, in the order of saving. Raises NotFound for an unknown run."""
    query = select(reports).where(reports.c.run_id == run_id)
    if purpose is not None:
        query = query.where(reports.c.purpose == purpose)
    # Reports of the first revision have no number; they are older than those that have one.
    query = query.order_by(reports.c.seq, reports.c.saved_at, reports.c.program_id)
    rows = connection.execute(query).mappings().all()
    if not rows:
        require_run(connection, run_id)
    return [_whole(connection, dict(row)) for row in rows]


def replace_measurement(connection: Connection, measurement: Measurement, at: str) -> None:
    """Store a measurement in the place of an older one of the same report."""
    measured_at = measurement.measured_at or at
    values = {
        "task": measurement.task,
        "program_id": measurement.program_id,
        "eval_set_version": measurement.eval_set_version,
        "split": measurement.split,
        "run_id": measurement.run_id,
        "purpose": measurement.purpose,
        "measurement": to_text(measurement.model_copy(update={"measured_at": measured_at})),
    }
    key = ("run_id", "purpose", "program_id", "split")
    connection.execute(insert_or_replace(connection, measurements, key, values))


def list_measurements(
    connection: Connection, task: str, program_id: str | None, eval_set_version: str | None
) -> list[Measurement]:
    """The measurements of a task, oldest first."""
    query = select(measurements.c.measurement).where(measurements.c.task == task)
    if program_id is not None:
        query = query.where(measurements.c.program_id == program_id)
    if eval_set_version is not None:
        query = query.where(measurements.c.eval_set_version == eval_set_version)
    query = query.order_by(measurements.c.id)
    return [from_text(Measurement, text) for text in connection.execute(query).scalars()]


def _whole(connection: Connection, row: dict[str, Any]) -> Report:
    """Join a report with its trials; those of the first revision are in the report itself."""
    report = from_text(Report, row["report"])
    key = {name: str(row[name]) for name in ("run_id", "purpose", "program_id", "split")}
    query = select(report_trials.c.trials).where(*_has_key(key)).order_by(report_trials.c.chunk)
    chunks = connection.execute(query).scalars()
    trials = [trial for text in chunks for trial in _trials_of(text)]
    return report.model_copy(update={"trials": tuple(trials)}) if trials else report


def _has_key(key: _Key) -> list[Any]:
    return [report_trials.c[name] == value for name, value in key.items()]


def _trials_text(trials: Sequence[Trial]) -> str:
    """Write trials as `json_text` would, four times faster; they hold only finite numbers."""
    try:
        return to_json(trials).decode()
    except PydanticSerializationError:  # lone surrogates
        return json_text([trial.model_dump() for trial in trials])


def _trials_of(text: str) -> tuple[Trial, ...]:
    try:
        return _TRIALS.validate_json(text)
    except ValidationError:  # lone surrogates, which only the standard library reads
        return _TRIALS.validate_python(json.loads(text))
