"""Admission to the line: what generators propose and policies compose is validated, then told."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from promptyard.candidates.admit import admit, fingerprint, readmit
from promptyard.candidates.combine import combine
from promptyard.candidates.leakage import LeakageIndex
from promptyard.errors import EditError, PromptError
from promptyard.line.telling import Telling
from promptyard.line.trail import Trail, about
from promptyard.protocols import Bench, Generator
from promptyard.records.atoms import Atom, compose
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate, Proposal, Rejection
from promptyard.records.events import Composed
from promptyard.records.evidence import Evidence
from promptyard.records.prompts import Demo


class Admission:
    """The only way in for a new candidate of a run. Costs nothing but what a generator asks."""

    def __init__(
        self,
        *,
        seed: int,
        baseline: Candidate,
        cases: Sequence[Case],
        generators: Mapping[str, Generator],
        bench: Bench,
        trail: Trail,
        telling: Telling,
    ) -> None:
        """Set it up; no text may repeat one of `cases` (all splits) that the baseline does not."""
        self._seed = seed
        self._baseline = baseline
        self._generators = generators
        self._bench = bench
        self._trail = trail
        self._telling = telling
        texts = [step.prompt.text for step in baseline.program.steps]
        self._leakage = LeakageIndex(cases, allowed=texts)
        self._seen = {fingerprint(baseline.program)}

    async def propose(
        self, generator: str, base: Candidate, evidence: Evidence, *, attempt: int = 0
    ) -> Sequence[Candidate]:
        """Ask one generator; splice, validate and journal what it proposes.

        Of a proposal that is refused as a whole, the edits that stand alone are kept.
        """
        names = ",".join(bucket.name for bucket in evidence.buckets)
        rng = random.Random(f"{self._seed}:{generator}:{base.id}:{names}:{attempt}")
        proposals = await self._generators[generator].propose(base, evidence, self._bench, rng)
        admitted: list[Candidate] = []
        for proposal in proposals:
            # A repeat is handed out again: which of two came first is a matter of arrival.
            result = admit(proposal, base, frozenset(), self._leakage)
            if isinstance(result, Rejection):
                await self._telling.rejected(result)
                admitted += await self._salvage(proposal, base)
            else:
                await self._accept(result)
                admitted.append(result)
        return admitted

    async def compose(
        self,
        atoms: Sequence[Atom],
        demos: Sequence[Demo] | None = None,
        *,
        generator: str,
        buckets: Sequence[str] = (),
    ) -> Candidate | None:
        """Apply atoms and demonstrations to the baseline; None where the validators refuse."""
        program = self._baseline.program
        chosen = (program.steps[-1].name, tuple(demos)) if demos else None
        try:
            made = compose(program, atoms, chosen)
        except (EditError, PromptError) as error:
            refused = Rejection(generator=generator, code="splice", reason=str(error))
            await self._telling.rejected(refused)
            return None
        if not made.edits:
            return self._baseline
        candidate = Candidate(
            program=made.program,
            parents=(self._baseline.id,),
            edits=made.edits,
            generator=generator,
            hypothesis=about(buckets),
            evidence=tuple(buckets),
        )
        if candidate.id in self._trail.evaluated:
            return self._trail.evaluated[candidate.id]
        result = readmit(candidate, self._baseline, frozenset(), self._leakage)
        if isinstance(result, Rejection):
            await self._telling.rejected(result)
            return None
        await self._telling.emit(
            Composed(candidate_id=result.id, buckets=tuple(buckets), n_atoms=len(made.placed))
        )
        return result

    def combine(self, parts: Sequence[Candidate]) -> Candidate | None:
        """Join candidates; None when nothing new or nothing valid comes of it."""
        joined = combine(self._baseline, parts)
        if joined is None:
            return None
        result = readmit(joined, self._baseline, frozenset(self._seen), self._leakage)
        if isinstance(result, Rejection):
            self._trail.rejections.append(result)
            return None
        self._seen.add(fingerprint(result.program))
        return result

    async def _salvage(self, proposal: Proposal, base: Candidate) -> list[Candidate]:
        kept: list[Candidate] = []
        if len(proposal.edits) < 2:
            return kept
        for edit in proposal.edits:
            alone = proposal.model_copy(update={"edits": (edit,)})
            result = admit(alone, base, frozenset(), self._leakage)
            if not isinstance(result, Rejection):
                await self._accept(result)
                kept.append(result)
        return kept

    async def _accept(self, candidate: Candidate) -> None:
        self._seen.add(fingerprint(candidate.program))
        await self._telling.proposed(candidate)
