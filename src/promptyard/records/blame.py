"""What is known of each line of a prompt: who put it there, why, and with what effect."""

from __future__ import annotations

from typing import Literal, TypeAlias

from promptyard.records.base import Record
from promptyard.records.origins import Effect

BlameSource: TypeAlias = Literal["seed", "edit", "demo", "version"]


class BlameEntry(Record):
    """Where one sentence or demonstration comes from.

    `source` is `seed` (the first version of the lineage has it), `edit` (a search put it there and
    kept why), `demo`, or `version` (the version that brought it says no more). `version` is the
    number of the oldest version of the lineage that has it; `case_ids` are train cases of the
    buckets that were to be mended, of a demonstration its own. `text` is the sentence as it was
    written, `replaced` the one in whose place it stands, or that was deleted. `effect` is what was
    measured of the change alone, None where nothing was; `decision` and `sentence` are the verdict
    of its run, empty where it has none.
    """

    source: BlameSource
    text: str = ""
    replaced: str = ""
    version: int
    author: str
    run_id: str = ""
    generator: str = ""
    hypothesis: str = ""
    buckets: tuple[str, ...] = ()
    case_ids: tuple[str, ...] = ()
    effect: Effect | None = None
    demo_source: str = ""
    decision: str = ""
    sentence: str = ""


class BlameLine(Record):
    """One line of a prompt file, counted from 1; blank lines have no entry."""

    step: str
    number: int
    text: str
    entries: tuple[BlameEntry, ...] = ()


class Blame(Record):
    """All lines of a version; `removed` are sentences that a search took out."""

    name: str
    number: int
    digest: str
    lines: tuple[BlameLine, ...]
    removed: tuple[BlameEntry, ...] = ()
