"""Other ways than local edits, where these have reached a plateau: one pull an arm, raced in pairs.

An arm is a generator: demonstration sets, reasoning traces, a score trajectory, a fresh start. Its
candidates run on the same cases as the incumbent, half of them go on, and the best is taken where
it leads. Source: anchors on algorithms, part B.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptyard.protocols import SearchContext
from promptyard.records.atoms import atoms_of
from promptyard.records.cases import Case
from promptyard.records.demonstrations import gold_demo
from promptyard.records.edits import Candidate, SetDemos
from promptyard.records.evidence import TrainTrial
from promptyard.records.origins import Origin
from promptyard.search.attribution import made_by
from promptyard.search.checks import Ruling
from promptyard.search.memory import Memory
from promptyard.search.settings import AutoSettings
from promptyard.search.working_line import WorkingLine, mean, score_differences
from promptyard.stats.quick_look import paired_z

ARMS = ("demos", "traces", "reflective", "induce", "trajectory")
"""The arms in the order in which they are pulled: those that cost least a variant first."""


NO_ARMS = ("reflect", "local_edit", "compress", "critique", "merge")
"""What `auto` asks elsewhere, or what answers other policies; a plugin's generator is an arm."""


@dataclass(frozen=True)
class Pull:
    """What an arm gave: the best variant with its ruling, and all that were run to the end."""

    line: WorkingLine
    ruling: Ruling
    rows: tuple[TrainTrial, ...]
    incumbent_rows: tuple[TrainTrial, ...]


class Arms:
    """Pulls each arm once. Costs at most `arm_cases` calls a variant, and for the incumbent."""

    def __init__(self, context: SearchContext, settings: AutoSettings, memory: Memory) -> None:
        self._context = context
        self._settings = settings
        self._memory = memory
        known = {*ARMS, *NO_ARMS}
        others = [name for name in context.generators if name not in known]
        self.left = [*others, *(name for name in ARMS if name in context.generators)]

    async def pull(self, line: WorkingLine, cases: Sequence[Case]) -> Pull | None:
        """Pull the next arm on these cases; None where it has nothing to offer.

        Cases behind those that a race and a check can use may become demonstrations unseen: their
        expected answers cost no call.
        """
        kept = 2 * self._settings.arm_cases
        variants = await self._variants(line, self.left.pop(0), cases[kept:])
        shown = frozenset(name for variant in variants for name in variant.demo_ids)
        usable = [case for case in cases if case.id not in shown][: self._settings.arm_cases]
        if not variants or not usable:
            return None
        before = await self._context.run(line.candidate, usable, purpose="arm", priority=0.5)
        rows: dict[str, Sequence[TrainTrial]] = {}
        size = self._settings.first_arm_cases
        while True:
            block = usable[:size]
            for variant in variants:
                rows[variant.candidate.id] = await self._context.run(
                    variant.candidate, block, purpose="arm", priority=0.5
                )
            variants.sort(key=lambda item: -_lead(rows[item.candidate.id], before))
            if size >= len(usable):
                break
            variants = variants[: max(1, (len(variants) + 1) // 2)]
            size *= 2
        best = variants[0]
        own = rows[best.candidate.id]
        differences = score_differences(own, before)
        z, lead = paired_z(differences) or 0.0, mean(differences) or 0.0
        ruling = Ruling(
            lead > 0 and z >= self._settings.arm_accept_z,
            f"paired z = {z:+.1f}",
            len(differences),
            lead,
        )
        return Pull(best, ruling, tuple(own), tuple(before))

    async def _variants(
        self, line: WorkingLine, arm: str, spare: Sequence[Case]
    ) -> list[WorkingLine]:
        evidence = self._context.evidence(
            tuple(line.rows.values()), line.candidate, self._memory.attempts
        )
        prompt = line.candidate.program.steps[-1].prompt
        gold = tuple(demo for case in spare if (demo := gold_demo(case, prompt)) is not None)
        evidence = evidence.model_copy(update={"demos": (*evidence.demos, *gold)})
        found: dict[str, WorkingLine] = {}
        for proposed in await self._context.propose(arm, line.candidate, evidence):
            demos = next(
                (edit.demos for edit in proposed.edits if isinstance(edit, SetDemos)), line.demos
            )
            origins = (*line.origins, *_origins(proposed, line.candidate))
            made = await self._context.compose(
                [origin.atom for origin in origins],
                demos,
                generator=made_by(origins, demos),
                buckets=(arm,),
            )
            if made is not None and made.id != line.candidate.id:
                variant = replace(line, candidate=made, origins=origins, demos=tuple(demos))
                found[made.id] = variant.without_cases(variant.demo_ids)
        return list(found.values())[: self._settings.max_variants]


def _lead(rows: Sequence[TrainTrial], before: Sequence[TrainTrial]) -> float:
    return mean(score_differences(rows, before)) or 0.0


def _origins(candidate: Candidate, base: Candidate) -> list[Origin]:
    return [
        Origin(
            atom=atom,
            buckets=candidate.evidence or (candidate.generator,),
            generator=candidate.generator,
            hypothesis=candidate.hypothesis,
        )
        for atom in atoms_of(base.program, candidate.edits)
    ]
