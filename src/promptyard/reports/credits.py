"""What became of each failure bucket that a search took on: one row a bucket."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.records.base import Record
from promptyard.records.events import Credited


class CreditRow(Record):
    """A bucket with its last measurement on a slice; `moved` where any attempt at it moved it.

    `n_attempts` counts the slices on which sentences for it were tried.
    """

    bucket: str
    n_attempts: int
    n_cases: int
    n_failing_before: int
    n_failing_after: int
    moved: bool


def credit_table(credited: Sequence[Credited]) -> tuple[CreditRow, ...]:
    """Fold credits by bucket: those that moved first, each group with most failures first.

    Of several attempts the one that mended most is shown.
    """
    groups: dict[str, list[Credited]] = {}
    for item in credited:
        groups.setdefault(item.bucket, []).append(item)
    rows = [_row(items) for items in groups.values()]
    return tuple(sorted(rows, key=lambda row: (not row.moved, -row.n_failing_before, row.bucket)))


def _row(items: Sequence[Credited]) -> CreditRow:
    best = max(items, key=lambda item: (item.moved, item.n_failing_before - item.n_failing_after))
    return CreditRow(
        bucket=best.bucket,
        n_attempts=len(items),
        n_cases=best.n_cases,
        n_failing_before=best.n_failing_before,
        n_failing_after=best.n_failing_after,
        moved=any(item.moved for item in items),
    )
