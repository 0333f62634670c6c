"""Jobs: long work that was asked of the service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from pydantic import Field

from promptyard.records.base import Json, Record
from promptyard.records.runs import Progress

JobKind: TypeAlias = Literal["eval", "optimize", "gate"]
JobState: TypeAlias = Literal[
    "queued", "running", "done", "failed", "cancelling", "cancelled", "interrupted"
]
JOB_ENDED: frozenset[JobState] = frozenset({"done", "failed", "cancelled", "interrupted"})


class Job(Record):
    """One job: what is to be done, how it stands, what came of it.

    `options` are those of the kind, as the line takes them. `run_id` is known once it has begun.
    `result` is the record that the line returned, as JSON; `error` one line for a person. `change`
    counts the changes of this row, for compare-and-set and for whoever follows it.
    """

    id: str
    kind: JobKind
    task: str
    options: Mapping[str, Json] = Field(default_factory=dict)
    state: JobState = "queued"
    requested_by: str
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None
    owner: str = ""
    run_id: str | None = None
    progress: Progress | None = None
    result: Json = None
    error: str = ""
    change: int = 0

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in JOB_ENDED
