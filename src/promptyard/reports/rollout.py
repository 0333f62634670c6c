"""Says how a rollout stands: one paragraph, and every guard against its margin. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from promptyard.records.base import Record
from promptyard.records.guard_dimensions import IN_LOGARITHMS, is_proof_needed, score_without
from promptyard.records.rollouts import (
    ENDED,
    Decision,
    GuardReading,
    GuardStatus,
    Rollout,
    RolloutPlan,
    RolloutRecord,
    RolloutState,
)
from promptyard.records.versions import Move
from promptyard.reports.figures import MISSING, counted, duration, moment, percent

_NAMES = {
    "hard_failures": "hard failures",
    "latency": "slow answers",
    "missing": "missing outcomes",
    "fewer_outcomes": "outcomes a subject",
}
_STATES: dict[RolloutState, str] = {
    "awaiting_approval": "waits for approval",
    "running": "is running",
    "paused": "is paused",
    "promoted": "was promoted",
    "rolled_back": "was rolled back",
    "aborted": "was aborted",
}
STATUS_WORDS: dict[GuardStatus, str] = {
    "unharmed": "unharmed",
    "harmed": "harmed",
    "open": "open",
    "no_data": "no data",
}


class GuardRow(Record):
    """One guard, written out, and where its interval lies.

    `low`, `middle` and `high` count in margins towards harm: 0 is no difference, 1 the margin, more
    is worse. None is not known, or no bound yet.
    """

    dimension: str
    name: str
    status: GuardStatus
    difference: str
    bounds: str
    margin: str
    sentence: str
    low: float | None
    middle: float | None
    high: float | None


def state_words(record: RolloutRecord) -> str:
    """Say the state in words: `is running`, `was rolled back`."""
    return _STATES[record.last.state]


def outcome_words(state: RolloutState, left: Move | None = None) -> str:
    """Say the state in a word or two, and whether a promoted version was taken back since."""
    said = state.replace("_", " ")
    if left is None:
        return said
    return f"{said}, {'taken back' if left.kind == 'rollback' else 'replaced'}"


def share_words(state: RolloutState, enrolled: float, left: Move | None = None) -> str:
    """Say which share of the subjects takes part, or has the new version since: `all`, `none`."""
    if state in ENDED:
        return "all" if state == "promoted" and left is None else "none"
    return f"{100 * enrolled:g} %"


def guard_rows(decision: Decision) -> tuple[GuardRow, ...]:
    """Write out every guard of a decision, in the order of the plan."""
    return tuple(_row(reading) for reading in decision.guards)


def guard_name(dimension: str) -> str:
    """Return what a dimension is called."""
    score = score_without(dimension)
    return _NAMES.get(dimension, dimension) if score is None else f"answers without {score}"


def guard_amount(dimension: str, value: float | None) -> str:
    """Write a difference with sign and unit: points, or percent where it is a logarithm."""
    if value is None or not math.isfinite(value):
        return MISSING
    if dimension in IN_LOGARITHMS:
        return f"{100 * math.expm1(value):+.1f} %"
    return f"{100 * value:+.1f} points"


def rollout_paragraph(record: RolloutRecord, *, now: str, n_decisions: int | None = None) -> str:
    """Explain a rollout in one paragraph: state, evidence, and what is still needed."""
    rollout, last = record.rollout, record.last
    parts = [_opening(rollout, last)]
    if record.is_active and last.state != "awaiting_approval":
        parts.append(_share(rollout, last))
    parts += _evidence(last)
    if last.sentence and not record.is_active:
        parts.append(last.sentence)
    if last.state == "promoted":
        parts.append(_since_promotion(rollout, record.left))
    if record.is_active:
        parts += _needed(rollout, last, now)
    if n_decisions is not None:
        verb = "is" if n_decisions == 1 else "are"
        parts.append(f"{counted(n_decisions, 'decision')} {verb} on record.")
    return " ".join(parts)


def _opening(rollout: Rollout, last: Decision) -> str:
    said = (
        f"Rollout {rollout.id} of {rollout.prompt} puts v{rollout.treatment} beside "
        f"v{rollout.control} behind {rollout.pointer}"
    )
    if rollout.plan.mode == "shadow":
        said += ", in shadow: subjects get the control, both answer"
    if last.is_final:
        return f"{said}; it {_STATES[last.state]} by {last.actor} on {moment(last.at)}."
    by = f"{rollout.started_by} started it on {moment(rollout.started_at)}"
    return (
        f"{said}; it {_STATES[last.state]}. {by}{f': {rollout.reason}' if rollout.reason else ''}."
    )


def _since_promotion(rollout: Rollout, left: Move | None) -> str:
    """Say whether the pointer is still at the version that was promoted."""
    if left is None:
        return f"All traffic of {rollout.pointer} has v{rollout.treatment} since."
    how = "back " if left.kind == "rollback" else "on "
    because = f": {left.reason.rstrip('.')}" if left.reason else ""
    return (
        f"On {moment(left.moved_at)} {left.actor} moved {rollout.pointer} {how}from "
        f"v{left.from_number} to v{left.to_number}{because}."
    )


def _share(rollout: Rollout, last: Decision) -> str:
    steps = rollout.plan.steps
    said = (
        f"It is at step {last.step + 1} of {len(steps)}: {100 * last.enrolled:g} % of the subjects"
    )
    if rollout.plan.mode == "shadow":
        return f"{said} take part."
    return f"{said} take part, and half of these get v{rollout.treatment}."


def _evidence(last: Decision) -> list[str]:
    if not last.guards:
        return ["Nothing has been measured yet."]
    parts: list[str] = []
    if last.ratio is not None:
        parts.append(
            f"{last.ratio.n_treatment:,} subjects have met the new version, "
            f"{last.ratio.n_control:,} the old one."
        )
    by_status = {
        status: [
            guard_name(item.dimension)
            for item in last.guards
            # What need not be shown is not said to be missing.
            if item.status == status and (status != "open" or is_proof_needed(item.dimension))
        ]
        for status in STATUS_WORDS
    }
    said = [
        f"{words}: {', '.join(by_status[status])}"
        for status, words in (
            ("harmed", "Shown to be worse"),
            ("unharmed", "Shown to be no worse than allowed"),
            ("open", "Not shown yet"),
            ("no_data", "Without data"),
        )
        if by_status[status]
    ]
    parts += [f"{item}." for item in said]
    return parts


def _needed(rollout: Rollout, last: Decision, now: str) -> list[str]:
    plan = rollout.plan
    if last.state == "awaiting_approval":
        return [
            f"Still needed: the approval of somebody other than {rollout.started_by} "
            f"(`promptyard canary approve {rollout.prompt}`).",
            _revert(rollout, plan, now),
        ]
    if last.state == "paused":
        resume = f"`promptyard canary resume {rollout.prompt}`"
        return [
            f"Nothing is decided until somebody resumes it ({resume}).",
            _revert(rollout, plan, now),
        ]
    if last.reasons and last.action == "hold":
        needed = "; ".join(last.reasons)
    else:
        needed = f"{plan.min_subjects:,} new subjects with an outcome in each arm"
        if plan.min_step_s:
            needed += f", and {age_text(plan.min_step_s)} at this step"
    return [f"Still needed: {needed}.", _revert(rollout, plan, now)]


def _revert(rollout: Rollout, plan: RolloutPlan, now: str) -> str:
    """Say when it is rolled back for want of proof."""
    try:
        end = datetime.fromisoformat(rollout.started_at) + timedelta(seconds=plan.max_age_s)
        left_s = (end - datetime.fromisoformat(now)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return ""
    if left_s <= 0:
        return "Its maximum age is over: the next look rolls it back unless it is promoted."
    return f"Without proof it is rolled back in {age_text(left_s)}."


def _row(reading: GuardReading) -> GuardRow:
    ends = (reading.low, reading.high) if reading.worse > 0 else (reading.high, reading.low)
    low, high = (_in_margins(reading, end) for end in ends)
    return GuardRow(
        dimension=reading.dimension,
        name=guard_name(reading.dimension),
        status=reading.status,
        difference=guard_amount(reading.dimension, reading.difference),
        bounds=bounds_text(reading),
        margin=guard_amount(reading.dimension, reading.worse * reading.margin),
        sentence=reading.sentence or f"{guard_name(reading.dimension)}: no data",
        low=low,
        middle=_in_margins(reading, reading.difference),
        high=high,
    )


def bounds_text(reading: GuardReading) -> str:
    """Write the two bounds of a reading, the lower one first."""
    if reading.low is None and reading.high is None:
        return MISSING
    low, high = (guard_amount(reading.dimension, end) for end in (reading.low, reading.high))
    return f"{low.partition(' ')[0]} to {high}"


def means_text(reading: GuardReading) -> str:
    """Write both means where they are shares."""
    if reading.dimension in IN_LOGARITHMS:
        return MISSING
    if reading.mean_control is None or reading.mean_treatment is None:
        return MISSING
    return f"{percent(reading.mean_treatment)} beside {percent(reading.mean_control)}"


def _in_margins(reading: GuardReading, value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return reading.worse * value / reading.margin


def unjoined_text(n: int) -> str:
    """Say that feedback joins no outcome, and what to look at."""
    said = "1 feedback joins no outcome" if n == 1 else f"{n:,} feedbacks join no outcome"
    return (
        f"{said}, so nothing counts it: it needs the id that `record` returned and the name of "
        "that prompt, and the spool with its outcome has to be collected"
    )


def age_text(seconds: float) -> str:
    """Write a time of hours or days as a person says it."""
    return f"{seconds / 86400:.3g} days" if seconds >= 2 * 86400 else duration(seconds)


def thinned(decisions: Sequence[Decision], most: int) -> list[Decision]:
    """Return at most about `most` decisions: all that changed something, and evenly some holds."""
    changes = [item for item in decisions if item.action != "hold"]
    holds = [item for item in decisions if item.action == "hold"]
    room = max(most - len(changes), 1)
    every = max(1, math.ceil(len(holds) / room))
    kept = {item.seq for item in changes} | {item.seq for item in holds[::-1][::every]}
    return [item for item in decisions if item.seq in kept]
