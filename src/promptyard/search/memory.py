"""What a search remembers of buckets and sentences across its rounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from promptyard.records.evidence import Attempt, Bucket, Evidence, TrainTrial
from promptyard.records.origins import Origin
from promptyard.search.credit import SectionCredit
from promptyard.search.working_line import WorkingLine


@dataclass
class Memory:
    """What the search remembers of buckets and sentences across rounds."""

    vain: Counter[str] = field(default_factory=Counter[str])
    attempted: set[str] = field(default_factory=set[str])
    moved: set[str] = field(default_factory=set[str])
    strikes: Counter[str] = field(default_factory=Counter[str])
    attempts: list[Attempt] = field(default_factory=list[Attempt])
    questions: Counter[str] = field(default_factory=Counter[str])
    tried: dict[str, tuple[Origin, ...]] = field(default_factory=dict[str, tuple[Origin, ...]])
    freed: set[str] = field(default_factory=set[str])
    credit: SectionCredit = field(default_factory=SectionCredit)
    patched: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])

    def strike(self, origins: Iterable[Origin], n: int = 1) -> None:
        """Count a failure of sentences; two ban them."""
        for origin in origins:
            self.strikes[origin.atom.key] += n

    def renew(self, buckets: Iterable[str]) -> None:
        """Wake resting buckets: a fresh case fails in the same way again."""
        for name in buckets:
            self.vain[name] = min(self.vain[name], 1)

    def is_outdated(self, bucket: str, row: TrainTrial, line: WorkingLine) -> bool:
        """Whether a row is of a program that had no sentence for a bucket, and the line has one.

        Whether the case still fails in this way is not known: it is no evidence for another one.
        """
        had = self.patched.get(row.trial.program_id)
        return had is not None and bucket not in had and bucket in line.patched

    def telling(self, evidence: Evidence, line: WorkingLine) -> Evidence:
        """Return a line's evidence without what is outdated; buckets of nothing else are gone."""
        told: list[Bucket] = []
        for bucket in evidence.buckets:
            ids = [
                case_id
                for case_id in bucket.case_ids
                if not self.is_outdated(bucket.name, line.rows[case_id], line)
            ]
            if ids:
                told.append(bucket.model_copy(update={"case_ids": tuple(ids)}))
        return evidence.model_copy(update={"buckets": tuple(told)})

    @property
    def is_hard(self) -> bool:
        """Whether less than half of the buckets attempted so far moved."""
        return len(self.moved) < len(self.attempted) / 2
