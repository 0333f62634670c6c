"""What monitors look at and what they found: windows of live traffic, readings of drift, alerts."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from promptyard.records.alerts import Alert
from promptyard.records.base import Record
from promptyard.records.live import Arm
from promptyard.records.scores import Interval
from promptyard.records.verdicts import VerdictStatus


class MonitorLimits(Record):
    """Upper limits; None is no limit. A limit is passed where the whole interval lies above it.

    Rates are shares of outcomes in [0, 1], `latency_p95_s` seconds, `cost_usd` the mean of one
    outcome, `score` a lower limit of the mean score.
    """

    error_rate: float | None = Field(
        default=0.05, ge=0, le=1, description="Share of outcomes that are errors; null is no limit."
    )
    hard_failure_rate: float | None = Field(
        default=0.05, ge=0, le=1, description="Share of outcomes that are unusable."
    )
    latency_p95_s: float | None = Field(
        default=None, gt=0, description="95th percentile of the latency, seconds."
    )
    cost_usd: float | None = Field(default=None, gt=0, description="Mean cost of an outcome.")
    score: float | None = Field(
        default=None, ge=0, le=1, description="Lower limit of the mean score."
    )


class MonitorPlan(Record):
    """Which window is looked at, and against what: the `reference_s` before it.

    Windows are cut by the store's clock, so that they are the same after a restart. Below
    `min_outcomes` nothing is said of a window.
    """

    window_s: float = Field(default=86_400.0, gt=0, description="Length of the window, seconds.")
    reference_s: float = Field(
        default=7 * 86_400.0, gt=0, description="Length of the time before it, to compare with."
    )
    min_outcomes: int = Field(default=50, ge=1, description="Below this a window says nothing.")
    alpha: float = Field(
        default=0.01, gt=0, lt=0.5, description="How often a limit may be found passed by chance."
    )
    limits: MonitorLimits = Field(default=MonitorLimits(), description="What is held to what.")


class WindowStats(Record):
    """One version (and arm, in a rollout) over one window.

    `n_looked_at` outcomes have a word on whether they were unusable, `n_scored` a score.
    """

    version: int
    arm: Arm | None = None
    n_outcomes: int
    n_errors: int
    n_looked_at: int
    n_hard_failures: int
    n_scored: int
    score: float | None = None
    score_interval: Interval | None = None
    latency_p50_s: float | None = None
    latency_p95_s: float | None = None
    latency_p99_s: float | None = None
    tokens: float | None = None
    cost_usd: float | None = None
    total_cost_usd: float = 0.0
    finish_reasons: Mapping[str, int] = Field(default_factory=dict)
    models: Mapping[str, int] = Field(default_factory=dict)


class DriftReading(Record):
    """One thing whose distribution was compared with the reference window.

    `what` is `inputs.NAME`, `outputs.NAME`, `score` or `inputs.words`; `version` is None where all
    versions count. `limit` is None where there are too few values to say anything.
    """

    what: str
    version: int | None = None
    value: float
    limit: float | None
    n_reference: int
    n: int
    most_changed: str = ""
    is_drift: bool


class MonitorReport(Record):
    """All windows and readings of one look, and the alerts that follow.

    `status`: fail where there is an alert, inconclusive where there is too little traffic to tell.
    `n_unjoined` counts feedback of the prompt whose outcome is not in the store.
    `unrecorded` says why alerts could not be recorded: the store may only be read.
    `share` of the outcomes were looked at, in (0, 1]: below 1 all counts are those of a sample.
    """

    prompt: str
    at: str
    plan: MonitorPlan
    windows: tuple[WindowStats, ...]
    drifts: tuple[DriftReading, ...]
    alerts: tuple[Alert, ...]
    status: VerdictStatus
    sentence: str
    n_reference: int
    n_window: int
    n_unjoined: int = 0
    unrecorded: str = ""
    share: float = Field(default=1.0, gt=0, le=1)


class AnchorReport(Record):
    """Fixed cases asked afresh: what they scored now and the first time, and who answered.

    `models` counts answers by the name that the provider gave its model. `status`: fail where model
    or judge moved.
    """

    prompt: str
    version: int
    n_cases: int
    score: float | None
    first_score: float | None = None
    models: Mapping[str, int] = Field(default_factory=dict)
    status: VerdictStatus
    sentence: str
    alert: Alert | None = None
