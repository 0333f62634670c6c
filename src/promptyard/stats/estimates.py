"""A figure with its interval, or the reason why there is none: missing is never zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from promptyard.records.scores import Interval


@dataclass(frozen=True)
class Estimate:
    """What was estimated: `value` and `interval`, or neither and the `reason` in one sentence.

    `se` is the standard error where the method has one; the interval need not be symmetric.
    """

    value: float | None
    interval: Interval | None = None
    se: float | None = None
    reason: str = ""

    @classmethod
    def refused(cls, reason: str) -> Self:
        """Return an estimate that says why it cannot be made."""
        return cls(value=None, reason=reason)
