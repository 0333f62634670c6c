"""Live traffic of a rollout, straight into a store: subjects, arms and answers by numbers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from promptyard.protocols import Store
from promptyard.records.live import Exposure, LiveEvent, Outcome, pseudonym
from promptyard.records.rollouts import Rollout
from promptyard.stats.assignment import arm_of

_numbers = itertools.count(1)


def served(rollout: Rollout, n: int, good: Mapping[str, float], **changes: Any) -> list[LiveEvent]:
    """`n` new subjects meet the arm that their hash says; by arm, a share of the answers is good.

    Good answers are spread evenly over an arm, so that every prefix has its share.
    """
    events: list[LiveEvent] = []
    seen = dict.fromkeys(good, 0)
    for number in (next(_numbers) for _ in range(n)):
        arm = arm_of(rollout.id, f"subject-{number}")
        treated = arm == "treatment"
        seen[arm] += 1
        is_good = int(seen[arm] * good[arm]) > int((seen[arm] - 1) * good[arm])
        shown = {
            "prompt": rollout.prompt,
            "rollout_id": rollout.id,
            "subject": pseudonym(f"subject-{number}"),
            "arm": arm,
            "version": rollout.treatment if treated else rollout.control,
            "digest": rollout.treatment_digest if treated else rollout.control_digest,
            "at": "2026-01-01T00:00:00+00:00",
        }
        events.append(Exposure.model_validate({**shown, "id": f"e{number}", "reason": "split"}))
        values = {"latency_s": 1.0, "cost_usd": 0.01, "scores": {"score": float(is_good)}}
        outcome = {**shown, "id": f"o{number}", "hard_failure": False, **values, **changes}
        events.append(Outcome.model_validate(outcome))
    return events


async def serve(store: Store, rollout: Rollout, n: int, good: Mapping[str, float]) -> None:
    """Store what `served` gives."""
    await store.add_live_events(served(rollout, n, good))


SAME = {"control": 0.9, "treatment": 0.9}
WORSE = {"control": 0.9, "treatment": 0.5}
