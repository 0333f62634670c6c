"""Comparisons and verdicts: what may be said of a candidate against its baseline."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from promptyard.records.base import Record
from promptyard.records.scores import Interval, Report, Trial

VerdictStatus: TypeAlias = Literal["pass", "fail", "inconclusive"]
PrimaryDimension: TypeAlias = Literal["score", "accuracy", "validity", "safety", "judge"]
GateRule: TypeAlias = Literal["superiority", "non_inferiority", "critical", "coverage", "report"]


class Comparison(Record):
    """Candidate minus baseline in one dimension, on the same cases.

    `interval` is paired. `fixed` and `broken` count cases that changed (binary scores). `margin`
    is what a non-inferiority rule allows to be lost. Rule `report` decides nothing. `uncalibrated`
    says that a judge whom nobody has calibrated has a part in the values.
    """

    dimension: str
    rule: GateRule
    status: VerdictStatus
    n_cases: int
    baseline_mean: float | None = None
    candidate_mean: float | None = None
    difference: float | None = None
    interval: Interval | None = None
    p_value: float | None = None
    fixed: int = 0
    broken: int = 0
    margin: float | None = None
    uncalibrated: bool = False
    sentence: str = ""


class Verdict(Record):
    """Pass, fail or inconclusive, with the numbers behind it and one sentence for a person.

    `notes` is what to know of how the scores were measured; it decides nothing.
    """

    status: VerdictStatus
    comparisons: tuple[Comparison, ...] = ()
    sentence: str
    reasons: tuple[str, ...] = ()
    critical_regressions: tuple[str, ...] = ()
    coverage: float | None = None
    notes: tuple[str, ...] = ()

    def comparison(self, dimension: str) -> Comparison | None:
        """Return the comparison in one dimension, if it was made."""
        return next((item for item in self.comparisons if item.dimension == dimension), None)


class PairedReport(Record):
    """Baseline and candidate on the same cases of one split: the claim that gates judge.

    `looks` counts how often this set of holdout cases has been opened, this time included.
    `reruns` are further replicates of critical cases that the candidate seemed to break.
    """

    baseline: Report
    candidate: Report
    reruns: tuple[Trial, ...] = ()
    looks: int = 0


class GateSettings(Record):
    """What a gate asks for. `alpha` is two-sided; `noninferiority` is in points of score (0.03)."""

    primary: PrimaryDimension = "score"
    alpha: float = Field(default=0.05, gt=0, lt=1)
    noninferiority: float = Field(default=0.03, gt=0, le=1)
    critical_regressions: int = Field(default=0, ge=0)
    min_coverage: float = Field(default=0.99, ge=0, le=1)
