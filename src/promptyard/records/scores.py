"""What measuring one program on one case gives, and what many of them add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from pydantic import Field

from promptyard.records.base import Json, Record
from promptyard.records.cases import Case, Dimension, EvalSplit, Severity
from promptyard.records.messages import Completion

TrialStatus: TypeAlias = Literal["scored", "error", "unscored"]


class JudgeStamp(Record):
    """Which instrument gave a judged score, and whether it said the same again.

    `prompt_hash` identifies the judge's instructions, rubric and settings: scores of other hashes
    are not comparable. `verdict` is what it said, `repeated` what a second, independent call said
    (None where it was asked once).
    """

    model: str
    prompt_hash: str
    verdict: str
    repeated: str | None = None


class HitCounts(Record):
    """How many of the expected items an answer gave: what a micro-average is made of."""

    n_hits: int = Field(ge=0)
    n_given: int = Field(ge=0)
    n_expected: int = Field(ge=0)


class Score(Record):
    """One finding of one metric on one output.

    `value` is in [0, 1], higher is better. `tags` name what went wrong (empty when nothing did),
    `field` and `path` where, `span` the characters [start, end) of the output. A metric that only
    classifies sets `label`, one that compares sets of items sets `counts`.
    """

    metric: str
    value: float = Field(ge=0.0, le=1.0, allow_inf_nan=False)
    label: str | None = None
    tags: tuple[str, ...] = ()
    field: str | None = None
    path: str | None = None
    span: tuple[int, int] | None = None
    reason: str = ""
    severity: Severity = "hard"
    dimension: Dimension = "accuracy"
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    critical: bool = False
    counts: HitCounts | None = None
    judge: JudgeStamp | None = None


class Unmeasured(Record):
    """A check that gave no score on one output: it broke (`error`) or was not run (`skip`).

    `at` says whose fault an error is. A skip leaves the case to its other checks; an error leaves
    the case unscored.
    """

    metric: str
    status: Literal["error", "skip"]
    kind: str
    reason: str
    at: Literal["harness", "judge"] = "harness"


class Failure(Record):
    """Why a trial has no score: the model, the harness or the judge was at fault."""

    at: Literal["model", "harness", "judge"]
    kind: str
    message: str


class StepVisit(Record):
    """One call that a workflow made on a case: which step asked, and the answer."""

    step: str
    completion: Completion


class Trial(Record):
    """One program on one case, one replicate.

    `score`, in [0, 1], is None unless `status` is `scored`. `output` is the text of the last step.
    `unmeasured` are the checks that gave no score; `scores` keeps what the others found.
    """

    program_id: str
    case_id: str
    split: EvalSplit
    replicate: int = 0
    status: TrialStatus
    score: float | None = Field(default=None, ge=0.0, le=1.0, allow_inf_nan=False)
    passed: bool = False
    output: str = ""
    visits: tuple[StepVisit, ...] = ()
    scores: tuple[Score, ...] = ()
    unmeasured: tuple[Unmeasured, ...] = ()
    failure: Failure | None = None

    @property
    def latency_s(self) -> float:
        """Seconds that the model calls of this trial took, one after the other."""
        return sum(visit.completion.latency_s for visit in self.visits)

    @property
    def cost_usd(self) -> float | None:
        """Price of this trial in USD, or None where any call has no known price."""
        costs = [visit.completion.cost_usd for visit in self.visits]
        return None if any(cost is None for cost in costs) else sum(c for c in costs if c)

    @property
    def total_tokens(self) -> int:
        """Input and output tokens of all visits."""
        return sum(visit.completion.usage.total_tokens for visit in self.visits)


class Interval(Record):
    """A confidence interval; `level` is its coverage, `method` how it was made."""

    low: float
    high: float
    level: float = 0.95
    method: str


class Summary(Record):
    """Mean of one dimension over the cases that have it.

    `name` is `score`, a check dimension, `latency_s`, `tokens` or `cost_usd`.
    """

    name: str
    mean: float
    interval: Interval | None = None
    n_cases: int
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class JudgeSummary(Record):
    """What is known of the judge behind a check.

    `n_repeated` of its verdicts were asked twice and `n_flipped` of those contradicted
    themselves. Where people's labels calibrate this very judge (model and prompt hash),
    `certificate` names them and `corrected_mean` is the mean that they correct to, by `method`;
    where they cannot, `why_uncorrected` says why.
    """

    model: str
    prompt_hash: str
    n_repeated: int = 0
    n_flipped: int = 0
    certificate: str | None = None
    corrected_mean: float | None = None
    corrected_interval: Interval | None = None
    method: str = ""
    why_uncorrected: str = ""


class CheckSummary(Record):
    """One check over all scored trials: the mean of its lowest finding in each of `n_cases`.

    `n_errors` and `n_skipped` count trials in which it gave no score; they are in no mean.
    """

    metric: str
    dimension: Dimension
    severity: Severity
    mean: float | None = None
    interval: Interval | None = None
    n_cases: int = 0
    n_errors: int = 0
    n_skipped: int = 0
    judge: JudgeSummary | None = None

    @property
    def uncalibrated(self) -> bool:
        """Whether a judge gave the scores of whom nobody knows how far people agree with it."""
        return self.judge is not None and self.judge.certificate is None


class Report(Record):
    """All trials of one program on one set of cases, and their means.

    `coverage` is the share of trials that were scored; `score` is None when none was.
    """

    program_id: str
    eval_set_version: str
    split: EvalSplit
    trials: tuple[Trial, ...]
    n_scored: int
    n_errors: int
    n_unscored: int
    coverage: float
    score: float | None
    summaries: tuple[Summary, ...] = ()
    checks: tuple[CheckSummary, ...] = ()
    suite: Mapping[str, Json] = Field(default_factory=dict)

    def summary(self, name: str) -> Summary | None:
        """Return the summary called `name`, or None where nothing was measured in it."""
        return next((item for item in self.summaries if item.name == name), None)

    @property
    def uncalibrated(self) -> frozenset[str]:
        """The dimensions that an uncalibrated judge has a part in."""
        return frozenset(check.dimension for check in self.checks if check.uncalibrated)

    def by_case(self) -> dict[str, Trial]:
        """Map case ids to their first replicate."""
        return {trial.case_id: trial for trial in reversed(self.trials)}


class GradedCase(Record):
    """A case together with what a program did on it."""

    case: Case
    trial: Trial


def relative_weights(cases: Sequence[Case]) -> list[float] | None:
    """Return the cases' weights scaled to a mean of 1, or None where all are equal.

    The mean of values times these weights is the weighted mean, so that tests on such products
    speak of the same quantity as the reported score.
    """
    weights = [case.weight for case in cases]
    if not weights or min(weights) == max(weights):
        return None
    mean = sum(weights) / len(weights)
    return [weight / mean for weight in weights]


def case_score(scores: Sequence[Score]) -> float | None:
    """Fold the findings on one output into the case's score in [0, 1].

    A failed hard finding makes it 0; otherwise the weighted mean of the soft ones counts, or 1.0
    where all findings are hard and passed. None when there are no findings: missing is not zero.
    """
    if not scores:
        return None
    if any(score.severity == "hard" and score.value < 1.0 for score in scores):
        return 0.0
    soft = [score for score in scores if score.severity == "soft"]
    if not soft:
        return 1.0
    return sum(score.value * score.weight for score in soft) / sum(score.weight for score in soft)


def breaks_critical(case: Case, before: Trial, after: Trial) -> bool:
    """Say whether a critical case that passed before fails after.

    A critical case counts as a whole; elsewhere only its critical findings count. Trials without a
    score break nothing: missing is not failed. Of checks with the same name, fewer may not pass.
    """
    if before.status != "scored" or after.status != "scored":
        return False
    if case.critical:
        return before.passed and not after.passed
    failed_before, passed_before = _critical(before)
    failed_after, passed_after = _critical(after)
    return any(
        n_failed > failed_before[name]
        and (not failed_before[name] or passed_after[name] < passed_before[name])
        for name, n_failed in failed_after.items()
    )


def _critical(trial: Trial) -> tuple[Counter[str], Counter[str]]:
    """Count the critical findings of each check that failed and that passed."""
    found = [score for score in trial.scores if score.critical]
    return (
        Counter(score.metric for score in found if score.value < 1.0),
        Counter(score.metric for score in found if score.value >= 1.0),
    )
