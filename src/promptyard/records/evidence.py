"""What a generator may see. It is built from train records only; nothing else fits in."""

from __future__ import annotations

from pydantic import model_validator

from promptyard.errors import EvalSetError
from promptyard.records.base import Record
from promptyard.records.cases import Case
from promptyard.records.edits import Rejection
from promptyard.records.prompts import Demo
from promptyard.records.scores import Trial


class Bucket(Record):
    """Failing cases that share a cause: a tag, a field, and for label tasks the expected value.

    `case_ids` are the cases with this finding, `primary_ids` those for which it is the first
    thing wrong. `target` is the section that likely explains it: (step, section id), or None.
    `shapes` are the reasons of judges and of users' code without their particulars, the most
    frequent first, with the cases of each.
    """

    tag: str
    field: str | None = None
    expected: str | None = None
    case_ids: tuple[str, ...]
    primary_ids: tuple[str, ...] = ()
    severity: str = "hard"
    target: tuple[str, str] | None = None
    confusions: tuple[tuple[str, int], ...] = ()
    shapes: tuple[tuple[str, int], ...] = ()

    @property
    def name(self) -> str:
        """Readable key: `tag`, `tag:field` or `tag:field=expected`."""
        name = self.tag if self.field is None else f"{self.tag}:{self.field}"
        return name if self.expected is None else f"{name}={self.expected}"


class ConfusionPair(Record):
    """How often `expected` was answered as `got`."""

    expected: str
    got: str
    n_cases: int


class TrainTrial(Record):
    """A train case with what a program did on it. Refuses cases of any other split."""

    case: Case
    trial: Trial

    @model_validator(mode="after")
    def _only_train(self) -> TrainTrial:
        if self.case.split != "train" or self.trial.split != "train":
            raise EvalSetError(
                f"case '{self.case.id}' is not a train case and may not become evidence"
            )
        if self.case.id != self.trial.case_id:
            raise EvalSetError(f"trial of '{self.trial.case_id}' filed under case '{self.case.id}'")
        return self


class ScoredPrompt(Record):
    """A point of the score history: a program's text and its rounded score in percent.

    The only thing of dev that may reach a meta-prompt (DESIGN rule 3).
    """

    program_id: str
    text: str
    score_pct: int


class Evidence(Record):
    """Everything that the next proposals may be conditioned on."""

    failures: tuple[TrainTrial, ...] = ()
    successes: tuple[TrainTrial, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    confusions: tuple[ConfusionPair, ...] = ()
    trajectory: tuple[ScoredPrompt, ...] = ()
    demos: tuple[Demo, ...] = ()
    rejected: tuple[Rejection, ...] = ()

    def failures_of(self, bucket: Bucket) -> tuple[TrainTrial, ...]:
        """The failing trials whose primary bucket this is."""
        ids = frozenset(bucket.primary_ids)
        return tuple(item for item in self.failures if item.case.id in ids)
