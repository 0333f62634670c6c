"""Leaving out at the end what the search added and nothing needs: few edits, and local ones.

Sentences pile up: one reply brings several, and once a prompt is good, failures that luck alone
would cure get sentences, too. What the line cures is known case by case; the shortest beginning of
its sentences that cures as much is looked for by halving, then what can be left out in front of
it. Where the last quarter is needed already, nothing is gained and the search for it ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from promptyard.protocols import SearchContext
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.evidence import TrainTrial
from promptyard.records.origins import Origin
from promptyard.search.checks import Ruling
from promptyard.search.learn import cover, made_by
from promptyard.search.settings import AutoSettings
from promptyard.search.working_line import WorkingLine, mean, score_differences
from promptyard.stats.quick_look import paired_z

MIN_ORIGINS = 3
MIN_CASES = 3
CASES_PER_BUCKET = 6
MAX_CASES = 18
SPARED = 4
"""Of so many cured cases of a bucket one may be lost: luck is drawn anew with every prompt."""


@dataclass(frozen=True)
class _Cures:
    """Cases that the baseline fails and the line passes, and the buckets that they failed in."""

    rows: tuple[TrainTrial, ...]
    buckets: Mapping[str, frozenset[str]]


class Leaner:
    """Takes sentences out again. Costs at most `MAX_CASES` calls for the line and for each test."""

    def __init__(self, context: SearchContext, settings: AutoSettings) -> None:
        self._context = context
        self._settings = settings

    async def lean(self, line: WorkingLine) -> WorkingLine | None:
        """Return the line with fewer sentences that cures as much, None where there is none.

        It is not checked on other cases: that is left to whoever takes it.
        """
        whole = line.candidate
        if len(line.origins) < MIN_ORIGINS and not line.demos:
            return None
        cures = await self._cures(line)
        if len(cures.rows) < MIN_CASES:
            return None
        kept = list(line.origins)
        plain = replace(line, demos=())
        if line.demos and await self._cures_as_much(plain, kept, cures):
            line = plain
        for from_end in (True, False):
            kept = await self._shortest(line, kept, cures, from_end=from_end)
        made = await self._compose(line, kept)
        if made is None or made.id == whole.id:
            return None
        return replace(line, candidate=made, origins=tuple(kept))

    async def _cures(self, line: WorkingLine) -> _Cures:
        context = self._context
        known = context.scores(context.baseline)
        cases = [c for c in context.train if c.id in known and c.id not in line.demo_ids]
        before = await context.run(context.baseline, cases, purpose="lean")
        found = context.evidence(before, context.baseline)
        failing = [row for row in before if not row.trial.passed]
        chosen = cover(failing, found.buckets, CASES_PER_BUCKET, MAX_CASES)
        after = await context.run(
            line.candidate, [row.case for row in chosen], purpose="lean", priority=0.5
        )
        left = context.evidence(after, line.candidate)
        fails = {(item.name, case_id) for item in left.buckets for case_id in item.case_ids}
        answered = {row.case.id for row in after}
        cured: dict[str, frozenset[str]] = {}
        for bucket in found.buckets:
            for case_id in answered.intersection(bucket.case_ids):
                if (bucket.name, case_id) not in fails:
                    cured[case_id] = cured.get(case_id, frozenset()) | {bucket.name}
        return _Cures(tuple(row for row in after if row.case.id in cured), cured)

    async def _shortest(
        self, line: WorkingLine, origins: list[Origin], cures: _Cures, *, from_end: bool
    ) -> list[Origin]:
        """Leave out as many sentences as possible at one end, by halving."""
        needed, whole = 1, len(origins)
        while needed < whole:
            n = (needed + whole) // 2
            part = origins[:n] if from_end else origins[len(origins) - n :]
            if await self._cures_as_much(line, part, cures):
                whole = n
            else:
                needed = n + 1
                if 4 * n >= 3 * len(origins):
                    break
        return origins[:whole] if from_end else origins[len(origins) - whole :]

    async def _cures_as_much(
        self, line: WorkingLine, origins: Sequence[Origin], cures: _Cures
    ) -> bool:
        """Say whether fewer sentences cure what the line cures, bucket by bucket."""
        made = await self._compose(line, origins)
        if made is None:
            return False
        rows = await self._context.run(
            made, [row.case for row in cures.rows], purpose="lean", priority=0.5
        )
        found = self._context.evidence(rows, made)
        fails = {(item.name, case_id) for item in found.buckets for case_id in item.case_ids}
        n_cured = Counter(name for names in cures.buckets.values() for name in names)
        n_lost = Counter(
            name
            for case_id, names in cures.buckets.items()
            for name in names
            if (name, case_id) in fails
        )
        return all(n_lost[name] <= n // SPARED for name, n in n_cured.items())

    async def _compose(self, line: WorkingLine, origins: Sequence[Origin]) -> Candidate | None:
        return await self._context.compose(
            [origin.atom for origin in origins],
            line.demos,
            generator=made_by(origins, line.demos),
            buckets=tuple(dict.fromkeys(name for item in origins for name in item.buckets)),
        )


async def no_worse(
    context: SearchContext,
    settings: AutoSettings,
    line: WorkingLine,
    leaner: WorkingLine,
    cases: Sequence[Case],
) -> tuple[Ruling, Sequence[TrainTrial]]:
    """Check that a line with fewer sentences is no worse; return the ruling and its rows."""
    rows = await context.run(leaner.candidate, cases, purpose="lean", priority=0.5)
    before = await context.run(line.candidate, cases, purpose="lean", priority=0.5)
    differences = score_differences(rows, before)
    z, lead = paired_z(differences) or 0.0, mean(differences) or 0.0
    n_gone = len(line.origins) - len(leaner.origins)
    said = f"{n_gone} of {len(line.origins)} sentences left out"
    # The line was chosen by these rows, luck included: only what is plainly worse is refused.
    if lead < 0 and z <= -settings.serve_paired_z:
        return Ruling(False, f"{said}: worse, z = {z:+.1f}", len(differences), lead), rows
    return Ruling(True, f"{said}: no worse, z = {z:+.1f}", len(differences), lead), rows
