"""Outcomes with what was said of them later."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from promptyard.records.live import Feedback, Outcome, StoredEvent

SCORE = "score"


@dataclass(frozen=True)
class Joined:
    """An outcome with what feedback said of it later; of one name the latest counts.

    `score` is the score of that name, else the mean of all scores; None without any.
    """

    outcome: Outcome
    stored_at: str
    score: float | None
    hard_failure: bool | None


def joined(events: Iterable[StoredEvent]) -> list[Joined]:
    """Join outcomes with their feedback, in the order of the outcomes."""
    outcomes: dict[str, StoredEvent] = {}
    scores: dict[str, dict[str, float]] = {}
    failed: dict[str, bool | None] = {}
    for stored in events:
        event = stored.event
        if isinstance(event, Outcome):
            outcomes.setdefault(event.id, stored)
            scores[event.id] = {**event.scores, **scores.get(event.id, {})}
            failed.setdefault(event.id, event.hard_failure)
        elif isinstance(event, Feedback):
            scores.setdefault(event.outcome_id, {}).update(event.scores)
            if event.hard_failure is not None:
                failed[event.outcome_id] = event.hard_failure
    return [_joined(stored, scores, failed) for stored in outcomes.values()]


def _joined(
    stored: StoredEvent, scores: dict[str, dict[str, float]], failed: dict[str, bool | None]
) -> Joined:
    outcome = stored.event
    assert isinstance(outcome, Outcome)
    own = scores[outcome.id]
    score = own.get(SCORE, sum(own.values()) / len(own) if own else None)
    hard = True if outcome.error else failed[outcome.id]
    return Joined(outcome, stored.stored_at, score, hard)
