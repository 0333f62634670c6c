"""Traps: a sentence that lifts its own slice and damages other cases, found by delta debugging.

Fresh cases that fail although their bucket has a patch of its own are suspicious. Half of the
sentences are left out, the few suspicious cases run again, and the half whose absence cures them
is halved again. Source: anchors on search, section 2, step 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptyard.protocols import SearchContext
from promptyard.records.edits import Candidate
from promptyard.records.events import Eliminated
from promptyard.records.evidence import TrainTrial
from promptyard.records.origins import Origin
from promptyard.search.attribution import made_by
from promptyard.search.learn import Learnt
from promptyard.search.memory import Memory
from promptyard.search.settings import AutoSettings
from promptyard.search.working_line import WorkingLine, score_differences


@dataclass(frozen=True)
class _Suspicion:
    """Cases that fail in buckets which have a patch, and these buckets of each case."""

    rows: tuple[TrainTrial, ...]
    buckets: dict[str, frozenset[str]]


class TrapHunter:
    """Looks for the sentence behind suspicious failures. Costs up to 5 calls a halving."""

    def __init__(self, context: SearchContext, settings: AutoSettings, memory: Memory) -> None:
        self._context = context
        self._settings = settings
        self._memory = memory
        self._n_fruitless = 0

    async def hunt(self, line: WorkingLine, fresh: Sequence[TrainTrial]) -> WorkingLine:
        """Return the line without the trap that the fresh rows point at, or as it was.

        The failing fresh cases are then run again under the line without it.
        """
        suspicion = self._suspicion(line, fresh)
        n = len(suspicion.rows)
        # Patches that cure only in part look like traps, too: each vain hunt raises the bar.
        share = self._settings.suspicious_share * 2**self._n_fruitless
        if n < self._settings.min_suspicious or n < share * len(fresh) or len(line.origins) < 2:
            return line
        chosen = suspicion.rows[: self._settings.max_suspicious]
        culprits = list(line.origins)
        while len(culprits) > 1:
            half = len(culprits) // 2
            for part in (culprits[:half], culprits[half:]):
                if await self._cures(line, part, chosen, suspicion):
                    culprits = part
                    break
            else:
                self._n_fruitless += 1
                return line
        self._n_fruitless = 0
        return await self._without(line, culprits, fresh)

    async def among(
        self,
        line: WorkingLine,
        new: Sequence[Origin],
        rows: Sequence[TrainTrial],
        broken: Sequence[TrainTrial],
    ) -> WorkingLine:
        """Return the line without the new sentence that broke cases, or as it was.

        Before these sentences the broken cases passed: one of them is it, and a few cases tell
        which. `rows` are all that the line was checked on.
        """
        chosen = broken[: self._settings.max_suspicious]
        culprits = [origin for origin in line.origins if origin in new]
        if len(chosen) < self._settings.min_suspicious or len(culprits) < 2:
            return line
        while len(culprits) > 1:
            half = len(culprits) // 2
            for part in (culprits[half:], culprits[:half]):
                if await self._mends(line, part, chosen):
                    culprits = part
                    break
            else:
                return line
        return await self._without(line, culprits, rows)

    async def _mends(
        self, line: WorkingLine, part: Sequence[Origin], rows: Sequence[TrainTrial]
    ) -> bool:
        """Say whether enough of the cases pass where sentences are left out."""
        rest = await self._compose(line, part)
        if rest is None:
            return False
        cases = [row.case for row in rows]
        after = await self._context.run(rest, cases, purpose="trap", priority=1.0)
        better = [value for value in score_differences(after, rows) if value > 0]
        return len(better) >= self._settings.cured_share * len(rows)

    async def freed(self, learnt: Learnt, incumbent: WorkingLine) -> Learnt:
        """Look for what holds the most stubborn bucket back, once a bucket until it fails anew."""
        line, memory = learnt.line, self._memory
        found = self._context.evidence(tuple(line.rows.values()), line.candidate)
        for bucket in memory.telling(found, line).buckets:
            stubborn = memory.vain[bucket.name] >= self._settings.vain_attempts_before_hunt
            if not stubborn or bucket.name in memory.freed or bucket.name not in memory.tried:
                continue
            rows = [line.rows[case_id] for case_id in bucket.case_ids]
            if len(rows) < self._settings.min_suspicious:
                continue
            memory.freed.add(bucket.name)
            freed = await self.free(line, bucket.name, rows, memory.tried[bucket.name])
            if freed is not None:
                memory.vain[bucket.name] = 0
                new = tuple(o for o in freed.origins if o not in incumbent.origins)
                return Learnt(freed, new, learnt.n_cured + len(rows))
        return learnt

    async def free(
        self, line: WorkingLine, bucket: str, rows: Sequence[TrainTrial], tried: Sequence[Origin]
    ) -> WorkingLine | None:
        """Look for what keeps a stubborn bucket from being mended; None where it is nothing here.

        The sentences that were tried for it in vain are put back, and the rest halved: what hides
        their effect is in the half whose absence cures the bucket's cases.
        """
        chosen = tuple(rows[: self._settings.max_suspicious])
        if len(chosen) < self._settings.min_suspicious or not line.origins or not tried:
            return None
        known = {origin.atom.key for origin in line.origins}
        again = tuple(origin for origin in tried if origin.atom.key not in known)
        whole = replace(line, origins=(*line.origins, *again))
        suspicion = _Suspicion(chosen, {row.case.id: frozenset({bucket}) for row in chosen})
        culprits = list(line.origins)
        if not await self._cures(whole, culprits, chosen, suspicion):
            return None
        while len(culprits) > 1:
            half = len(culprits) // 2
            for part in (culprits[:half], culprits[half:]):
                if await self._cures(whole, part, chosen, suspicion):
                    culprits = part
                    break
            else:
                return None
        return await self._without(whole, culprits, chosen)

    def _suspicion(self, line: WorkingLine, fresh: Sequence[TrainTrial]) -> _Suspicion:
        found = self._context.evidence(fresh, line.candidate)
        patched = line.patched
        buckets: dict[str, frozenset[str]] = {}
        for bucket in found.buckets:
            if bucket.name in patched:
                for case_id in bucket.case_ids:
                    buckets[case_id] = buckets.get(case_id, frozenset()) | {bucket.name}
        rows = tuple(row for row in fresh if row.case.id in buckets)
        return _Suspicion(rows, buckets)

    async def _cures(
        self,
        line: WorkingLine,
        part: Sequence[Origin],
        rows: Sequence[TrainTrial],
        suspicion: _Suspicion,
    ) -> bool:
        """Say whether leaving sentences out cures enough of the cases of their own failure."""
        # A case of a bucket whose patch is among those left out tells nothing about a trap.
        left_out = frozenset(name for origin in part for name in origin.buckets)
        asked = [row for row in rows if suspicion.buckets[row.case.id] - left_out]
        if len(asked) < self._settings.min_suspicious:
            # Nothing else would be told: the patches of these cases stay in.
            asked = list(rows)
            own = frozenset(name for names in suspicion.buckets.values() for name in names)
            part = [origin for origin in part if not own.intersection(origin.buckets)]
        rest = await self._compose(line, part) if part else None
        if rest is None:
            return False
        after = await self._context.run(
            rest, [row.case for row in asked], purpose="trap", priority=1.0
        )
        found = self._context.evidence(after, rest)
        fails = {(bucket.name, case_id) for bucket in found.buckets for case_id in bucket.case_ids}
        cured = [
            row
            for row in after
            if not any((name, row.case.id) in fails for name in suspicion.buckets[row.case.id])
        ]
        return len(cured) >= self._settings.cured_share * len(asked)

    async def _without(
        self, line: WorkingLine, culprits: Sequence[Origin], fresh: Sequence[TrainTrial]
    ) -> WorkingLine:
        rest = await self._compose(line, culprits)
        if rest is None:
            return line
        self._memory.strike(culprits, self._settings.strikes_before_ban)
        for origin in culprits:
            text = origin.atom.text or f"the deletion of '{origin.atom.anchor}'"
            await self._context.emit(
                Eliminated(
                    candidate_id=line.candidate.id,
                    reason=f"a trap: without '{text}' its suspicious cases pass",
                    trap=text,
                )
            )
        kept = tuple(origin for origin in line.origins if origin not in culprits)
        failing = [row.case for row in fresh if not row.trial.passed]
        again = await self._context.run(rest, failing, purpose="trap", priority=1.0)
        return replace(line, candidate=rest, origins=kept).with_rows([*fresh, *again])

    async def _compose(self, line: WorkingLine, part: Sequence[Origin]) -> Candidate | None:
        kept = [origin for origin in line.origins if origin not in part]
        return await self._context.compose(
            [origin.atom for origin in kept],
            line.demos,
            generator=made_by(kept, line.demos),
            buckets=tuple(dict.fromkeys(name for origin in kept for name in origin.buckets)),
        )
