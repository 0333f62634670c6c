"""Events of a rollout as a store would hand them out, and the rollout itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from promptyard.records.live import Exposure, Feedback, LiveEvent, Outcome, StoredEvent
from promptyard.records.rollouts import (
    Decision,
    LiveBaseline,
    Rollout,
    RolloutPlan,
    RolloutRecord,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
BASELINE = LiveBaseline(n_outcomes=200, latency_p95_s=2.0, cost_p999_usd=1.0)


def at(time_s: float) -> str:
    """A time after the start."""
    return (START + timedelta(seconds=time_s)).isoformat(timespec="microseconds")


def a_rollout(**plan: Any) -> Rollout:
    """v2 beside v1 of 'support'; the arguments are those of its plan."""
    return Rollout(
        id="r1",
        prompt="support",
        pointer="production",
        control=1,
        treatment=2,
        control_digest="one",
        treatment_digest="two",
        plan=RolloutPlan(**plan),
        started_at=at(0),
        started_by="ann",
    )


def a_record(rollout: Rollout, **last: Any) -> RolloutRecord:
    """The rollout with its first decision; the arguments replace what stands in that."""
    first: dict[str, Any] = {
        "rollout_id": rollout.id,
        "seq": 1,
        "at": at(0),
        "actor": "ann",
        "action": "start",
        "state": "running",
        "step": 0,
        "enrolled": rollout.plan.steps[0] / 100,
        "step_at": at(0),
    }
    return RolloutRecord(rollout=rollout, decisions=(Decision(**{**first, **last}),))


def decided(record: RolloutRecord, decision: Decision) -> RolloutRecord:
    """The record after one more decision."""
    return RolloutRecord(rollout=record.rollout, decisions=(*record.decisions, decision))


class Spool:
    """Writes events with ascending numbers, at the time that `time_s` shows."""

    def __init__(self) -> None:
        self.events: list[StoredEvent] = []
        self.time_s = 1.0

    def store(self, event: LiveEvent) -> StoredEvent:
        """Give an event the next number."""
        stored = StoredEvent(seq=len(self.events) + 1, stored_at=at(self.time_s), event=event)
        self.events.append(stored)
        return stored

    def expose(self, subject: str, arm: str, /, **changes: Any) -> StoredEvent:
        """A subject meets an arm."""
        event = {**self._shown(subject, arm, "e"), "reason": "split", **changes}
        return self.store(Exposure.model_validate(event))

    def answer(
        self, subject: str, arm: str, score: float | None = None, /, **changes: Any
    ) -> StoredEvent:
        """A subject gets an answer."""
        scores: Mapping[str, float] = {} if score is None else {"score": score}
        event = {**self._shown(subject, arm, "o"), "scores": scores, **changes}
        return self.store(Outcome.model_validate(event))

    def say(self, outcome_id: str, **changes: Any) -> StoredEvent:
        """Somebody says something of an outcome."""
        event = {
            "id": f"f{len(self.events) + 1}",
            "prompt": "support",
            "outcome_id": outcome_id,
            "at": at(self.time_s),
            **changes,
        }
        return self.store(Feedback.model_validate(event))

    def serve(self, arm: str, n: int, score: float, *, name: str = "", **changes: Any) -> None:
        """`n` new subjects meet an arm and get an answer each; `score` of them are good."""
        for number in range(n):
            subject = f"{arm}{name}{len(self.events)}"
            self.expose(subject, arm)
            good = float(int((number + 1) * score + 1e-9) > int(number * score + 1e-9))
            self.answer(subject, arm, good, **{"latency_s": 1.0, "cost_usd": 0.01, **changes})

    def _shown(self, subject: str, arm: str, prefix: str) -> dict[str, Any]:
        return {
            "id": f"{prefix}{len(self.events) + 1}",
            "prompt": "support",
            "rollout_id": "r1",
            "subject": subject,
            "arm": arm,
            "version": 2 if arm == "treatment" else 1,
            "digest": "two" if arm == "treatment" else "one",
            "at": at(self.time_s),
        }
