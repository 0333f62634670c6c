"""The store on a SQL database: every method of the `Store` seam as one call of the database thread.

What SQL a method runs stands in the module that is called like what it stores; how calls become
transactions in `group_commit`; what differs between the databases in `database`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from promptyard.records.base import Json
from promptyard.records.calls import StoredCall
from promptyard.records.cases import EvalSet, EvalSetVersion
from promptyard.records.judging import JudgeCertificate
from promptyard.records.measurements import Measurement
from promptyard.records.messages import Completion
from promptyard.records.runs import Run, RunHeader, RunStatus
from promptyard.records.scores import Report
from promptyard.storage import certificates, eval_sets, reports, runs
from promptyard.storage.completions import (
    AttemptEnd,
    AttemptStart,
    Lookup,
    find_completions,
    finish_attempts,
    list_attempts,
    list_calls,
    start_attempts,
)
from promptyard.storage.sql_release_store import SqlReleaseStore
from promptyard.storage.sql_service_store import SqlServiceStore
from promptyard.storage.sql_traffic_store import SqlTrafficStore
from promptyard.storage.stored_text import check_names, json_text


class SqlStore(SqlReleaseStore, SqlServiceStore, SqlTrafficStore):
    """A `Store` in SQLite or PostgreSQL; made by `open_store`."""

    async def completions(self, keys: Sequence[str], run_id: str) -> Mapping[str, Completion]:
        """Look up stored answers: this run's own whatever their finish, others' only clean ones.

        Answers come back with `cached=True`. Lookups that wait together are one query.
        """
        check_names(run_id=run_id)
        for key in keys:
            check_names(key=key)
        return await self._thread.read(find_completions, Lookup(tuple(keys), run_id))

    async def start_attempt(self, run_id: str, role: str, key: str) -> int:
        """Record that an attempt is about to be sent; returns its id, which counts up."""
        check_names(run_id=run_id, role=role, key=key)
        start = AttemptStart(run_id=run_id, role=role, key=key, at=self._clock())
        return await self._thread.write(start_attempts, start)

    async def finish_attempt(
        self,
        attempt_id: int,
        *,
        outcome: str,
        body: Mapping[str, Json] | None = None,
        completion: Completion | None = None,
        base_url: str = "",
        replicate: int = 0,
    ) -> None:
        """Record how an attempt ended and, when `ok`, its answer: both or neither is stored.

        A second answer of the same run to the same key changes nothing, since the first may be in
        use. Raises NotFound for an unknown attempt and Conflict for one that has ended.
        """
        check_names(outcome=outcome)
        end = AttemptEnd(
            attempt_id=attempt_id,
            outcome=outcome,
            body=None if body is None else json_text(dict(body)),
            completion=completion,
            base_url=base_url,
            replicate=replicate,
            at=self._clock(),
        )
        await self._thread.write(finish_attempts, end)

    async def attempts(self, run_id: str) -> Sequence[Mapping[str, Any]]:
        """All attempts of a run as started: id, key, role, outcome, tokens, cost_usd, times.

        `outcome`, `tokens`, `cost_usd` and `finished_at` are None while unknown.
        """
        check_names(run_id=run_id)
        return await self._read(lambda connection: list_attempts(connection, run_id))

    async def calls(
        self, run_id: str, role: str | None = None, *, limit: int = 50, offset: int = 0
    ) -> Sequence[StoredCall]:
        """Attempts of a run, or of one role in it, as started, with request and answer."""
        check_names(run_id=run_id, role=role or "")
        return await self._read(
            lambda connection: list_calls(connection, run_id, role, limit, offset)
        )

    async def start_run(self, header: RunHeader) -> None:
        """Record a new run as running. Raises Conflict when the id is taken."""
        check_names(run_id=header.id, task=header.task)
        await self._write(lambda connection: runs.insert_run(connection, header))

    async def run_header(self, run_id: str) -> RunHeader:
        """Return how a run was started. Raises NotFound."""
        check_names(run_id=run_id)
        return await self._read(lambda connection: runs.read_header(connection, run_id))

    async def set_run_status(
        self, run_id: str, status: RunStatus, result: Run | None = None, *, sentence: str = ""
    ) -> None:
        """Record how a run stands and, at its end, its result; a result given before stays.

        `sentence` is the verdict of a run without a result, an eval for instance.
        Raises NotFound for an unknown run, Conflict when a finished one would be interrupted or
        failed; it may be taken up again, as running.
        """
        check_names(run_id=run_id)
        await self._write(
            lambda connection: runs.update_status(connection, run_id, status, result, sentence),
            lock=f"run:{run_id}",
        )

    async def runs(
        self,
        task: str | None = None,
        limit: int = 50,
        *,
        before: str | None = None,
        only: str | None = None,
    ) -> Sequence[Mapping[str, Any]]:
        """List runs, newest first: id, task, status, started_at, sentence (empty until decided).

        Those recorded before the run `before`, the run `only`. Raises NotFound for an unknown
        `before`.
        """
        check_names(task=task or "", before=before or "", only=only or "")
        wanted = runs.RunQuery(task, limit, before, only)
        return await self._read(lambda connection: runs.list_runs(connection, wanted))

    async def run_result(self, run_id: str) -> Run | None:
        """Return the result of a finished run, None while it has none. Raises NotFound."""
        check_names(run_id=run_id)
        return await self._read(lambda connection: runs.read_result(connection, run_id))

    async def append_journal(self, run_id: str, kind: str, payload: Mapping[str, Json]) -> None:
        """Append one entry to a run's journal; `seq` counts from 1 without gaps."""
        check_names(run_id=run_id, kind=kind)
        entry = runs.JournalEntry(run_id, kind, json_text(dict(payload)), self._clock())
        await self._thread.write(runs.append_entries, entry, lock=f"run:{run_id}")

    async def journal(self, run_id: str) -> Sequence[Mapping[str, Any]]:
        """All entries of a run's journal in order: seq, kind, payload, at."""
        check_names(run_id=run_id)
        return await self._read(lambda connection: runs.list_journal(connection, run_id))

    async def save_report(self, run_id: str, purpose: str, report: Report) -> None:
        """Store a report under (run, purpose, program, split); writing it again replaces it."""
        check_names(run_id=run_id, purpose=purpose, program_id=report.program_id)
        at = self._clock()
        await self._write(
            lambda connection: reports.replace_report(connection, run_id, purpose, report, at),
            lock=f"run:{run_id}",
        )

    async def reports(self, run_id: str, purpose: str | None = None) -> Sequence[Report]:
        """Return the reports of a run, in the order in which they were stored.

        Raises NotFound where there is neither a report nor a run of this id.
        """
        check_names(run_id=run_id, purpose=purpose or "")
        return await self._read(
            lambda connection: reports.list_reports(connection, run_id, purpose)
        )

    async def save_measurement(self, measurement: Measurement) -> None:
        """Store what a report came to; writing it again, under the report's key, replaces it.

        Its time is now unless it has one.
        """
        check_names(
            task=measurement.task,
            program_id=measurement.program_id,
            eval_set_version=measurement.eval_set_version,
            run_id=measurement.run_id,
            purpose=measurement.purpose,
        )
        at = self._clock()
        await self._write(
            lambda connection: reports.replace_measurement(connection, measurement, at)
        )

    async def measurements(
        self, task: str, *, program_id: str | None = None, eval_set_version: str | None = None
    ) -> Sequence[Measurement]:
        """All measurements of a task, oldest first, of one program or eval set version if named."""
        check_names(task=task, program_id=program_id or "", eval_set_version=eval_set_version or "")
        return await self._read(
            lambda connection: reports.list_measurements(
                connection, task, program_id, eval_set_version
            )
        )

    async def save_certificate(self, certificate: JudgeCertificate) -> None:
        """Store what a calibration of a judge found. The same id again changes nothing."""
        check_names(certificate=certificate.id, prompt_hash=certificate.prompt_hash)
        at = self._clock()
        await self._write(
            lambda connection: certificates.insert_certificate(connection, certificate, at)
        )

    async def certificates(self, prompt_hash: str | None = None) -> Sequence[JudgeCertificate]:
        """Certificates of one judge (by the hash of its prompt) or of all, oldest first."""
        check_names(prompt_hash=prompt_hash or "")
        return await self._read(
            lambda connection: certificates.list_certificates(connection, prompt_hash)
        )

    async def looks(self, holdout_key: str) -> Sequence[str]:
        """Keys of the pairs that have looked at a set of holdout cases, oldest first."""
        return await self._read(lambda connection: runs.list_looks(connection, holdout_key))

    async def count_look(self, holdout_key: str, pair_key: str) -> int:
        """Count a look at a set of holdout cases; the same pair again is no new look.

        Returns how many distinct pairs have looked at this set.
        """
        check_names(holdout_key=holdout_key, pair_key=pair_key)
        at = self._clock()
        return await self._write(
            lambda connection: runs.insert_look(connection, holdout_key, pair_key, at),
            lock=f"look:{holdout_key}",
        )

    async def save_eval_set(
        self, eval_set: EvalSet, *, parent: str | None = None, change: str = ""
    ) -> None:
        """Store a version of an eval set, once, with the version it grew out of and why."""
        check_names(eval_set=eval_set.name, eval_set_version=eval_set.version, parent=parent or "")
        at = self._clock()
        await self._write(
            lambda connection: eval_sets.insert_eval_set(connection, eval_set, parent, change, at),
            lock=f"eval set:{eval_set.name}",
        )

    async def eval_set(self, version: str) -> EvalSet:
        """Return one version with its cases; a unique beginning of at least 4 digits will do.

        Raises NotFound.
        """
        check_names(eval_set_version=version)
        return await self._read(lambda connection: eval_sets.read_eval_set(connection, version))

    async def eval_set_names(self) -> Sequence[str]:
        """Names of all eval sets with versions, sorted."""
        return await self._read(eval_sets.list_eval_set_names)

    async def eval_set_versions(self, name: str) -> Sequence[EvalSetVersion]:
        """The versions of an eval set, oldest first."""
        check_names(eval_set=name)
        return await self._read(
            lambda connection: eval_sets.list_eval_set_versions(connection, name)
        )
