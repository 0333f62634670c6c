"""Comparisons and verdicts: what may be said of a candidate against its baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import Field

from promptyard.records.base import Record
from promptyard.records.scores import Interval, Report, Trial

VerdictStatus: TypeAlias = Literal["pass", "fail", "inconclusive"]
PrimaryDimension: TypeAlias = Literal["score", "accuracy", "validity", "safety", "judge"]
GateRule: TypeAlias = Literal[
    "superiority", "non_inferiority", "critical", "coverage", "ceiling", "target", "report"
]
Claim: TypeAlias = Literal["better", "not_worse"]
Ceiling: TypeAlias = Literal["latency_p95_s", "cost_usd", "tokens", "prompt_chars"]
CEILINGS: tuple[Ceiling, ...] = get_args(Ceiling)


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
    `prompt_chars` are the characters of the candidate's prompts, where they are known.
    """

    baseline: Report
    candidate: Report
    reruns: tuple[Trial, ...] = ()
    looks: int = 0
    prompt_chars: int | None = None


class GateSettings(Record):
    """What gates ask for. `alpha` is two-sided; `noninferiority` is in points of score (0.03).

    `claim` is what must hold in the primary dimension: that the candidate is better, or, for a
    change that is not meant to be better, that it is not worse by more than `noninferiority`.

    `ceilings` are upper limits of the candidate, whatever the baseline does: the 95th percentile of
    latency in seconds, mean cost in USD and mean tokens a case, characters of the prompts.
    `targets` are tags of failures that must become fewer. `certificates` says whether a judge
    without a certificate holds a release up.
    """

    primary: PrimaryDimension = "score"
    claim: Claim = "better"
    alpha: float = Field(default=0.05, gt=0, lt=1)
    noninferiority: float = Field(default=0.03, gt=0, le=1)
    critical_regressions: int = Field(default=0, ge=0)
    min_coverage: float = Field(default=0.99, ge=0, le=1)
    ceilings: Mapping[Ceiling, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        default_factory=dict[Ceiling, float]
    )
    targets: tuple[str, ...] = ()
    certificates: Literal["required", "noted"] = "required"


class GateFinding(Record):
    """What one gate said."""

    gate: str
    status: VerdictStatus
    sentence: str


class GateVerdict(Record):
    """What all gates together say of a candidate version against the baseline version.

    One JSON object: `status` is the exit code, `verdict` the numbers, `gates` who said what.
    """

    prompt: str
    candidate: str
    baseline: str
    eval_set_version: str
    looks: int
    status: VerdictStatus
    sentence: str
    gates: tuple[GateFinding, ...]
    verdict: Verdict
    run_id: str = ""
    notes: tuple[str, ...] = ()


class Planted(Record):
    """A regression planted into a gate's self-test, and whether its gate blocked it."""

    plant: str
    gate: str
    status: VerdictStatus
    is_blocked: bool
    sentence: str


class SelfTest(Record):
    """What gates said of a candidate without fault (`sound`) and of each planted regression.

    Where the sound one does not pass, the eval set is too small for these settings.
    """

    n_cases: int
    sound: VerdictStatus
    sound_sentence: str
    planted: tuple[Planted, ...]

    @property
    def status(self) -> VerdictStatus:
        """Fail where a regression got through, inconclusive where the sound one did not pass."""
        if not all(item.is_blocked for item in self.planted):
            return "fail"
        return "pass" if self.sound == "pass" else "inconclusive"
