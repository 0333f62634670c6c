"""What a generator may see. It is built from train records only; nothing else fits in."""

from __future__ import annotations

from pydantic import model_validator

from promptyard.errors import EvalSetError
from promptyard.records.base import Record
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate, Rejection
from promptyard.records.prompts import Demo
from promptyard.records.scores import Trial

DEMOS = "demos"
"""The edit target that stands for demonstrations instead of a section."""


class Bucket(Record):
    """Failing cases that share a cause: a tag, a field, and for label tasks the expected value.

    `case_ids` are the cases with this finding, `primary_ids` those for which it is the first
    thing wrong. `step` is the step at fault, `target` the section that likely explains it: (step,
    section id), or None where that is unclear. `pinned` says that the user named the target,
    `by_demos` that the user wants demonstrations to mend it.
    `shapes` are the reasons of judges and of users' code without their particulars, the most
    frequent first, with the cases of each. `note` tells buckets apart that have nothing else to
    tell them apart: what reasons say where the evaluator gave no tags.
    """

    tag: str
    field: str | None = None
    expected: str | None = None
    case_ids: tuple[str, ...]
    primary_ids: tuple[str, ...] = ()
    severity: str = "hard"
    step: str | None = None
    target: tuple[str, str] | None = None
    pinned: bool = False
    by_demos: bool = False
    confusions: tuple[tuple[str, int], ...] = ()
    shapes: tuple[tuple[str, int], ...] = ()
    note: str = ""

    @property
    def name(self) -> str:
        """Readable key: `tag`, `tag:field` or `tag:field=expected`, and the note."""
        name = self.tag if self.field is None else f"{self.tag}:{self.field}"
        name = name if self.expected is None else f"{name}={self.expected}"
        return f"{name} ({self.note})" if self.note else name


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


class Attempt(Record):
    """Sentences that were tried for a bucket, and what they did on train cases.

    `fixed` and `broke` are the ids of the cases that changed; `outcome` says in a few words how it
    ended.
    """

    bucket: str
    texts: tuple[str, ...]
    outcome: str
    n_cases: int = 0
    fixed: tuple[str, ...] = ()
    broke: tuple[str, ...] = ()


class Relatives(Record):
    """What `base` may be crossed with: another candidate, and an ancestor of both."""

    ancestor: Candidate
    other: Candidate


class Evidence(Record):
    """Everything that the next proposals may be conditioned on.

    `target` is the (step, section or span) that a rewrite should change, where the policy has
    chosen one; `relatives` are for generators that cross candidates.
    """

    failures: tuple[TrainTrial, ...] = ()
    successes: tuple[TrainTrial, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    confusions: tuple[ConfusionPair, ...] = ()
    trajectory: tuple[ScoredPrompt, ...] = ()
    demos: tuple[Demo, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    target: tuple[str, str] | None = None
    relatives: Relatives | None = None

    def failures_of(self, bucket: Bucket) -> tuple[TrainTrial, ...]:
        """The failing trials of this bucket; first those for which it is the first thing wrong."""
        primary, ids = frozenset(bucket.primary_ids), frozenset(bucket.case_ids)
        found = [item for item in self.failures if item.case.id in ids]
        return tuple(sorted(found, key=lambda item: item.case.id not in primary))
