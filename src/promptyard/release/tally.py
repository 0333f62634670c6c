"""Folds the events of a rollout into one row a subject, and the rows into sums per arm.

The unit is the subject: calls of one subject are not independent of each other. Every event costs a
few updates, however many came before; the same events in the same order give the same numbers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from promptyard.records.guard_dimensions import COST, HARD_FAILURES, LATENCY, unscored
from promptyard.records.live import Arm, Exposure, Feedback, Outcome, StoredEvent
from promptyard.records.rollouts import Rollout
from promptyard.release.columns import NOTHING, Columns, Pair
from promptyard.release.frozen import FrozenBaseline
from promptyard.release.standing import Standing, score_names
from promptyard.release.waiting import Waiting

MOST_EARLY = 100_000
"""Outcomes that may wait for the exposure of their subjects; more are rejected."""

_ARMS: tuple[Arm, Arm] = ("control", "treatment")


@dataclass(slots=True)
class _Answer:
    """An outcome as far as it counts; `values` by dimension are what has been folded of it."""

    unit: str
    pair: str
    arm: int
    has_error: bool
    is_unusable: bool | None
    scores: dict[str, float]
    latency: float | None
    cost: float | None
    unmeasured: tuple[str, ...]
    values: dict[str, float] = field(default_factory=dict[str, float])


class Tally:
    """The events of one rollout so far; `add` them in the order of their numbers.

    Rejected and counted by reason: an id or number that was seen before (`repeated`), another
    prompt or rollout, an arm, version or digest that is not the rollout's, an outcome of a subject
    that was not exposed to that arm or met both, values that are no finite numbers in their range,
    anything stored after `ended_at`. Feedback whose outcome and outcomes whose exposure have not
    come yet are counted there, too, but kept: they are used when it comes. An outcome that comes
    late counts; a subject that met both arms is taken out of both and counted.
    """

    def __init__(self, rollout: Rollout, *, ended_at: str | None = None) -> None:
        self.rollout = rollout
        self.through = 0
        self._ended_at = None if ended_at is None else seconds(ended_at)
        self._is_shadow = rollout.plan.mode == "shadow"
        self._names = score_names(rollout)
        guarded = {guard.dimension for guard in rollout.plan.guards}
        self._amounts = tuple(name for name in (LATENCY, COST) if name in guarded)
        self._judges_failures = HARD_FAILURES in guarded
        self._rejected: Counter[str] = Counter()
        self._ids: set[str] = set()
        self._baseline = FrozenBaseline(rollout.plan)
        self._columns = Columns(is_paired=self._is_shadow)
        self._arms: dict[str, int] = {}
        self._both: set[str] = set()
        self._n_exposed = [0, 0]
        self._answers: dict[str, _Answer] = {}
        self._by_pair: dict[str, list[_Answer | None]] = {}
        self._of_unit: dict[str, list[_Answer]] = {}
        self._n_subjects = [0, 0]
        self._early: dict[str, list[Feedback]] = {}
        self._unexposed: dict[str, list[tuple[Outcome, int]]] = {}
        self._n_unexposed = 0
        self._waiting = Waiting(self._columns)

    @property
    def rejected(self) -> Mapping[str, int]:
        """How many events could not be used, by reason."""
        counts = dict(self._rejected)
        n_early = sum(map(len, self._early.values()))
        if n_early:
            counts["no_outcome"] = n_early
        if self._n_unexposed:
            counts["no_exposure"] = counts.get("no_exposure", 0) + self._n_unexposed
        return counts

    def add(self, stored: StoredEvent) -> None:
        """Fold one event in. Raises nothing for events that cannot be used: they are counted."""
        if stored.seq <= self.through:
            self._rejected["repeated"] += 1
            return
        self.through = stored.seq
        problem = self._fold(stored.event, seconds(stored.stored_at))
        if problem:
            self._rejected[problem] += 1

    def standing(self, now: str) -> Standing:
        """Return the numbers at a time; `now` may not go back from one call to the next."""
        self._waiting.come_due(seconds(now) - self.rollout.plan.outcome_window_s)
        return Standing(
            through=self.through,
            n_exposed=(self._n_exposed[0], self._n_exposed[1]),
            n_subjects=(self._n_subjects[0], self._n_subjects[1]),
            n_both=len(self._both),
            columns=self._columns.samples(),
            rejected=self.rejected,
            baseline=self._baseline.frozen,
            baseline_seen=self._baseline.seen,
            slowest_s=self._baseline.slowest_s,
        )

    # events

    def _fold(self, event: Exposure | Outcome | Feedback, at: float) -> str:
        if event.id in self._ids:
            return "repeated"
        if self._ended_at is not None and at > self._ended_at:
            return "after_end"
        if event.prompt != self.rollout.prompt:
            return "wrong_prompt"
        if isinstance(event, Feedback):
            problem = self._feedback(event)
        elif event.rollout_id != self.rollout.id:
            problem = "unknown_rollout"
        elif event.arm not in _ARMS:
            problem = "no_arm"
        else:
            arm = _ARMS.index(event.arm)
            problem = self._wrong_version(event, arm)
            if not problem and isinstance(event, Exposure):
                self._exposure(event.subject, arm, at)
            elif not problem and isinstance(event, Outcome):
                problem = self._outcome(event, arm, at)
        if not problem:
            self._ids.add(event.id)
        return problem

    def _wrong_version(self, event: Exposure | Outcome, arm: int) -> str:
        rollout = self.rollout
        if event.version != (rollout.control, rollout.treatment)[arm]:
            return "wrong_version"
        if event.digest != (rollout.control_digest, rollout.treatment_digest)[arm]:
            return "wrong_digest"
        return ""

    def _exposure(self, subject: str, arm: int, at: float) -> None:
        if self._is_shadow or subject in self._both:
            return  # in shadow every request meets both versions: only outcomes say anything
        before = self._arms.get(subject)
        if before is None:
            self._arms[subject] = arm
            self._n_exposed[arm] += 1
            self._waiting.start(subject, subject, (arm,), at)
            self._join(subject, at)
        elif before != arm:
            self._take_out(subject, before)

    def _join(self, subject: str, at: float) -> None:
        """Count the outcomes of a subject that came before its exposure, in their order."""
        kept = self._unexposed.pop(subject, [])
        self._n_unexposed -= len(kept)
        for outcome, arm in kept:
            problem = self._outcome(outcome, arm, at)
            if problem:
                self._rejected[problem] += 1

    def _keep(self, event: Outcome, arm: int) -> str:
        """Let an outcome wait for the exposure of its subject, while there is room."""
        if self._n_unexposed >= MOST_EARLY:
            return "no_exposure"
        self._unexposed.setdefault(event.subject, []).append((event, arm))
        self._n_unexposed += 1
        return ""

    def _take_out(self, subject: str, arm: int) -> None:
        self._both.add(subject)
        del self._arms[subject]
        self._n_exposed[arm] -= 1
        self._waiting.take_out(subject)
        answers = self._of_unit.pop(subject, [])
        self._n_subjects[arm] -= bool(answers)
        for answer in answers:
            self._place(answer, {})

    def _outcome(self, event: Outcome, arm: int, at: float) -> str:
        if not _is_sound(event):
            return "bad_value"
        if self._is_shadow:
            if event.pair is None:
                return "no_pair"
            if self._by_pair.get(event.pair, [None, None])[arm] is not None:
                return "repeated"
        elif event.subject in self._both:
            return "both_arms"
        elif self._arms.get(event.subject) is None:
            return self._keep(event, arm)
        elif self._arms[event.subject] != arm:
            return "wrong_arm"
        unit = self._unit(event)
        latency, cost = self._baseline.measure(
            unit, event.latency_s, event.cost_usd, is_control=arm == 0
        )
        pair = event.pair or ""
        answer = _Answer(
            unit=unit,
            pair=pair,
            arm=arm,
            has_error=bool(event.error),
            is_unusable=event.hard_failure,
            scores={name: event.scores[name] for name in self._names if name in event.scores},
            latency=latency,
            cost=cost,
            unmeasured=_unmeasured(event),
        )
        self._answers[event.id] = answer
        self._arrive(answer, at)
        for feedback in self._early.pop(event.id, ()):
            self._judge(answer, feedback)
        self._refold(answer)
        return ""

    def _unit(self, event: Outcome) -> str:
        """Return who an outcome counts for: its subject; a pair without one stands for itself."""
        if not self._is_shadow:
            return event.subject
        known = [answer for answer in self._by_pair.get(event.pair or "", ()) if answer]
        return known[0].unit if known else event.subject or f"pair:{event.pair}"

    def _arrive(self, answer: _Answer, at: float) -> None:
        """Note that a subject or pair has an outcome."""
        key = answer.unit
        if self._is_shadow:
            key = answer.pair
            pair = self._by_pair.setdefault(key, [None, None])
            pair[answer.arm] = answer
            if key not in self._waiting:
                self._waiting.start(key, answer.unit, (0, 1), at)
                self._n_exposed = [n + 1 for n in self._n_exposed]
            elif answer.unit not in self._of_unit:
                self._of_unit[answer.unit] = []
                self._n_subjects = [n + 1 for n in self._n_subjects]
        else:
            answers = self._of_unit.setdefault(key, [])
            answers.append(answer)
            self._n_subjects[answer.arm] += len(answers) == 1
        self._waiting.arrive(key, answer.arm)

    def _feedback(self, event: Feedback) -> str:
        if not all(0.0 <= score <= 1.0 for score in event.scores.values()):
            return "bad_value"
        answer = self._answers.get(event.outcome_id)
        if answer is None:
            self._early.setdefault(event.outcome_id, []).append(event)
        else:
            self._judge(answer, event)
            self._refold(answer)
        return ""

    def _judge(self, answer: _Answer, event: Feedback) -> None:
        for name in self._names:
            if name in event.scores:
                answer.scores[name] = event.scores[name]
        if event.hard_failure is not None:
            answer.is_unusable = event.hard_failure

    # folding

    def _refold(self, answer: _Answer) -> None:
        if answer.unit in self._both:
            return
        values = dict(answer.scores)
        for name in self._names:
            values[unscored(name)] = float(name not in answer.scores)
        has_failed = answer.has_error or bool(answer.is_unusable)
        values[HARD_FAILURES] = float(has_failed)
        for name in self._amounts:
            values[unscored(name)] = float(name in answer.unmeasured)
        if self._judges_failures and not has_failed:  # else fewer failures were fewer looks
            values[unscored(HARD_FAILURES)] = float(answer.is_unusable is None)
        if answer.latency is not None:
            values[LATENCY] = answer.latency
        if answer.cost is not None:
            values[COST] = answer.cost
        self._place(answer, values)

    def _place(self, answer: _Answer, values: dict[str, float]) -> None:
        """Put `values` in the place of what was folded of an answer."""
        other = self._by_pair[answer.pair][1 - answer.arm] if self._is_shadow else None
        if not self._is_shadow or other is not None:
            for name in {**answer.values, **values}:
                theirs = None if other is None else other.values.get(name)
                if self._is_shadow and theirs is None:
                    continue
                before, after = answer.values.get(name), values.get(name)
                self._columns.move(
                    name,
                    answer.unit,
                    _in_order(answer.arm, before, theirs),
                    _in_order(answer.arm, after, theirs),
                )
        answer.values = values


def _in_order(arm: int, mine: float | None, theirs: float | None) -> Pair:
    """Order the values of an answer and its pair, control first; none of mine is no pair."""
    if mine is None:
        return NOTHING
    return (theirs, mine) if arm else (mine, theirs)


def seconds(at: str) -> float:
    """Return a time of ISO 8601 as seconds since 1970; without a zone it is UTC.

    Raises ValueError for anything else.
    """
    moment = datetime.fromisoformat(at)
    return (moment if moment.tzinfo else datetime.fromisoformat(f"{at}+00:00")).timestamp()


def _unmeasured(event: Outcome) -> tuple[str, ...]:
    amounts = ((LATENCY, event.latency_s), (COST, event.cost_usd))
    return tuple(name for name, value in amounts if value is None)


def _is_sound(event: Outcome) -> bool:
    amounts = (event.latency_s, event.cost_usd)
    return all(x is None or (math.isfinite(x) and x >= 0.0) for x in amounts) and all(
        0.0 <= score <= 1.0 for score in event.scores.values()
    )
