"""Station 3: generators propose edits out of evidence; we splice and validate them.

One file a generator, one line in the table. An eval proposes nothing: generators are imported
where one is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from promptyard.protocols import Generator
from promptyard.records.base import Json, Record


class GeneratorOptions(Record):
    """What a task says to its generators; `meta_prompts` are a user's own templates by name."""

    max_demos: int | None = None
    meta_prompts: Mapping[str, str] = {}
    extra: Mapping[str, Json] = {}


GeneratorFactory = Callable[[GeneratorOptions], Generator]


def _reflect(options: GeneratorOptions) -> Generator:
    from promptyard.candidates.meta_prompt import MetaPrompts
    from promptyard.candidates.reflect import Reflect

    return Reflect(MetaPrompts(options.meta_prompts))


def _local_edit(options: GeneratorOptions) -> Generator:
    from promptyard.candidates.local_edit import LocalEdit
    from promptyard.candidates.meta_prompt import MetaPrompts

    return LocalEdit(MetaPrompts(options.meta_prompts))


def _trajectory(options: GeneratorOptions) -> Generator:
    from promptyard.candidates.meta_prompt import MetaPrompts
    from promptyard.candidates.trajectory import Trajectory

    return Trajectory(MetaPrompts(options.meta_prompts))


def _induce(options: GeneratorOptions) -> Generator:
    from promptyard.candidates.induce import Induce
    from promptyard.candidates.meta_prompt import MetaPrompts

    return Induce(MetaPrompts(options.meta_prompts))


def _demos(options: GeneratorOptions) -> Generator:
    from promptyard.candidates.demos import Demos

    return Demos(options.max_demos)


def _traces(options: GeneratorOptions) -> Generator:
    from promptyard.candidates.meta_prompt import MetaPrompts
    from promptyard.candidates.traces import Traces

    return Traces(MetaPrompts(options.meta_prompts), options.max_demos)


def _compress(options: GeneratorOptions) -> Generator:
    from promptyard.candidates.compress import Compress
    from promptyard.candidates.meta_prompt import MetaPrompts

    return Compress(MetaPrompts(options.meta_prompts))


def _reflective(options: GeneratorOptions) -> Generator:
    from promptyard.candidates.meta_prompt import MetaPrompts
    from promptyard.candidates.reflective import Reflective

    return Reflective(MetaPrompts(options.meta_prompts))


def _critique(options: GeneratorOptions) -> Generator:
    from promptyard.candidates.critique import Critique
    from promptyard.candidates.meta_prompt import MetaPrompts

    return Critique(MetaPrompts(options.meta_prompts))


def _merge(options: GeneratorOptions) -> Generator:
    del options
    from promptyard.candidates.merge import Merge

    return Merge()


GENERATORS: Mapping[str, GeneratorFactory] = {
    "reflect": _reflect,
    "local_edit": _local_edit,
    "trajectory": _trajectory,
    "induce": _induce,
    "demos": _demos,
    "traces": _traces,
    "compress": _compress,
    "reflective": _reflective,
    "critique": _critique,
    "merge": _merge,
}
