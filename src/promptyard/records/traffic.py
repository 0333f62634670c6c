"""Traffic by hours: what live events and spans came to, in sums that can be added up in any order.

Sums are whole numbers of small units, so that adding up in parts, in whatever order, gives exactly
the same. Latencies are counted in classes that are 4 % wide, as DDSketch has them (Masson, Rim and
Lee 2019): a quantile read off them is at most 2 % beside one of the values.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import Field

from promptyard.records.base import Record
from promptyard.records.live import Feedback, Outcome

SCORE = "score"
_ACCURACY = 0.02
_RATIO = (1 + _ACCURACY) / (1 - _ACCURACY)
_LOG_RATIO = math.log(_RATIO)
_SHORTEST_S = 1e-6
_LONGEST_S = 1e7
_MOST_USD = 1e9


class ScoreSum(Record):
    """How many outcomes have a score of one name, and the sum of them in millionths."""

    n: int
    millionths: int


class TrafficTotals(Record):
    """What some outcomes came to, with what was said of them later; and some spans.

    Outcomes that are spans as well count among both. `n_looked_at` outcomes have a word on whether
    they were unusable. `latency_classes` counts latencies by their class. Units: microseconds,
    tokens, billionths of a dollar.
    """

    n_outcomes: int = 0
    n_errors: int = 0
    n_looked_at: int = 0
    n_hard_failures: int = 0
    n_exposures: int = 0
    n_timed: int = 0
    latency_us: int = 0
    latency_classes: Mapping[int, int] = Field(default_factory=dict[int, int])
    n_counted: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    n_priced: int = 0
    cost_nano_usd: int = 0
    scores: Mapping[str, ScoreSum] = Field(default_factory=dict)
    n_spans: int = 0
    n_span_errors: int = 0

    def latency_s(self, share: float) -> float | None:
        """Return the latency that a share in [0, 1] of the outcomes stay within; None of none."""
        if not self.n_timed:
            return None
        rank = max(1, math.ceil(share * self.n_timed))
        for number in sorted(self.latency_classes):
            rank -= self.latency_classes[number]
            if rank <= 0:
                # The middle of the class, by ratio: no value of it is further off than 2 %.
                return 2 * _RATIO**number / (_RATIO + 1)
        return None


class TrafficKey(Record):
    """Whose totals: of a prompt's version and arm (empty outside of rollouts), in one hour, UTC.

    `hour` is the beginning of the store's time, `2026-11-27T05`. Spans that name no version of the
    registry stand under an empty prompt and version 0.
    """

    prompt: str
    version: int
    arm: str
    hour: str


class TrafficHour(Record):
    """The totals of one version and arm in one hour."""

    key: TrafficKey
    totals: TrafficTotals


class TrafficRow(Record):
    """The totals of one version and arm in one hour, as people and graphs read them.

    `hour` is UTC, ISO 8601; `arm` is empty outside of rollouts. Latencies in seconds, p50, p95 and
    p99 at most 2 % off; `scores` are means in [0, 1] by name, `n_scores` how many each is of.
    Tokens are of the `n_counted` outcomes that say them, `cost_usd` of `n_priced`; None of none.
    """

    prompt: str
    version: int
    arm: str
    hour: str
    n_outcomes: int
    n_errors: int
    n_looked_at: int
    n_hard_failures: int
    n_exposures: int
    latency_mean_s: float | None
    latency_p50_s: float | None
    latency_p95_s: float | None
    latency_p99_s: float | None
    n_counted: int
    input_tokens: int | None
    output_tokens: int | None
    n_priced: int
    cost_usd: float | None
    scores: Mapping[str, float]
    n_scores: Mapping[str, int]
    n_spans: int
    n_span_errors: int

    @classmethod
    def of(cls, hour: TrafficHour) -> TrafficRow:
        """Return what the totals of an hour say."""
        key, totals = hour.key, hour.totals
        counts = (
            "n_outcomes n_errors n_looked_at n_hard_failures n_exposures n_counted n_priced "
            "n_spans n_span_errors"
        )
        return cls(
            prompt=key.prompt,
            version=key.version,
            arm=key.arm,
            hour=f"{key.hour}:00:00+00:00",
            latency_mean_s=totals.latency_us / totals.n_timed / 1e6 if totals.n_timed else None,
            latency_p50_s=totals.latency_s(0.5),
            latency_p95_s=totals.latency_s(0.95),
            latency_p99_s=totals.latency_s(0.99),
            input_tokens=totals.input_tokens if totals.n_counted else None,
            output_tokens=totals.output_tokens if totals.n_counted else None,
            cost_usd=totals.cost_nano_usd / 1e9 if totals.n_priced else None,
            scores={name: item.millionths / item.n / 1e6 for name, item in totals.scores.items()},
            n_scores={name: item.n for name, item in totals.scores.items()},
            **{name: getattr(totals, name) for name in counts.split()},
        )


class Folded(Record):
    """What a step of retention deleted and added to the hours; or would have.

    `after` is the number up to which was looked, `is_done` whether nothing is left beyond it.
    `n_damaged` rows cannot be read: they stay.
    """

    n_outcomes: int = 0
    n_feedback: int = 0
    n_exposures: int = 0
    n_spans: int = 0
    n_damaged: int = 0
    after: int = 0
    is_done: bool = False


@dataclass
class Said:
    """What feedback on an outcome comes to: the latest score of each name, the latest word on it.

    Feedback is added oldest first, in any number of parts.
    """

    scores: dict[str, float] = field(default_factory=dict[str, float])
    hard_failure: bool | None = None

    @classmethod
    def of(cls, feedback: Iterable[Feedback]) -> Said:
        """Return what some feedback, oldest first, comes to."""
        said = cls()
        for item in feedback:
            said.add(item)
        return said

    def add(self, feedback: Feedback) -> None:
        """Take in what was said next."""
        self.scores.update(feedback.scores)
        if feedback.hard_failure is not None:
            self.hard_failure = feedback.hard_failure


@dataclass
class TrafficSums:
    """Totals that are being added up, by version, arm and hour."""

    _sums: dict[TrafficKey, _Sum] = field(default_factory=dict["TrafficKey", "_Sum"])

    def add_outcome(self, stored_at: str, outcome: Outcome, said: Said) -> None:
        """Count an outcome with what was said of it; of one name the latest score counts."""
        key = TrafficKey(
            prompt=outcome.prompt,
            version=outcome.version,
            arm=outcome.arm or "",
            hour=hour_of(stored_at),
        )
        self._sum(key).add_outcome(outcome, said)

    def add(self, key: TrafficKey, totals: TrafficTotals) -> None:
        """Count what has been added up already."""
        self._sum(key).add(totals)

    @property
    def hours(self) -> list[TrafficHour]:
        """What it comes to, by prompt, hour, version and arm."""
        keys = sorted(self._sums, key=lambda key: (key.prompt, key.hour, key.version, key.arm))
        return [TrafficHour(key=key, totals=self._sums[key].totals) for key in keys]

    def _sum(self, key: TrafficKey) -> _Sum:
        found = self._sums.get(key)
        if found is None:
            found = self._sums[key] = _Sum()
        return found


def hour_of(stored_at: str) -> str:
    """Return the hour of a time of the store."""
    return stored_at[:13]


def added(hours: Iterable[TrafficHour]) -> TrafficTotals:
    """Return the totals of several hours together."""
    total = _Sum()
    for item in hours:
        total.add(item.totals)
    return total.totals


class _Sum:
    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._classes: Counter[int] = Counter()
        self._scores: dict[str, tuple[int, int]] = {}

    def add_outcome(self, outcome: Outcome, said: Said) -> None:
        counts = self._counts
        scores = {**outcome.scores, **said.scores}
        hard = outcome.hard_failure if said.hard_failure is None else said.hard_failure
        if outcome.error:
            hard = True
        counts["n_outcomes"] += 1
        counts["n_errors"] += bool(outcome.error)
        counts["n_looked_at"] += hard is not None
        counts["n_hard_failures"] += hard is True
        is_counted = outcome.input_tokens is not None or outcome.output_tokens is not None
        counts["n_counted"] += is_counted
        counts["input_tokens"] += outcome.input_tokens or 0
        counts["output_tokens"] += outcome.output_tokens or 0
        if outcome.latency_s is not None:
            latency_s = min(outcome.latency_s, _LONGEST_S)
            counts["n_timed"] += 1
            counts["latency_us"] += round(latency_s * 1e6)
            self._classes[_class_of(latency_s)] += 1
        if outcome.cost_usd is not None:
            counts["n_priced"] += 1
            counts["cost_nano_usd"] += round(min(outcome.cost_usd, _MOST_USD) * 1e9)
        if scores:
            scores.setdefault(SCORE, sum(scores.values()) / len(scores))
        for name, value in scores.items():
            self._add_score(name, 1, round(value * 1e6))

    def add(self, totals: TrafficTotals) -> None:
        values = totals.model_dump(exclude={"latency_classes", "scores"})
        self._counts.update(values)
        self._classes.update(totals.latency_classes)
        for name, item in totals.scores.items():
            self._add_score(name, item.n, item.millionths)

    @property
    def totals(self) -> TrafficTotals:
        return TrafficTotals(
            **self._counts,
            latency_classes=dict(sorted(self._classes.items())),
            scores={
                name: ScoreSum(n=n, millionths=total)
                for name, (n, total) in sorted(self._scores.items())
            },
        )

    def _add_score(self, name: str, n: int, millionths: int) -> None:
        n_before, before = self._scores.get(name, (0, 0))
        self._scores[name] = (n_before + n, before + millionths)


def _class_of(latency_s: float) -> int:
    return math.ceil(math.log(max(latency_s, _SHORTEST_S)) / _LOG_RATIO)
