"""A rollout of v2 beside v1 that is fed and ticked, on the store of `support.released`."""

from __future__ import annotations

from typing import Any

from promptyard.line.rollout_engine import Looked
from promptyard.line.rollout_watch import tick
from promptyard.line.rollouts import By, start_rollout
from promptyard.records.rollouts import LiveBaseline, Rollout, RolloutPlan, RolloutRecord
from support.live_traffic import serve
from support.released import run
from support.stores import on_store

PLAN = RolloutPlan(
    steps=(50.0, 100.0),
    min_subjects=50,
    min_step_s=0.0,
    baseline=LiveBaseline(n_outcomes=200, latency_p95_s=2.0, cost_p999_usd=1.0),
    outcome_window_s=1e-3,
)


def started(url: str, **plan: Any) -> Rollout:
    values = PLAN.model_copy(update=plan)
    by = By("ann")
    work = start_rollout(url, "p", "v2", pointer="production", plan=values, by=by)
    return run(work).rollout


def feed(url: str, rollout: Rollout, n: int, good: dict[str, float]) -> None:
    on_store(url, lambda store: serve(store, rollout, n, good))


def ticked(url: str) -> Looked:
    """Tick once and return the look at the one rollout."""
    return run(tick(url, "p")).looks[0]


def record_of(url: str, rollout: Rollout) -> RolloutRecord:
    return on_store(url, lambda store: store.rollout(rollout.id))


def pointer_of(url: str) -> int:
    (pointer,) = on_store(url, lambda store: store.pointers("p"))
    return pointer.number
