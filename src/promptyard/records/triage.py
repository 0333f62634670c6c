"""What a person said of a failure in live traffic."""

from __future__ import annotations

from typing import Literal

from promptyard.records.base import Json, Record


class TriageAnswer(Record):
    """One answer, kept as it was given: `case` becomes a case, `no_failure` is not shown again.

    `key` is the hash of the normalised input. `expected` is what should have been answered, None
    where the task's checks need no gold.
    """

    key: str
    verdict: Literal["case", "no_failure"]
    expected: Json = None
    tags: tuple[str, ...] = ()
    by: str
    at: str
    outcome_id: str
    version: int
    trace_id: str = ""
    inputs: dict[str, Json]
