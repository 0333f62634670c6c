"""Leaving out at the end what the search added and nothing needs: few edits, and local ones.

Sentences pile up: one reply brings several, and once a prompt is good, failures that luck alone
would cure get sentences, too. What the line cures is known case by case; delta debugging leaves
out as many sentences as can be spared. That is done only
where few kinds of failure show all that a sentence is for; in a line with many buckets each
sentence has cases of its own, and too few of them are known. Source: anchors on search, section 5,
for what pruning costs there.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from promptyard.protocols import SearchContext
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.events import Eliminated
from promptyard.records.evidence import TrainTrial
from promptyard.records.origins import Origin
from promptyard.records.sentences import folded
from promptyard.search.checks import Ruling
from promptyard.search.learn import cover, made_by
from promptyard.search.settings import AutoSettings
from promptyard.search.working_line import WorkingLine, mean, score_differences
from promptyard.stats.quick_look import paired_z

MIN_ORIGINS = 3
MIN_CASES = 3
CASES_PER_BUCKET = 6
MAX_BUCKETS = 4
"""With more kinds of failure each has too few cases to show what a sentence protects."""

MAX_CASES = 18
MAX_CALLS = 100
"""What the tests may cost; with many buckets that is soon spent, and little is left out."""

SPARED = 4
"""Of so many cured cases of a bucket one may be lost: luck is drawn anew with every prompt."""


@dataclass(frozen=True)
class _Cures:
    """Cases that the baseline fails and the line passes, and the buckets that they failed in."""

    rows: tuple[TrainTrial, ...]
    buckets: Mapping[str, frozenset[str]]

    @property
    def names(self) -> frozenset[str]:
        """All these buckets."""
        return frozenset[str]().union(*self.buckets.values())


@dataclass(frozen=True)
class Leaned:
    """A line with fewer sentences, its ruling, and the rows that it rests on."""

    line: WorkingLine
    ruling: Ruling
    rows: Sequence[TrainTrial]


async def leaned(
    context: SearchContext, settings: AutoSettings, line: WorkingLine, unseen: Sequence[Case]
) -> Leaned | None:
    """Return the line without what nothing needs, None where there is nothing or it got worse.

    It is checked on `unseen` cases; where there are none, on those that the line has learnt from.
    """
    leaner = await Leaner(context, settings).lean(line)
    if leaner is None:
        return None
    cases = unseen or [row.case for row in line.rows.values() if row.case.id not in line.demo_ids]
    cases = cases[: settings.max_check_cases]
    ruling, rows = await no_worse(context, settings, line, leaner, cases)
    if not ruling.taken:
        await context.emit(Eliminated(candidate_id=leaner.candidate.id, reason=ruling.reason))
        return None
    return Leaned(leaner.with_rows(rows), ruling, rows)


class Leaner:
    """Takes sentences out again. Costs at most `MAX_CALLS` and `MAX_CASES` task calls."""

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
        cures = await self._cures(line)
        if len(cures.rows) < MIN_CASES or len(cures.names) > MAX_BUCKETS:
            return None
        line = await self._undemonstrated(line, line.origins, cures)
        kept = await self._needed(line, cures)
        line = await self._undemonstrated(line, kept, cures)
        made = await self._compose(line, kept)
        if made is None or made.id == whole.id:
            return None
        return replace(line, candidate=made, origins=kept)

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

    async def _undemonstrated(
        self, line: WorkingLine, origins: Sequence[Origin], cures: _Cures
    ) -> WorkingLine:
        """Leave all demonstrations out, if these sentences cure as much alone."""
        plain = replace(line, demos=())
        cures_alone = bool(line.demos) and await self._cures_as_much(plain, origins, cures)
        return plain if cures_alone else line

    async def _needed(self, line: WorkingLine, cures: _Cures) -> tuple[Origin, ...]:
        """Leave sentences out, halves first and later ones before earlier ones."""
        kept, n_parts = line.origins, 2
        n_tests = MAX_CALLS // len(cures.rows)
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


def merged(origins: Sequence[Origin]) -> tuple[Origin, ...]:
    """Join the sentences that rewrite or delete what others put in with these others.

    Left out alone, the first of two would leave the second without its place.
    """
    found: list[Origin] = []
    for origin in origins:
        atom = origin.atom
        first = next(
            (
                item
                for item in found
                if atom.kind in ("replace", "delete")
                and item.atom.text
                and folded(item.atom.text) == folded(atom.anchor)
            ),
            None,
        )
        if first is None:
            found.append(origin)
            continue
        at = found.index(first)
        if atom.kind == "delete" and first.atom.kind != "replace":
            del found[at]
            continue
        kind = "delete" if atom.kind == "delete" else first.atom.kind
        joined = first.atom.model_copy(update={"kind": kind, "text": atom.text})
        buckets = tuple(dict.fromkeys((*first.buckets, *origin.buckets)))
        found[at] = origin.model_copy(update={"atom": joined, "buckets": buckets})
    return tuple(found)


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
