"""What parts two versions of an eval set."""

from __future__ import annotations

from collections.abc import Mapping

from promptyard.records.base import Record
from promptyard.records.cases import SplitName


class ChangedCase(Record):
    """A case that both versions have and that differs in these keys."""

    case_id: str
    keys: tuple[str, ...]


class MovedCase(Record):
    """A case that is in another split."""

    case_id: str
    old: SplitName | None
    new: SplitName | None


class EvalSetDiff(Record):
    """What was done to `old` so that it became `new`; ids in the order of the files.

    `retired` gives the reason of each case that was taken out, `removed` are those that are gone
    without one. A case can be both changed and moved. `n_same` cases are alike in everything.
    """

    old: str
    new: str
    added: tuple[str, ...] = ()
    retired: Mapping[str, str]
    removed: tuple[str, ...] = ()
    changed: tuple[ChangedCase, ...] = ()
    moved: tuple[MovedCase, ...] = ()
    n_same: int = 0

    @property
    def sentence(self) -> str:
        """All of it in a few words, fit for the log of versions."""
        counts = {
            "added": len(self.added),
            "retired": len(self.retired),
            "removed": len(self.removed),
            "changed": len(self.changed),
            "moved to another split": len(self.moved),
        }
        return ", ".join(f"{n} {what}" for what, n in counts.items() if n) or "nothing changed"
