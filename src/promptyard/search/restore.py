"""Puts back what cures rare failures: sentences that were left out by what cures common ones.

Failures were selected as failures: some pass with whatever else is said. What seems to cure few
cases of a kind is looked for among what was left out, and put back if these cases fail without it
and pass with it, whichever sentence that answers something else stands beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from promptyard.protocols import SearchContext
from promptyard.records.cases import Case
from promptyard.records.origins import Origin
from promptyard.search.attribution import made_by
from promptyard.search.cures import NONE, Cures, fails_of
from promptyard.search.working_line import WorkingLine

MAX_LOOKS = 5
"""So often a cure is looked at without a sentence, and as often with it: a failure that luck cures
half of the time outlives that in one case of sixty."""


class Restorer:
    """Finds the sentences of a line that cure rare failures.

    For each case that is lost, costs up to 2 `MAX_LOOKS` task calls and two for each halving.
    """

    def __init__(self, context: SearchContext, line: WorkingLine, cures: Cures) -> None:
        """Take the line that `cures` are of, with all its sentences."""
        self._context = context
        self._line = line
        self._cures = cures

    async def restored(self, kept: Sequence[Origin]) -> tuple[Origin, ...]:
        """Return the kept sentences and those that rare failures need, in the line's order."""
        rare = self._cures.names - self._cures.common.names
        for name in sorted(rare):
            cases = [row.case for row in self._cures.of([name]).rows]
            kept = self._ordered([*kept, *await self._needed(name, cases, kept)])
        return tuple(kept)

    async def _needed(
        self, name: str, cases: Sequence[Case], kept: Sequence[Origin]
    ) -> Sequence[Origin]:
        gone = [origin for origin in self._line.origins if origin not in kept]
        others = [origin for origin in gone if name not in origin.buckets][:MAX_LOOKS]
        left = await self._failing(name, cases, kept)
        for other in others:
            left = await self._failing(name, left, [*kept, other])
        if not left:
            return ()
        found = await self._halved(name, left, kept, gone)
        if len(found) != 1:
            return ()  # no one sentence brings the cure: luck did, or all that is said
        n_fails: Counter[str] = Counter()
        looks = [other for other in others if other not in found]
        for other in looks:
            fails = await self._failing(name, left, [*kept, *found, other])
            n_fails.update(case.id for case in fails)
        is_real = any(2 * n_fails[case.id] <= len(looks) for case in left)
        return found if is_real else ()

    async def _halved(
        self, name: str, cases: Sequence[Case], kept: Sequence[Origin], gone: Sequence[Origin]
    ) -> Sequence[Origin]:
        """Return the smallest part of what is gone that cures these cases, by halving."""
        found = gone if await self._cures_most(name, cases, [*kept, *gone]) else ()
        while len(found) > 1:
            middle = len(found) // 2
            for half in (found[:middle], found[middle:]):
                if await self._cures_most(name, cases, [*kept, *half]):
                    found = half
                    break
            else:
                break
        return found

    async def _cures_most(
        self, name: str, cases: Sequence[Case], origins: Sequence[Origin]
    ) -> bool:
        return 2 * len(await self._failing(name, cases, origins)) < len(cases)

    async def _failing(
        self, name: str, cases: Sequence[Case], origins: Sequence[Origin]
    ) -> list[Case]:
        """Return the cases that still fail in their bucket with these sentences."""
        if not cases:
            return []
        chosen = self._ordered(origins)
        made = await self._context.compose(
            [origin.atom for origin in chosen], self._line.demos, generator=made_by(chosen)
        )
        if made is None:
            return list(cases)
        rows = await self._context.run(made, cases, purpose="lean", priority=0.5)
        fails = fails_of(self._context, rows, made)
        # A failure that only goes by another name now is none that has gone.
        return [
            case
            for case in cases
            if not fails.get(case.id, NONE) <= self._cures.failed[case.id] - {name}
        ]

    def _ordered(self, origins: Sequence[Origin]) -> tuple[Origin, ...]:
        return tuple(origin for origin in self._line.origins if origin in origins)
