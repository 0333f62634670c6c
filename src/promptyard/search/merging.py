"""Which two candidates are merged, and on which cases the merge is measured first.

Source: the merge of GEPA (arXiv 2507.19457) and its preconditions.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptyard.records.edits import Candidate
from promptyard.records.merging import merge_edits
from promptyard.search.pool import Pool


@dataclass(frozen=True)
class Pair:
    """Two candidates with a common ancestor; `base` is the better one. `case_ids` measure."""

    base: Candidate
    other: Candidate
    ancestor: Candidate
    case_ids: tuple[str, ...]


class Merger:
    """Finds pairs that can be merged; none twice."""

    def __init__(self, pool: Pool, n_cases: int) -> None:
        self._pool = pool
        self._n_cases = n_cases
        self._tried: set[frozenset[str]] = set()

    def pair(
        self,
        front: Sequence[str],
        strength: Mapping[str, float],
        scores: Mapping[str, Mapping[str, float]],
        rng: random.Random,
    ) -> Pair | None:
        """Return a pair of the front that was not tried before; None where there is none.

        Neither is an ancestor of the other, a common ancestor is no stronger than both, one has
        changed a part that the other has not, and there are enough cases that both have scores
        on.
        """
        pairs = list(itertools.combinations(front, 2))
        rng.shuffle(pairs)
        for names in pairs:
            if frozenset(names) in self._tried:
                continue
            other, base = sorted(names, key=lambda name: strength[name])
            ancestor = self._ancestor(base, other, strength)
            shared = [name for name in scores[base] if name in scores[other]]
            if ancestor is None or len(shared) < self._n_cases:
                continue
            self._tried.add(frozenset(names))
            chosen = stratified(shared, scores[base], scores[other], self._n_cases, rng)
            return Pair(self._pool[base], self._pool[other], ancestor, chosen)
        return None

    def _ancestor(self, base: str, other: str, strength: Mapping[str, float]) -> Candidate | None:
        """Return the strongest common ancestor from which a merge makes something new."""
        above, beside = self._pool.ancestors(base), self._pool.ancestors(other)
        if base in beside or other in above:
            return None
        weaker = [
            name
            for name in strength
            if name in above & beside and strength[name] <= min(strength[base], strength[other])
        ]
        for name in sorted(weaker, key=lambda name: -strength[name]):
            programs = [self._pool[item].program for item in (name, base, other)]
            if merge_edits(*programs):
                return self._pool[name]
        return None


def stratified(
    shared: Sequence[str],
    one: Mapping[str, float],
    other: Mapping[str, float],
    n: int,
    rng: random.Random,
) -> tuple[str, ...]:
    """Draw `n` cases: a third each where the one wins, where the other wins, and where they tie.

    Where a kind has too few, others fill up.
    """
    wins = [name for name in shared if one[name] > other[name]]
    losses = [name for name in shared if one[name] < other[name]]
    ties = [name for name in shared if one[name] == other[name]]
    n_each = math.ceil(n / 3)
    chosen: list[str] = []
    for kind in (wins, losses, ties):
        chosen += rng.sample(kind, min(len(kind), n_each, n - len(chosen)))
    rest = [name for name in shared if name not in chosen]
    return (*chosen, *rng.sample(rest, min(len(rest), n - len(chosen))))
