"""What one `eval` found: a report, what it was compared with, and what changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from promptyard.records.base import Record
from promptyard.records.budget import Spent
from promptyard.records.cases import SplitName
from promptyard.records.scores import Report
from promptyard.records.verdicts import Verdict


class Flip(Record):
    """A case whose score changed against the baseline; scores are means over replicates."""

    case_id: str
    kind: Literal["fixed", "broken"]
    baseline: float
    candidate: float


class AnswerChanges(Record):
    """How many of the `n_compared` cases that both answered were answered in other words."""

    n_compared: int
    n_changed: int


class Evaluation(Record):
    """One measurement of a program, alone or beside a baseline on the same cases.

    `compared_with` names the baseline for a person (`run ...`, `version 2`, `itself`); `verdict`
    is what the gate says of the pair, on the cases that both finished. `eval_set` and
    `eval_set_version` name exactly what was measured on, `n_by_split` the cases that each split of
    it has; `n_repeats` is the replicates of each case, and `unstable` are the cases whose
    replicates passed and failed. `answers` compares the texts, whatever they scored.
    """

    run_id: str
    task: str
    model: str
    judge_model: str = ""
    eval_set_version: str
    n_by_split: Mapping[SplitName, int] = Field(default_factory=dict[SplitName, int])
    n_repeats: int = 1
    report: Report
    compared_with: str = ""
    baseline: Report | None = None
    verdict: Verdict | None = None
    flips: tuple[Flip, ...] = ()
    answers: AnswerChanges | None = None
    unstable: tuple[str, ...] = ()
    spent: Spent = Spent()
    notes: tuple[str, ...] = ()
