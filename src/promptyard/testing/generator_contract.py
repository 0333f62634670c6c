"""What every generator must keep to; subclass `GeneratorContract` and give it yours."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Literal

from promptyard.protocols import Generator
from promptyard.records.base import Json
from promptyard.records.edits import Candidate, Proposal, apply_edits
from promptyard.records.evidence import Evidence
from promptyard.records.messages import Completion, Message
from promptyard.records.prompts import Program
from promptyard.records.scores import Report


class ReplyingBench:
    """A Bench whose optimizer is a function of the messages. It runs no programs.

    Attributes:
        requests: the messages of every call, in order.
    """

    def __init__(self, generator: GeneratorContract) -> None:
        self._generator = generator
        self.requests: list[Sequence[Message]] = []

    async def complete(
        self,
        role: Literal["optimizer", "judge"],
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Json] | None = None,
        replicate: int = 0,
    ) -> Completion:
        """Answer with the suite's `reply`."""
        del role, schema, replicate
        self.requests.append(messages)
        return Completion(text=self._generator.reply(messages))

    async def run(
        self, program: Program, train_case_ids: Sequence[str], replicate: int = 0
    ) -> Report:
        """Fail: override `bench` in the suite of a generator that runs programs."""
        raise AssertionError("this bench runs no programs; override bench()")


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
        """Answer a call to the optimizer model; override where the generator makes calls."""
        del messages
        return ""

    def bench(self) -> ReplyingBench:
        """Return what the generator may use."""
        return ReplyingBench(self)

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
