"""How a rollout stands, for whoever draws it: the paragraph, the guards, and how they got there."""

from __future__ import annotations

from promptyard.line.query import StoreOrUrl, opened
from promptyard.line.rollout_finding import find_rollout, with_departures
from promptyard.line.rollouts import utc_now
from promptyard.records.base import Record
from promptyard.records.rollouts import (
    Action,
    Decision,
    GuardReading,
    RatioReading,
    Rollout,
)
from promptyard.records.versions import Move
from promptyard.reports.rollout import GuardRow, guard_rows, rollout_paragraph, thinned

MOST_POINTS = 300


class PlotPoint(Record):
    """What one decision adds to the curves: when, what, and every guard as it was read then.

    `enrolled` is the share of subjects that take part, in [0, 1].
    """

    seq: int
    at: str
    action: Action
    step: int
    enrolled: float
    ratio: RatioReading | None
    guards: tuple[GuardReading, ...]


class RolloutReport(Record):
    """A rollout, its last decision, one paragraph about it, and what its plots are drawn of.

    `left` is the move with which its pointer went on or back since it was promoted. `plot` has a
    row a guard; `curve` the decisions that changed something and some between.
    """

    rollout: Rollout
    last: Decision
    left: Move | None
    sentence: str
    plot: tuple[GuardRow, ...]
    curve: tuple[PlotPoint, ...]


async def rollout_status(
    url: StoreOrUrl,
    reference: str,
    *,
    pointer: str | None = None,
    with_curve: bool = False,
    now: str | None = None,
) -> RolloutReport:
    """Explain how a rollout stands. Raises NotFound. Costs no model call."""
    async with opened(url) as store:
        record = await find_rollout(store, reference, pointer)
        n_decisions = record.last.seq
        if with_curve:
            record = await store.rollout(record.rollout.id)
        record = (await with_departures(store, [record]))[0]
    last = record.last
    points = thinned(record.decisions, MOST_POINTS) if with_curve else ()
    return RolloutReport(
        rollout=record.rollout,
        last=last,
        left=record.left,
        sentence=rollout_paragraph(record, now=now or utc_now(), n_decisions=n_decisions),
        plot=guard_rows(last),
        curve=tuple(_point(decision) for decision in points),
    )


def _point(decision: Decision) -> PlotPoint:
    return PlotPoint(
        seq=decision.seq,
        at=decision.at,
        action=decision.action,
        step=decision.step,
        enrolled=decision.enrolled,
        ratio=decision.ratio,
        guards=decision.guards,
    )
