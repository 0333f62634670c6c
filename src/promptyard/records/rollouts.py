"""A rollout: two versions side by side on live traffic, and every decision on it with its numbers.

A rollout is started once and never changed; what became of it stands in its decisions, an
append-only log. State and step are those of the last decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from pydantic import Field, model_validator

from promptyard.records.base import Record
from promptyard.records.guard_dimensions import IN_LOGARITHMS, score_without
from promptyard.records.verdicts import VerdictStatus
from promptyard.records.versions import Move

RolloutMode: TypeAlias = Literal["split", "shadow"]
RolloutState: TypeAlias = Literal[
    "awaiting_approval", "running", "paused", "promoted", "rolled_back", "aborted"
]
Action: TypeAlias = Literal[
    "start", "approve", "advance", "hold", "pause", "resume", "promote", "roll_back", "abort"
]
GuardStatus: TypeAlias = Literal["unharmed", "harmed", "open", "no_data"]
ENDED: tuple[RolloutState, ...] = ("promoted", "rolled_back", "aborted")
ENGINE = "canary"
"""Who acts where no person does."""


class Guard(Record):
    """A dimension that must not get worse, and by how much it may: `margin`, in its own unit.

    `score` and other names are live scores, in points of 1 (0.03). `latency` counts answers slower
    than the control's p95 (0.025 more of them), `cost` is the logarithm of the cost ratio (0.0953
    is 10 %), `missing` the share of subjects without an outcome, `fewer_outcomes` the logarithm of
    1 + outcomes of a subject, `hard_failures` the share of subjects with an unusable answer: there
    `margin` is what is tolerated in any case.
    """

    dimension: str
    margin: float = Field(gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _is_part_of_one(self) -> Guard:
        if self.margin >= 1 and self.dimension not in IN_LOGARITHMS:
            raise ValueError(
                f"the margin of {self.dimension} is a part of 1 and below it, got {self.margin:g}: "
                "3 points are written 0.03"
            )
        return self


class LiveBaseline(Record):
    """What the control version did before: frozen when known, so that it cannot drift along.

    `latency_p95_s` in seconds; `cost_p999_usd` caps single costs (winsorising). Either may be 0,
    as of answers for free, but no NaN and not infinite: nothing is above those.
    """

    n_outcomes: int = Field(ge=0)
    latency_p95_s: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    cost_p999_usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class RolloutPlan(Record):
    """How a rollout goes on and what it must show. Defaults: anchors on release, section 2.5.

    The margin of `latency` is half a point wider than there: the p95 of 200 outcomes is itself
    uncertain, and with 2 points 83 % of rollouts of equal prompts had all their proofs within 5,000
    subjects an arm, with 2.5 points 87 %.

    `steps` are percent of subjects enrolled, ascending; half of the enrolled meet the treatment.
    `horizon` tunes the confidence sequences for about that many subjects in all. A subject without
    an outcome counts as missing after `outcome_window_s`. `max_both` is the share of subjects that
    may have met both arms.
    """

    mode: RolloutMode = "split"
    steps: tuple[float, ...] = (2.0, 10.0, 25.0, 50.0, 100.0)
    min_subjects: int = Field(default=100, ge=2)
    min_step_s: float = Field(default=3600.0, ge=0)
    max_age_s: float = Field(default=7 * 86400.0, gt=0)
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    horizon: int = Field(default=2000, ge=10)
    guards: tuple[Guard, ...] = (
        Guard(dimension="score", margin=0.03),
        Guard(dimension="hard_failures", margin=0.01),
        Guard(dimension="latency", margin=0.025),
        Guard(dimension="cost", margin=0.0953),
    )
    outcome_window_s: float = Field(default=600.0, gt=0)
    missing_margin: float = Field(default=0.02, gt=0, lt=1)
    ratio_alarm: float = Field(default=1000.0, gt=1)
    max_both: float = Field(default=0.01, ge=0, lt=1)
    baseline: LiveBaseline | None = None
    baseline_outcomes: int = Field(default=200, ge=20)

    @model_validator(mode="after")
    def _consistent(self) -> RolloutPlan:
        if not self.steps or not all(0 < share <= 100 for share in self.steps):
            raise ValueError("steps are percentages above 0 and up to 100")
        if any(b <= a for a, b in zip(self.steps, self.steps[1:], strict=False)):
            raise ValueError("steps must ascend, each larger than the one before")
        names = [guard.dimension for guard in self.guards]
        if not names or len(set(names)) < len(names):
            raise ValueError("a rollout needs guards, each dimension once")
        if any(score_without(name) is not None for name in names):
            raise ValueError("answers without a score are compared anyway; guard the score")
        return self


class Rollout(Record):
    """Version `treatment` beside version `control` of a prompt, behind `pointer`.

    `id` seeds the hashes that enrol a subject and pick its arm.
    """

    id: str
    prompt: str
    pointer: str
    control: int
    treatment: int
    control_digest: str
    treatment_digest: str
    plan: RolloutPlan
    started_at: str
    started_by: str
    reason: str = ""


class GuardReading(Record):
    """One guard at one look. Differences are treatment minus control, in the guard's unit.

    `low` and `high` are always-valid one-sided bounds, each at its own level: above `low` at
    1 - alpha (for promotion), below `high` at 1 - alpha / guards (for rollback). `worse` says
    which sign is harm: -1 for scores, +1 for failures, latency and cost, where the levels of `low`
    and `high` change places. None is no bound yet. `log_e` is the evidence of hard failures, None
    elsewhere: it decides on harm there, and `high` is at 1 - 0.8 alpha.
    """

    dimension: str
    status: GuardStatus
    margin: float
    worse: Literal[-1, 1]
    n_control: int
    n_treatment: int
    mean_control: float | None = None
    mean_treatment: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    log_e: float | None = None
    sentence: str = ""


class RatioReading(Record):
    """Whether the arms got their shares of subjects; `n_both` met both arms."""

    n_control: int
    n_treatment: int
    n_both: int
    log_e: float
    is_alarm: bool


class Decision(Record):
    """One look at a rollout and what followed; `seq` counts from 1 without gaps.

    `through` is the store's number of the last live event that was looked at and `rejected` the
    number of events up to there that could not be used, so that a replay sees the same. `enrolled`
    is the share of subjects enrolled afterwards, in [0, 1]. `step_at` is when the present step
    began and `n_at_step` the subjects of the smaller arm then. `verdict`: pass promotes, fail rolls
    back, inconclusive holds. `pointer_at` is where a pointer was found that had moved under the
    rollout (None: not set); it is meant for `abort` only.
    """

    rollout_id: str
    seq: int
    at: str
    actor: str
    action: Action
    state: RolloutState
    step: int
    enrolled: float
    step_at: str
    n_at_step: int = 0
    through: int = 0
    rejected: int = 0
    verdict: VerdictStatus = "inconclusive"
    guards: tuple[GuardReading, ...] = ()
    ratio: RatioReading | None = None
    baseline: LiveBaseline | None = None
    sentence: str = ""
    reasons: tuple[str, ...] = ()
    move: Move | None = None
    pointer_at: int | None = None

    @property
    def is_final(self) -> bool:
        """Whether the rollout has ended with this decision."""
        return self.state in ENDED


class RolloutRecord(Record):
    """A rollout with all its decisions, oldest first; there is always at least the start.

    `left` is the move with which the pointer went away from the version after its promotion, None
    while it is there. Stores do not fill it; whoever tells people how a rollout stands does.
    """

    rollout: Rollout
    decisions: tuple[Decision, ...] = Field(min_length=1)
    left: Move | None = None

    @property
    def last(self) -> Decision:
        """The newest decision: it holds the state."""
        return self.decisions[-1]

    @property
    def is_active(self) -> bool:
        """Whether the rollout has not ended."""
        return not self.last.is_final


def departure(rollout: Rollout, log: Sequence[Move]) -> Move | None:
    """Return the first move away from the version that a rollout promoted; None before any.

    `log` are the moves of its prompt, oldest first.
    """
    here = [move for move in log if move.pointer == rollout.pointer]
    ids = [move.rollout_id if move.kind == "promote" else "" for move in here]
    if rollout.id not in ids:
        return None
    later = here[ids.index(rollout.id) + 1 :]
    return next((move for move in later if move.to_number != rollout.treatment), None)


def active_rollout(records: Sequence[RolloutRecord], pointer: str) -> RolloutRecord | None:
    """Return the rollout that has not ended behind a pointer; there is at most one."""
    return next((r for r in records if r.is_active and r.rollout.pointer == pointer), None)
