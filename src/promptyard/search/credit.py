"""Credit of sections: where edits for a kind of failure have moved it, and where they have not.

Rules only guess where a failure is mended; what was measured knows better. What the user named
stays. Source: anchors on algorithms, part B (targets).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from promptyard.records.evidence import Bucket
from promptyard.records.origins import Origin

Place: TypeAlias = tuple[str, str]
"""A step, and a section or marked span of its prompt."""

MIN_VAIN = 2
"""So many rounds in vain speak against a section; one may be the wording's fault."""


@dataclass
class SectionCredit:
    """Rounds in which edits of a section were measured on a kind of failure, and those it moved."""

    tried: Counter[tuple[str, Place]] = field(default_factory=Counter[tuple[str, Place]])
    moved: Counter[tuple[str, Place]] = field(default_factory=Counter[tuple[str, Place]])

    def note(self, origins: Iterable[Origin]) -> None:
        """Count one round: a section moved a kind of failure if one of its sentences did."""
        # Not sets: their order changes from process to process, and ties go by order.
        tried: dict[tuple[str, Place], None] = {}
        moved: dict[tuple[str, Place], None] = {}
        for origin in origins:
            if origin.effect is None or not origin.effect.n_failing_before:
                continue
            place = (origin.atom.step, origin.atom.region)
            keys = dict.fromkeys((kind_of(name), place) for name in origin.buckets)
            tried |= keys
            if origin.effect.n_failing_after < origin.effect.n_failing_before:
                moved |= keys
        self.tried.update(tried.keys())
        self.moved.update(moved.keys())

    def directed(self, bucket: Bucket) -> Bucket:
        """Return a bucket with the target that its record speaks for.

        A section that has moved this kind of failure more often than the target goes before it;
        a target that was tried in vain twice, with none better, leaves the choice to the model.
        """
        if bucket.pinned or bucket.by_demos:
            return bucket
        kind, target = kind_of(bucket.name), bucket.target
        records = [place for name, place in self.moved if name == kind]
        # The target first: of equal records it is the better guess.
        order = sorted(records, key=lambda place: place != target)
        best = max(order, key=lambda place: self._rate(kind, place), default=None)
        if best is not None and (
            target is None or self._rate(kind, best) > self._rate(kind, target)
        ):
            return bucket.model_copy(update={"target": best})
        if target is not None and self._is_vain(kind, target):
            return bucket.model_copy(update={"target": None})
        return bucket

    def _rate(self, kind: str, place: Place) -> float:
        """The share of rounds that moved it, as if one had and one had not before."""
        return (self.moved[kind, place] + 1) / (self.tried[kind, place] + 2)

    def _is_vain(self, kind: str, place: Place) -> bool:
        return self.tried[kind, place] >= MIN_VAIN and not self.moved[kind, place]


def kind_of(bucket_name: str) -> str:
    """Return what buckets have in common whose failures are mended alike: tag and field."""
    return bucket_name.partition("=")[0].partition(" (")[0]
