"""Quick looks inside a search: is a prompt better on cases that it has not learnt from?

These looks steer, they claim nothing: several are taken, and on few cases. Claims are made by the
paired tests on the holdout. Source: anchors on search, section 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

VARIANCE_FLOOR = 0.03
"""A small perfect sample must not look certain."""


def two_sample_z(values: Sequence[float], others: Sequence[float]) -> float | None:
    """Return z of mean(values) - mean(others) on different cases; None where either has none.

    Each sample's variance per case is at least `VARIANCE_FLOOR`.
    """
    if not values or not others:
        return None
    error = math.sqrt(_variance(values) / len(values) + _variance(others) / len(others))
    return (_mean(values) - _mean(others)) / error


def paired_z(differences: Sequence[float]) -> float | None:
    """Return mean difference over its standard error on the same cases; None without cases.

    With fewer than two cases, or where all agree, the variance floor stands in.
    """
    if not differences:
        return None
    floor = VARIANCE_FLOOR / max(1, len(differences))
    n = len(differences)
    mean = _mean(differences)
    variance = sum((value - mean) ** 2 for value in differences) / max(1, n - 1)
    return mean / math.sqrt(max(variance, floor) / n)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    mean = _mean(values)
    spread = sum((value - mean) ** 2 for value in values) / max(1, len(values) - 1)
    return max(spread, VARIANCE_FLOOR)
