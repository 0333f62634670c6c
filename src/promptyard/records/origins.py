"""Where the sentences of a prompt come from: what blame shows and lineage keeps."""

from __future__ import annotations

from collections.abc import Iterable

from promptyard.records.atoms import Atom
from promptyard.records.base import Record
from promptyard.records.prompts import Program


class Effect(Record):
    """What was measured of a change: failures of its bucket before and after on `n_cases`.

    `fixed` and `broke` are the ids of train cases that changed.
    """

    n_cases: int
    n_failing_before: int
    n_failing_after: int
    fixed: tuple[str, ...] = ()
    broke: tuple[str, ...] = ()


class Origin(Record):
    """Who put a sentence into a prompt and why: the buckets, the cases shown, the run, the effect.

    `atom` is the change; `effect` is None where nothing was measured of it alone.
    """

    atom: Atom
    buckets: tuple[str, ...]
    case_ids: tuple[str, ...] = ()
    generator: str
    hypothesis: str = ""
    run_id: str = ""
    effect: Effect | None = None

    def answering(self, buckets: Iterable[str]) -> Origin:
        """Return it with more buckets that its sentence answers."""
        both = dict.fromkeys((*self.buckets, *buckets))
        return self.model_copy(update={"buckets": tuple(both)})


class ServedPoint(Record):
    """A prompt that beat the baseline on unseen cases, when the search had made so many calls.

    `calls_so_far` counts task calls, the baseline's included; `difference` is the mean lead over
    the baseline on `n_cases` unseen train cases.
    """

    calls_so_far: int
    program: Program
    n_cases: int
    difference: float
