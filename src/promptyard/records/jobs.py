"""Jobs: long work that was asked of the service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter, model_validator

from promptyard.records.base import Json, Record
from promptyard.records.budget import Budget
from promptyard.records.cases import EvalSplit
from promptyard.records.runs import Progress
from promptyard.records.verdicts import Claim

JobKind: TypeAlias = Literal["eval", "optimize", "gate"]
JobState: TypeAlias = Literal[
    "queued", "running", "done", "failed", "cancelling", "cancelled", "interrupted"
]
JOB_ENDED: frozenset[JobState] = frozenset({"done", "failed", "cancelled", "interrupted"})


_Reference: TypeAlias = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class EvalOptions(Record):
    """How an eval measures, as `promptyard eval` takes it.

    Models are those of the task's files: an address in a request could send a key anywhere. A
    holdout that is worn out is not forced by a job either.
    """

    split: EvalSplit = Field(default="dev", description="One split, or `all`: every case.")
    n_repeats: int = Field(default=1, ge=1, le=100, description="Replicates of each case.")
    only_failing_of: _Reference | None = Field(
        default=None, description="Only the cases that failed in that eval: its id, or `last`."
    )
    compare: _Reference | None = Field(
        default=None, description="An eval (id or `last`) or a registered version to compare with."
    )
    itself: bool = Field(default=False, description="Compare with itself, run a second time.")
    against_production: bool = Field(
        default=False, description="Compare with what the pointer `production` points at."
    )
    budget: Budget = Field(
        default=Budget(), description="Limits; those given take the place of the task's own."
    )

    @model_validator(mode="after")
    def _one_baseline(self) -> EvalOptions:
        if sum((self.compare is not None, self.itself, self.against_production)) > 1:
            raise ValueError("give one of compare, itself and against_production")
        return self


class OptimizeOptions(Record):
    """How a search runs, as `promptyard optimize` takes it."""

    strategy: _Reference | None = Field(
        default=None, description="Search policy instead of the task's own."
    )
    seed: int | None = Field(
        default=None, ge=0, lt=1 << 63, description="Seed instead of the task's own."
    )
    resume: bool | _Reference = Field(
        default=False,
        description="Go on with a run that was interrupted: its id, or true for the task's last.",
    )
    budget: Budget = Field(
        default=Budget(), description="Limits; those given take the place of the task's own."
    )


class GateOptions(Record):
    """What a gate judges, as `promptyard gate` takes it."""

    candidate: _Reference = Field(
        default="latest", description="The version: a number, a pointer or `latest`."
    )
    baseline: _Reference | None = Field(
        default=None,
        description="What it would replace: by default what is in production, else its parent.",
    )
    targets: tuple[_Reference, ...] = Field(
        default=(), max_length=50, description="Tags of failures that must become fewer."
    )
    claim: Claim | None = Field(
        default=None, description="What must hold, instead of what the task says."
    )
    budget: Budget = Field(
        default=Budget(), description="Limits; those given take the place of the task's own."
    )


_TaskFolder: TypeAlias = Annotated[
    str,
    Field(min_length=1, max_length=200, description="The task's folder, as `GET /tasks` names it."),
]


class EvalOrder(Record):
    """An eval that is asked for."""

    kind: Literal["eval"]
    task: _TaskFolder
    options: EvalOptions = EvalOptions()


class OptimizeOrder(Record):
    """A search that is asked for."""

    kind: Literal["optimize"]
    task: _TaskFolder
    options: OptimizeOptions = OptimizeOptions()


class GateOrder(Record):
    """A gate that is asked for."""

    kind: Literal["gate"]
    task: _TaskFolder
    options: GateOptions = GateOptions()


JobOrder: TypeAlias = Annotated[EvalOrder | OptimizeOrder | GateOrder, Field(discriminator="kind")]
"""What a job shall do; `kind` tells which options it has."""
JOB_ORDERS: TypeAdapter[JobOrder] = TypeAdapter(JobOrder)


class Job(Record):
    """One job: what is to be done, how it stands, what came of it.

    `task` is the folder of the task, `options` are those of the kind, as the line takes them.
    `run_id` is known once it has begun. `result` is what the command of this kind prints with
    `--json`; `error` one line for a person. `change` counts the changes of this row, for
    compare-and-set and for whoever follows it. `owner` is the replica that runs it.
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
