"""The one store: what the line writes and reads, whatever the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from promptyard.protocols.release_store import ReleaseStore
from promptyard.protocols.service_store import ServiceStore
from promptyard.protocols.traffic_store import TrafficStore
from promptyard.records.base import Json
from promptyard.records.calls import StoredCall
from promptyard.records.cases import EvalSet, EvalSetVersion
from promptyard.records.judging import JudgeCertificate
from promptyard.records.measurements import Measurement
from promptyard.records.messages import Completion
from promptyard.records.runs import Run, RunHeader, RunStatus
from promptyard.records.scores import Report


class Store(ReleaseStore, ServiceStore, TrafficStore, Protocol):
    """The one store: completions, attempts, runs, what the other parts of it hold.

    Every method is durable when it returns. Safe to use from one event loop; several processes
    may share a database. `url` is its address without the password, `connect_url` with it: for a
    process that is to open the same store, and for no message.
    """

    url: str
    connect_url: str

    async def open(self) -> None:
        """Open and migrate. Raises StorageError saying what to do when that fails."""
        ...

    async def close(self) -> None:
        """Write what is queued and close. Safe to call twice."""
        ...

    # completions and attempts
    async def completions(self, keys: Sequence[str], run_id: str) -> Mapping[str, Completion]:
        """Look up stored answers: this run's own whatever their finish, others' only clean ones.

        Answers come back with `cached=True`.
        """
        ...

    async def start_attempt(self, run_id: str, role: str, key: str) -> int:
        """Record that an attempt is about to be sent; returns its id. Counts against the budget."""
        ...

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
        """Record how an attempt ended and, when `ok`, store its answer.

        Otherwise the outcome is a failure kind, `cancelled` (it was sent and is not waited for) or
        `unsent` (it was cancelled before). A caller that is cancelled does not take this back.
        """
        ...

    async def attempts(self, run_id: str) -> Sequence[Mapping[str, Any]]:
        """All attempts of a run: role, key, outcome (None while unknown), tokens, cost_usd."""
        ...

    async def calls(
        self, run_id: str, role: str | None = None, *, limit: int = 50, offset: int = 0
    ) -> Sequence[StoredCall]:
        """Attempts of a run, or of one role in it, as started, with request and answer."""
        ...

    # runs, their journal, and what they measured
    async def start_run(self, header: RunHeader) -> None:
        """Record a new run. Raises Conflict when the id is taken."""
        ...

    async def run_header(self, run_id: str) -> RunHeader:
        """Return how a run was started. Raises NotFound."""
        ...

    async def set_run_status(
        self, run_id: str, status: RunStatus, result: Run | None = None, *, sentence: str = ""
    ) -> None:
        """Record how a run stands and, at its end, its result; `sentence` is for one without."""
        ...

    async def runs(
        self,
        task: str | None = None,
        limit: int = 50,
        *,
        before: str | None = None,
        only: str | None = None,
    ) -> Sequence[Mapping[str, Any]]:
        """List runs, newest first: id, task, status, started_at, sentence.

        Those recorded before the run `before`; `only` the run of that id. Raises NotFound for an
        unknown `before`.
        """
        ...

    async def run_result(self, run_id: str) -> Run | None:
        """Return the result of a finished run, None while it has none. Raises NotFound."""
        ...

    async def append_journal(self, run_id: str, kind: str, payload: Mapping[str, Json]) -> None:
        """Append one entry to a run's journal."""
        ...

    async def journal(self, run_id: str) -> Sequence[Mapping[str, Any]]:
        """All entries of a run's journal in order: seq, kind, payload, at."""
        ...

    async def save_report(self, run_id: str, purpose: str, report: Report) -> None:
        """Store a report under (run, purpose, program, split); writing it again replaces it."""
        ...

    async def reports(self, run_id: str, purpose: str | None = None) -> Sequence[Report]:
        """Return the reports of a run, in the order in which they were stored. Raises NotFound."""
        ...

    async def save_measurement(self, measurement: Measurement) -> None:
        """Store what one report came to, for the history of metrics and failure patterns."""
        ...

    async def measurements(
        self, task: str, *, program_id: str | None = None, eval_set_version: str | None = None
    ) -> Sequence[Measurement]:
        """All measurements of a task, oldest first, of one program or eval set version if named."""
        ...

    async def save_certificate(self, certificate: JudgeCertificate) -> None:
        """Store what a calibration of a judge found. The same id again changes nothing."""
        ...

    async def certificates(self, prompt_hash: str | None = None) -> Sequence[JudgeCertificate]:
        """Certificates of one judge (by the hash of its prompt) or of all, oldest first."""
        ...

    async def looks(self, holdout_key: str) -> Sequence[str]:
        """Keys of the pairs that have looked at a set of holdout cases, oldest first."""
        ...

    async def count_look(self, holdout_key: str, pair_key: str) -> int:
        """Count a look at a set of holdout cases; the same pair again is no new look.

        Returns how many distinct pairs have looked at this set.
        """
        ...

    async def save_eval_set(
        self, eval_set: EvalSet, *, parent: str | None = None, change: str = ""
    ) -> None:
        """Store a version of an eval set, once, with the version it grew out of and why."""
        ...

    async def eval_set(self, version: str) -> EvalSet:
        """Return a version by its name or a unique beginning of 4 digits. Raises NotFound."""
        ...

    async def eval_set_names(self) -> Sequence[str]:
        """Names of all eval sets with versions, sorted."""
        ...

    async def eval_set_versions(self, name: str) -> Sequence[EvalSetVersion]:
        """The versions of an eval set, oldest first."""
        ...
