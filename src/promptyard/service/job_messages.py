"""What the service and the process of a job tell each other, a line each."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from promptyard.records.base import Json, Record
from promptyard.records.jobs import JobOrder
from promptyard.records.runs import Progress

MAX_LINE_BYTES = 8 << 20
"""How long a line of a job's process may be; a result that would be longer is left out."""

INTERRUPTED = 130
"""With this code the process ends when it was interrupted."""


class JobSpec(Record):
    """What the process shall do. `store` may hold a password, and so may stand in no argument.

    After `lease_s` without a further line it ends: whoever started it has lost the job.
    """

    store: str
    task: str
    order: JobOrder
    lease_s: float = Field(gt=0)


class Began(Record):
    """The run of the job has begun."""

    kind: Literal["began"] = "began"
    run_id: str


class Stepped(Record):
    """The run has got on."""

    kind: Literal["stepped"] = "stepped"
    progress: Progress


class Finished(Record):
    """The work is done."""

    kind: Literal["finished"] = "finished"
    result: Json


class Refused(Record):
    """The work could not be done; `error` is one line for a person."""

    kind: Literal["refused"] = "refused"
    error: str


JobMessage: TypeAlias = Annotated[Began | Stepped | Finished | Refused, Field(discriminator="kind")]

MESSAGES: TypeAdapter[JobMessage] = TypeAdapter(JobMessage)
