"""Leaving out at the end what the search added and nothing needs: few edits, and local ones.

Sentences pile up: one reply brings several, and once a prompt is good, failures that luck alone
would cure get sentences, too. What the line cures is known case by case: delta debugging leaves out
what common failures can spare, what rare ones need is put back, and other cases decide. That is
done only where few kinds of failure show all that a sentence is for; in a line with many buckets
each sentence has cases of its own, and too few of them are known. Source: anchors on search,
section 5, for what pruning costs there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptyard.protocols import SearchContext
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.events import Eliminated
from promptyard.records.evidence import TrainTrial
from promptyard.records.origins import Origin
from promptyard.search.attribution import made_by
from promptyard.search.checks import Ruling
from promptyard.search.cures import Cures, cures_of, fails_of
from promptyard.search.joins import MAX_JOINS, in_place, merged
from promptyard.search.restore import Restorer
from promptyard.search.settings import AutoSettings
from promptyard.search.working_line import WorkingLine, mean, score_differences
from promptyard.stats.quick_look import paired_z

MIN_ORIGINS = 3
MIN_CASES = 3
MAX_BUCKETS = 4
"""With more kinds of failure each has too few cases to show what a sentence protects."""

MAX_CALLS = 100
"""What the tests may cost; with many buckets that is soon spent, and little is left out."""


@dataclass(frozen=True)
class Leaned:
    """A line with fewer sentences, its ruling, and the rows that it rests on."""

    line: WorkingLine
    ruling: Ruling
    rows: Sequence[TrainTrial]


async def leaned(
    context: SearchContext, settings: AutoSettings, line: WorkingLine
) -> Leaned | None:
    """Return the line without what nothing needs, None where there is nothing or it got worse.

    Costs what `Leaner` does and two task calls for each case of the check.
    """
    leaner = await Leaner(context, settings).lean(line)
    if leaner is None:
        return None
    shown = {case_id for origin in line.origins for case_id in origin.case_ids}
    usable = [case for case in reversed(context.train) if case.id not in line.demo_ids]
    cases = sorted(usable, key=lambda case: case.id in shown)
    ruling, rows = await no_worse(context, settings, line, leaner, cases)
    if not ruling.taken:
        await context.emit(Eliminated(candidate_id=leaner.candidate.id, reason=ruling.reason))
        return None
    return Leaned(leaner.with_rows(rows), ruling, rows)


class Leaner:
    """Takes sentences out again.

    Costs at most `MAX_CALLS` task calls, one for each case that the line cures, a few for joins,
    and what `Restorer` costs.
    """

    def __init__(self, context: SearchContext, settings: AutoSettings) -> None:
        self._context = context
        self._settings = settings

    async def lean(self, line: WorkingLine) -> WorkingLine | None:
        """Return the line with fewer sentences that cures as much, None where there is none.

        It is not checked on other cases: that is left to whoever takes it.
        """
        whole = line.candidate
        line = replace(line, origins=merged(line.origins))
        if len(line.origins) < MIN_ORIGINS and not line.demos:
            return None
        cures = await cures_of(self._context, line)
        if len(cures.rows) < MIN_CASES or len(cures.names) > MAX_BUCKETS:
            return None
        line = await self._undemonstrated(line, line.origins, cures.common)
        kept = await self._needed(line, cures.common)
        line = await self._undemonstrated(line, kept, cures.common)
        kept = await Restorer(self._context, line, cures).restored(kept)
        kept = await self._in_place(line, kept, cures.common)
        made = await self._compose(line, kept)
        if made is None or made.id == whole.id:
            return None
        return replace(line, candidate=made, origins=kept)

    @property
    def _calls(self) -> int:
        """What the tests may cost: what the check at the end needs is left."""
        left = self._context.task_calls_left
        check = 2 * self._settings.max_check_cases
        return MAX_CALLS if left is None else max(0, min(MAX_CALLS, left - check))

    async def _undemonstrated(
        self, line: WorkingLine, origins: Sequence[Origin], cures: Cures
    ) -> WorkingLine:
        """Leave all demonstrations out, if these sentences cure as much alone."""
        plain = replace(line, demos=())
        cures_alone = bool(line.demos) and await self._cures_as_much(plain, origins, cures)
        return plain if cures_alone else line

    async def _needed(self, line: WorkingLine, cures: Cures) -> tuple[Origin, ...]:
        """Leave sentences out, halves first and later ones before earlier ones."""
        kept, n_parts = line.origins, 2
        n_tests = self._calls // len(cures.rows)
        while len(kept) > 1:
            size = math.ceil(len(kept) / n_parts)
            for start in reversed(range(0, len(kept), size)):
                n_tests -= 1
                if n_tests < 0:
                    return kept
                rest = (*kept[:start], *kept[start + size :])
                if rest and await self._cures_as_much(line, rest, cures):
                    kept, n_parts = rest, max(2, n_parts - 1)
                    break
            else:
                if size == 1:
                    return kept
                n_parts *= 2
        return kept

    async def _in_place(
        self, line: WorkingLine, origins: tuple[Origin, ...], cures: Cures
    ) -> tuple[Origin, ...]:
        """Put what answers the same failure as a deletion where the deleted text stood."""
        program = self._context.baseline.program
        texts = [step.prompt.text for step in program.steps]
        for _ in range(MAX_JOINS):
            for joined in in_place(origins, texts):
                if await self._cures_as_much(line, joined, cures):
                    origins = joined
                    break
            else:
                break
        return origins

    async def _cures_as_much(
        self, line: WorkingLine, origins: Sequence[Origin], cures: Cures
    ) -> bool:
        """Say whether fewer sentences cure what the line cures, bucket by bucket."""
        made = await self._compose(line, origins)
        if made is None:
            return False
        rows = await self._context.run(
            made, [row.case for row in cures.rows], purpose="lean", priority=0.5
        )
        return cures.hold(fails_of(self._context, rows, made))

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
    """Check that a line with fewer sentences is no worse; return the ruling and its rows.

    Looks at `max_check_cases` of the cases; while it is behind on them, at as many more, up to
    `max_long_check`. Luck is drawn anew with every prompt: only what is plainly worse is refused.
    """
    other = await near(context, line, leaner)
    n_gone = len(line.origins) - len(leaner.origins)
    said = f"{n_gone} of {len(line.origins)} sentences left out"
    left = context.task_calls_left
    paid = len(cases) if left is None else left // 2
    size, limit = settings.max_check_cases, min(settings.max_long_check, len(cases), paid)
    if limit < settings.min_check_cases:
        return Ruling(False, f"{said}: no calls left to check them", 0, None), ()
    n_looked = 0
    while True:
        n_looked = min(n_looked + size, limit)
        looked = cases[:n_looked]
        rows = await context.run(leaner.candidate, looked, purpose="lean", priority=0.5)
        before = await context.run(other, looked, purpose="lean", priority=0.5)
        differences = score_differences(rows, before)
        z, lead = paired_z(differences) or 0.0, mean(differences) or 0.0
        is_worse = lead < 0 and z <= -settings.accept_z
        if n_looked == limit and is_worse:
            return Ruling(False, f"{said}: worse, z = {z:+.1f}", len(differences), lead), rows
        if n_looked == limit or lead >= 0 or z > -settings.paired_accept_z:
            return Ruling(True, f"{said}: no worse, z = {z:+.1f}", len(differences), lead), rows


async def near(context: SearchContext, line: WorkingLine, leaner: WorkingLine) -> Candidate:
    """Return the line less the last sentence that the leaner one lacks, the line if it lacks one.

    The line was chosen by the rows it has, luck included. With a sentence less luck is drawn anew.
    """
    kept = {origin.atom.key for origin in leaner.origins}
    gone = [origin for origin in line.origins if origin.atom.key not in kept]
    rest = [origin for origin in line.origins if origin not in gone[-1:]]
    if len(gone) < 2:
        return line.candidate
    made = await context.compose(
        [origin.atom for origin in rest], line.demos, generator=made_by(rest, line.demos)
    )
    return made or line.candidate
