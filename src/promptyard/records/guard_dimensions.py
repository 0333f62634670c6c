"""The dimensions that a rollout is guarded in: their names, and what kind each is.

A name that is none of these is that of a live score.
"""

from __future__ import annotations

HARD_FAILURES = "hard_failures"
LATENCY = "latency"
COST = "cost"
MISSING = "missing"
FEWER = "fewer_outcomes"
MEASURED = frozenset({HARD_FAILURES, LATENCY, COST, MISSING, FEWER})
"""Dimensions that are no scores."""

IN_LOGARITHMS = frozenset({COST, FEWER})
"""Dimensions whose values are logarithms: their differences are said in percent."""

_UNSCORED = "unscored:"


def unscored(name: str) -> str:
    """Return the dimension that counts answers without a score of this name."""
    return f"{_UNSCORED}{name}"


def score_without(dimension: str) -> str | None:
    """Return the score whose absence a dimension counts, None for any other dimension."""
    return dimension.removeprefix(_UNSCORED) if dimension.startswith(_UNSCORED) else None


def is_proof_needed(dimension: str) -> bool:
    """Say whether a promotion needs this guard unharmed, and not only not harmed.

    The share of answers without a score is not shown to be equal: where a tenth is sampled for a
    judge, that would take more subjects than the score itself. It must not be shown to be larger.
    Nor is the number of outcomes, as some subjects call a hundred times as often as others: there
    the difference that is seen has to be within the margin.
    """
    return dimension != FEWER and score_without(dimension) is None
