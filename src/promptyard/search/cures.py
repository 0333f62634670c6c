"""What a line cures, case by case, and whether a line with fewer sentences cures as much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from promptyard.protocols import SearchContext
from promptyard.records.edits import Candidate
from promptyard.records.evidence import TrainTrial
from promptyard.search.attribution import cover
from promptyard.search.working_line import WorkingLine

CASES_PER_BUCKET = 6
MAX_CASES = 18
SPARED = 4
"""Of so many cured cases of a bucket one may be lost: luck is drawn anew with every prompt."""

NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Cures:
    """Cases that the baseline fails and the line cures.

    `buckets` are the kinds of failure, by case, that are cured, `failed` all that they had.
    """

    rows: tuple[TrainTrial, ...]
    buckets: Mapping[str, frozenset[str]]
    failed: Mapping[str, frozenset[str]]

    @property
    def names(self) -> frozenset[str]:
        """All these buckets."""
        return frozenset[str]().union(*self.buckets.values())

    @property
    def counts(self) -> Counter[str]:
        """How many cases are cured of each bucket."""
        return Counter(name for names in self.buckets.values() for name in names)

    def of(self, names: Iterable[str]) -> Cures:
        """Return the cures of some buckets."""
        wanted = frozenset(names)
        left = {case_id: found & wanted for case_id, found in self.buckets.items()}
        left = {case_id: found for case_id, found in left.items() if found}
        return Cures(tuple(row for row in self.rows if row.case.id in left), left, self.failed)

    @property
    def common(self) -> Cures:
        """The cures of buckets with `SPARED` of them or more, all where there are none of these."""
        common = [name for name, n in self.counts.items() if n >= SPARED]
        return self.of(common) if common else self

    def hold(self, fails: Mapping[str, frozenset[str]]) -> bool:
        """Say whether a prompt that fails these buckets by case cures as much, bucket by bucket."""
        lost = Counter(
            name
            for case_id, names in self.buckets.items()
            for name in names & fails.get(case_id, NONE)
        )
        return all(lost[name] <= n // SPARED for name, n in self.counts.items())


async def cures_of(context: SearchContext, line: WorkingLine) -> Cures:
    """Return what a line cures of what the baseline is known to fail.

    Costs a task call for each of these cases, `MAX_CASES` at most.
    """
    known = context.scores(context.baseline)
    cases = [c for c in context.train if c.id in known and c.id not in line.demo_ids]
    before = await context.run(context.baseline, cases, purpose="lean")
    found = context.evidence(before, context.baseline)
    failing = [row for row in before if not row.trial.passed]
    chosen = cover(failing, found.buckets, CASES_PER_BUCKET, MAX_CASES)
    after = await context.run(
        line.candidate, [row.case for row in chosen], purpose="lean", priority=0.5
    )
    failed = fails_of(context, before, context.baseline)
    fails = fails_of(context, after, line.candidate)
    cured = {
        row.case.id: names
        for row in after
        if (names := failed[row.case.id] - fails.get(row.case.id, NONE))
    }
    rows = tuple(row for row in after if row.case.id in cured)
    return Cures(rows, cured, {case_id: failed[case_id] for case_id in cured})


def fails_of(
    context: SearchContext, rows: Sequence[TrainTrial], candidate: Candidate
) -> Mapping[str, frozenset[str]]:
    """Return the buckets that each failing case of some rows is in, by case."""
    found: dict[str, frozenset[str]] = {}
    for bucket in context.evidence(rows, candidate).buckets:
        for case_id in bucket.case_ids:
            found[case_id] = found.get(case_id, NONE) | {bucket.name}
    return found
