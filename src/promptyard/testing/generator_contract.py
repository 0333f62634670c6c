"""What every generator must keep to; subclass `GeneratorContract` and give it yours."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from promptyard.protocols import Bench, Generator
from promptyard.records.edits import Candidate, Proposal, apply_edits
from promptyard.records.evidence import Evidence
from promptyard.records.messages import Message
from promptyard.testing.replying_bench import ReplyingBench


class GeneratorContract:
    """Checks of a generator: it is deterministic, it edits, and it takes silence for an answer."""

    def generator(self) -> Generator:
        """Return the generator under test."""
        raise NotImplementedError("a GeneratorContract suite gives generator()")

    def base(self) -> Candidate:
        """Return a candidate that the generator can improve."""
        raise NotImplementedError("a GeneratorContract suite gives base()")

    def evidence(self) -> Evidence:
        """Return evidence that gives the generator reason to act."""
        raise NotImplementedError("a GeneratorContract suite gives evidence()")

    def reply(self, messages: Sequence[Message]) -> str:
        """Answer a call to a model; override where the generator makes calls."""
        del messages
        return ""

    def bench(self) -> Bench:
        """Return what the generator may use; override it where it runs programs."""
        return ReplyingBench(self.reply, judge=self.reply)

    def proposals(self, evidence: Evidence, seed: int = 0) -> Sequence[Proposal]:
        """Run the generator once."""

        async def work() -> Sequence[Proposal]:
            rng = random.Random(seed)
            return await self.generator().propose(self.base(), evidence, self.bench(), rng)

        return asyncio.run(work())

    def test_it_proposes_edits_that_apply_and_change_the_base(self) -> None:
        """Edits, not prompts; at least one where the evidence gives reason."""
        usable = [proposal for proposal in self.proposals(self.evidence()) if proposal.edits]
        assert usable
        for proposal in usable:
            changed = apply_edits(self.base().program, proposal.edits)
            assert changed.id != self.base().id

    def test_each_proposal_names_its_generator_and_says_why(self) -> None:
        """History and reports show both."""
        for proposal in self.proposals(self.evidence()):
            assert proposal.generator == self.generator().name
            if proposal.edits:
                assert proposal.hypothesis.strip()
                assert "\n" not in proposal.hypothesis

    def test_the_same_evidence_and_seed_give_the_same_proposals(self) -> None:
        """Otherwise a resumed run would not repeat itself."""
        assert self.proposals(self.evidence(), 7) == self.proposals(self.evidence(), 7)

    def test_no_evidence_is_no_reason_to_act(self) -> None:
        """An empty Evidence gives nothing, costs nothing and raises nothing."""
        assert not [item for item in self.proposals(Evidence()) if item.edits]
