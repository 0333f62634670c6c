"""Several objectives: what a candidate is worth on each axis, and what it may not lose.

Cases, dimensions of checks, cost, latency and length are axes of the Pareto front; the protected
dimensions and critical cases are constraints, by the margins of the gate. What was not measured is
no value, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from pydantic import Field

from promptyard.records.base import Record
from promptyard.records.edits import Candidate
from promptyard.records.evidence import TrainTrial
from promptyard.records.scores import breaks_critical
from promptyard.records.verdicts import GateSettings
from promptyard.runner.summarize import dimension_values
from promptyard.stats.quick_look import paired_z

Objective: TypeAlias = Literal[
    "accuracy", "validity", "safety", "judge", "cost", "latency", "length"
]
CHECKED = ("accuracy", "validity", "safety", "judge")


class ObjectiveSettings(Record):
    """Which axes there are beside the cases, and which dimensions may not get worse.

    Latency is an axis only where it is asked for: it is measured, so a search by it does not
    repeat. On the axes of cost, latency and length values within `tolerance` (a share) tie. A
    protected dimension is lost where its mean falls by more than the gate's margin and at least
    `loss_z` standard errors.
    """

    axes: tuple[Objective, ...] = ("accuracy", "validity", "safety", "judge", "cost", "length")
    protected: tuple[Objective, ...] = ("accuracy", "validity", "safety", "judge")
    tolerance: float = Field(default=0.05, ge=0)
    loss_z: float = Field(default=1.64, ge=0)
    gate: GateSettings = GateSettings()


def axis_values(
    candidate: Candidate, rows: Sequence[TrainTrial], settings: ObjectiveSettings
) -> dict[str, float]:
    """Return a candidate's value on every axis that its rows measure; higher is better.

    Axes of cases are named `case:ID`, the others by themselves.
    """
    scored = [row for row in rows if row.trial.score is not None]
    values = {f"case:{row.case.id}": row.trial.score or 0.0 for row in scored}
    for name in settings.axes:
        value = _value(name, candidate, scored)
        if value is not None:
            values[name] = value
    return values


def tolerances(
    values: Mapping[str, Mapping[str, float]], settings: ObjectiveSettings
) -> dict[str, float]:
    """Return within what distance of the best value of an axis candidates tie."""
    wide: dict[str, float] = {}
    for name in ("cost", "latency", "length"):
        known = [axes[name] for axes in values.values() if name in axes]
        if known:
            wide[name] = settings.tolerance * abs(max(known))
    return wide


def loss(
    rows: Sequence[TrainTrial], before: Sequence[TrainTrial], settings: ObjectiveSettings
) -> str | None:
    """Say what a candidate loses that it may not lose against `before`; None where nothing."""
    by_id = {row.case.id: row for row in before}
    pairs = [(by_id[row.case.id], row) for row in rows if row.case.id in by_id]
    broken = [new.case.id for old, new in pairs if breaks_critical(new.case, old.trial, new.trial)]
    if len(broken) > settings.gate.critical_regressions:
        return f"breaks the critical case '{broken[0]}'"
    for name in settings.protected:
        differences = [
            after - ahead
            for old, new in pairs
            if (ahead := dimension_values(old.trial).get(name)) is not None
            and (after := dimension_values(new.trial).get(name)) is not None
        ]
        z = paired_z(differences)
        if z is None or z > -settings.loss_z:
            continue
        mean = sum(differences) / len(differences)
        if mean < -settings.gate.noninferiority:
            return f"loses {-100 * mean:.0f} points of {name} on {len(differences)} cases"
    return None


def n_chars(candidate: Candidate) -> int:
    """Return the length of a candidate's prompts, demonstrations included, in characters."""
    return sum(len(step.prompt.text) for step in candidate.program.steps)


def _value(name: Objective, candidate: Candidate, rows: Sequence[TrainTrial]) -> float | None:
    if name == "length":
        return -float(n_chars(candidate))
    if name in CHECKED:
        found = [dimension_values(row.trial).get(name) for row in rows]
        return _mean([value for value in found if value is not None])
    if name == "latency":
        spent = _mean([row.trial.latency_s for row in rows])
    else:
        costs = [row.trial.cost_usd for row in rows]
        spent = None if None in costs else _mean([cost for cost in costs if cost is not None])
    return None if spent is None else -spent


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
