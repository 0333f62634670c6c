"""What reading an eval set of another tool gives, and how much of it can be run here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from pydantic import Field

from promptyard.records.base import Json, Record, as_object

SKIP = "skip"
"""The check that stands where one of another tool cannot be run here; it grades nothing."""


class ImportedRow(Record):
    """One case of a foreign file: where it stands there, and its keys as in cases.jsonl."""

    at: str
    row: Mapping[str, Json]


class ImportedSet(Record):
    """An eval set of another tool in our terms.

    `checks` hold for every case, beside those in the rows. `prompts` are texts of prompt files, the
    seed first; `models` (`provider/model`) are those that the source runs. `mapping` says what
    became of each field that the source has (`question` -> `input.question`, or `-` for left out).
    `notes` are sentences for a person: what was changed, assumed or left out. `n_left_out` counts
    entries of the source that are no cases here.

    A check that cannot be run here is `{"type": "skip", "reason", "source"}`, with what the source
    said under `source`.
    """

    format: str
    rows: tuple[ImportedRow, ...]
    checks: tuple[Mapping[str, Json], ...] = ()
    prompts: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    mapping: Mapping[str, str] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    n_left_out: int = 0

    def check_counts(self) -> Mapping[str, int]:
        """Count checks by type over all cases, nested ones too; one for all counts in each case."""
        return Counter(str(check.get("type")) for check in self._all_checks())

    def skip_counts(self) -> Mapping[str, int]:
        """Count the checks that cannot be run here by their reason, over all cases."""
        skips = (check for check in self._all_checks() if check.get("type") == SKIP)
        return Counter(str(check.get("reason", "")) for check in skips)

    def rows_with_all_checks(self) -> tuple[ImportedRow, ...]:
        """Return the rows with the shared checks put before their own."""
        if not self.checks:
            return self.rows
        shared = [dict(check) for check in self.checks]
        return tuple(
            item.model_copy(
                update={"row": {**item.row, "checks": [*shared, *item.row.get("checks", ())]}}
            )
            for item in self.rows
        )

    def _all_checks(self) -> Iterator[Mapping[str, Json]]:
        shared = list(_flat(self.checks))
        for item in self.rows:
            yield from shared
            yield from _flat(item.row.get("checks", ()))


def _flat(checks: Iterable[Json]) -> Iterator[Mapping[str, Json]]:
    for item in checks:
        check = {"type": item} if isinstance(item, str) else as_object(item) or {}
        yield check
        inner = check.get("checks")
        if isinstance(inner, list):
            yield from _flat(cast("list[Json]", inner))
