"""What checking an eval set finds."""

from __future__ import annotations

from typing import Literal, TypeAlias

from promptyard.records.base import Record

Level: TypeAlias = Literal["error", "warning", "info"]


class Finding(Record):
    """One thing that a person should know about an eval set.

    An `error` makes results wrong, a `warning` makes them weaker, an `info` explains them. `code`
    is a stable name, `case_ids` the cases concerned.
    """

    level: Level
    code: str
    message: str
    case_ids: tuple[str, ...] = ()
