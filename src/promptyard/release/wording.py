"""Says what a look found in sentences for a person, with the numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from promptyard.records.guard_dimensions import (
    COST,
    FEWER,
    HARD_FAILURES,
    IN_LOGARITHMS,
    LATENCY,
    MISSING,
    score_without,
)
from promptyard.records.rollouts import GuardReading

_NAMES: Mapping[str, str] = {
    HARD_FAILURES: "hard failures",
    LATENCY: "slow answers",
    COST: "cost",
    MISSING: "missing outcomes",
    FEWER: "outcomes a subject",
}


def guard_sentence(reading: GuardReading, *, n_baseline: int = 0) -> str:
    """Return one sentence: the difference, what it rests on and what is shown of it."""
    name = guard_name(reading.dimension)
    difference = reading.difference
    if difference is None:
        return f"{name}: {_why_unknown(reading, n_baseline)}"
    subjects = f"{reading.n_treatment:,} and {reading.n_control:,} subjects"
    means = ""
    if reading.mean_treatment is not None and reading.dimension not in IN_LOGARITHMS:
        control = reading.mean_control or 0.0
        means = f", {100 * reading.mean_treatment:.1f} % beside {100 * control:.1f} %"
    return f"{name}: {_amount(reading, difference)}{means} ({subjects}); {_shown(reading)}"


def guard_name(dimension: str) -> str:
    """Return what a dimension is called in a sentence."""
    score = score_without(dimension)
    if score is not None:
        return f"answers without '{score}'"
    return _NAMES.get(dimension, dimension)


def listed(sentences: Sequence[str]) -> str:
    """Join sentences for one line."""
    return "; ".join(sentences)


def time_text(seconds: float) -> str:
    """Write a time of a plan in its largest whole unit: hours, minutes or seconds."""
    for unit, size_s in (("h", 3600.0), ("min", 60.0)):
        if seconds >= size_s:
            return f"{seconds / size_s:g} {unit}"
    return f"{seconds:g} s"


def _why_unknown(reading: GuardReading, n_baseline: int) -> str:
    one_arm = max(reading.n_control, reading.n_treatment)
    arm = " of the control" if reading.n_treatment else " of the treatment" if one_arm else ""
    if reading.status == "no_data":
        return f"no data{arm}; record it, or start without this guard"
    if reading.dimension in {MISSING, FEWER}:
        return "no subject has waited for the outcome window yet"
    if one_arm:
        return f"no data{arm} yet"
    return f"the baseline of the control is not known yet ({n_baseline} outcomes)"


def _shown(reading: GuardReading) -> str:
    bound = reading.low if reading.worse < 0 else reading.high
    allowed = _size(reading, reading.margin)
    if reading.status == "harmed":
        return "worse than the control"
    if reading.status == "no_data":
        return (
            "the limit does not fit the control, of whose answers 5 % should be slower: "
            "start again, or give the plan a baseline"
        )
    if bound is None:
        return "too few to say"
    if reading.status == "unharmed" and reading.worse * bound >= reading.margin:
        return "less than twice the control's"
    at_most = reading.worse * bound
    if at_most <= 0.0:
        return f"shown to be better ({allowed} worse is allowed)"
    said = f"at most {_size(reading, at_most)} worse, {allowed} allowed"
    return said if reading.status == "unharmed" else f"{said}: not shown yet"


def _amount(reading: GuardReading, value: float) -> str:
    if reading.dimension in IN_LOGARITHMS:
        return f"{100 * math.expm1(value):+.1f} %"
    return f"{100 * value:+.1f} points"


def _size(reading: GuardReading, value: float) -> str:
    if reading.dimension in IN_LOGARITHMS:
        return f"{100 * math.expm1(value):.1f} %"
    return f"{100 * value:.1f} points"
