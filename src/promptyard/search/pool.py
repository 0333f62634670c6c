"""The candidates that a search has kept: who came of whom, and what put their sentences there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from promptyard.records.atoms import atoms_of
from promptyard.records.edits import Candidate
from promptyard.records.origins import Origin
from promptyard.records.sentences import folded, sentences


class Pool:
    """Candidates by id, in the order in which they came in, with their parents."""

    def __init__(self, seed: Candidate) -> None:
        self._members: dict[str, Candidate] = {seed.id: seed}
        self._parents: dict[str, tuple[str, ...]] = {seed.id: ()}
        self._origins: dict[str, tuple[Origin, ...]] = {seed.id: ()}

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self._members.values())

    def __contains__(self, candidate_id: str) -> bool:
        return candidate_id in self._members

    def __getitem__(self, candidate_id: str) -> Candidate:
        return self._members[candidate_id]

    def add(self, candidate: Candidate) -> None:
        """Add a candidate whose parents are in the pool; one that is there already stays."""
        if candidate.id in self._members:
            return
        parents = tuple(name for name in candidate.parents if name in self._members)
        self._members[candidate.id] = candidate
        self._parents[candidate.id] = parents
        self._origins[candidate.id] = self._made_of(candidate, parents)

    def ancestors(self, candidate_id: str) -> frozenset[str]:
        """Return everyone that a candidate comes of, itself not included."""
        found: set[str] = set()
        waiting = list(self._parents.get(candidate_id, ()))
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self._parents[name]
        return frozenset(found)

    def origins(self, candidate: Candidate) -> tuple[Origin, ...]:
        """Return what put each sentence of a candidate there that the seed does not have."""
        return self._origins.get(candidate.id, ())

    def _made_of(self, candidate: Candidate, parents: Sequence[str]) -> tuple[Origin, ...]:
        """What the parents' sentences come from, as far as these still stand, and the own ones."""
        standing = {
            folded(sentence)
            for step in candidate.program.steps
            for sentence in sentences(step.prompt.text)
        }
        found: dict[str, Origin] = {}
        for name in parents:
            for origin in self._origins[name]:
                atom = origin.atom
                if (folded(atom.text or atom.anchor) in standing) == bool(atom.text):
                    found.setdefault(origin.atom.key, origin)
        if parents:
            for atom in atoms_of(self._members[parents[0]].program, candidate.edits):
                origin = Origin(
                    atom=atom,
                    buckets=candidate.evidence or (candidate.generator,),
                    generator=candidate.generator,
                    hypothesis=candidate.hypothesis,
                )
                found.setdefault(atom.key, origin)
        return tuple(found.values())
