"""Station 3: generators propose edits out of evidence; we splice and validate them.

One file a generator, one line in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from promptyard.candidates.demos import Demos
from promptyard.candidates.local_edit import LocalEdit
from promptyard.candidates.reflect import Reflect
from promptyard.protocols import Generator
from promptyard.records.base import Json, Record


class GeneratorOptions(Record):
    """What a task says to its generators."""

    max_demos: int | None = None
    extra: Mapping[str, Json] = {}


GeneratorFactory = Callable[[GeneratorOptions], Generator]

GENERATORS: Mapping[str, GeneratorFactory] = {
    "reflect": lambda options: Reflect(),
    "local_edit": lambda options: LocalEdit(),
    "demos": lambda options: Demos(options.max_demos),
}
