"""What a run may spend, and what it has spent."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from promptyard.records.base import Record


class Budget(Record):
    """Upper limits of a run; None means no limit. The same keys stand in task.yaml.

    Calls are HTTP attempts, retries included. `tokens` counts input and output of all roles.
    """

    task_calls: int | None = Field(default=None, ge=0)
    optimizer_calls: int | None = Field(default=None, ge=0)
    judge_calls: int | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    usd: float | None = Field(default=None, ge=0)
    seconds: float | None = Field(default=None, gt=0)


class Spent(Record):
    """What a run has spent so far. `cached_calls` were answered from the store and cost nothing.

    `failures` counts failed attempts by kind (`rate_limited`, `timeout` ...).
    """

    task_calls: int = 0
    optimizer_calls: int = 0
    judge_calls: int = 0
    cached_calls: int = 0
    tokens: int = 0
    usd: float = 0.0
    unpriced_calls: int = 0
    seconds: float = 0.0
    failures: Mapping[str, int] = Field(default_factory=dict)
