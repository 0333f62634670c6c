"""Station 3: generators propose edits out of evidence; we splice and validate them.

One file a generator, one line in the table. An eval proposes nothing: generators are imported
where one is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from promptyard.protocols import Generator
from promptyard.records.base import Json, Record


class GeneratorOptions(Record):
    """What a task says to its generators."""

    max_demos: int | None = None
    extra: Mapping[str, Json] = {}


GeneratorFactory = Callable[[GeneratorOptions], Generator]


def _reflect(options: GeneratorOptions) -> Generator:
    del options
    from promptyard.candidates.reflect import Reflect

    return Reflect()


def _local_edit(options: GeneratorOptions) -> Generator:
    del options
    from promptyard.candidates.local_edit import LocalEdit

    return LocalEdit()


def _demos(options: GeneratorOptions) -> Generator:
    from promptyard.candidates.demos import Demos

    return Demos(options.max_demos)


GENERATORS: Mapping[str, GeneratorFactory] = {
    "reflect": _reflect,
    "local_edit": _local_edit,
    "demos": _demos,
}
