"""What a monitor found in live traffic."""

from __future__ import annotations

from typing import Literal, TypeAlias

from promptyard.records.base import Record

AlertKind: TypeAlias = Literal["threshold", "input_drift", "output_drift", "score_drift", "anchor"]


class Alert(Record):
    """One finding of one monitor: the value, the limit that it passed, and what to do.

    `metric` names what was watched (`latency_p95_s`, `psi:input_chars`); `cause` says who moved,
    where that is known.
    """

    prompt: str
    kind: AlertKind
    metric: str
    value: float
    limit: float
    version: int | None = None
    arm: str | None = None
    n_outcomes: int = 0
    cause: Literal["users", "model_or_judge", "prompt", "unknown"] = "unknown"
    sentence: str
    at: str = ""
