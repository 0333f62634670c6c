"""Merge as a generator: what it takes, whose child it is, when it has nothing to say."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from promptyard.candidates.admit import admit
from promptyard.candidates.leakage import LeakageIndex
from promptyard.candidates.merge import Merge
from promptyard.protocols import Generator
from promptyard.records.edits import Candidate, Proposal
from promptyard.records.evidence import Evidence, Relatives
from promptyard.testing import ReplyingBench
from promptyard.testing.generator_contract import GeneratorContract
from support.stations import LABEL_PROMPT, seed_candidate

BASE = seed_candidate()
LABELS = seed_candidate(LABEL_PROMPT.replace("- top_up\n", "- top_up: money in\n"))
SYSTEM = seed_candidate(LABEL_PROMPT.replace("Sort the message.", "Sort the message by topic."))


def merge(base: Candidate, relatives: Relatives | None) -> Sequence[Proposal]:
    bench = ReplyingBench()
    found = Evidence(relatives=relatives)
    proposals = asyncio.run(Merge().propose(base, found, bench, random.Random(0)))
    assert bench.requests == []
    return proposals


def test_it_takes_over_what_the_other_changed_and_names_both_parents() -> None:
    (proposal,) = merge(LABELS, Relatives(ancestor=BASE, other=SYSTEM))
    child = admit(proposal, LABELS, frozenset(), LeakageIndex([]))
    assert isinstance(child, Candidate)
    assert child.parents == (LABELS.id, SYSTEM.id)
    assert "by topic." in child.program.prompt.text
    assert "money in" in child.program.prompt.text
    assert "'system'" in child.hypothesis


def test_an_ancestor_is_not_merged_with_its_descendant() -> None:
    assert merge(BASE, Relatives(ancestor=BASE, other=LABELS)) == ()
    assert merge(LABELS, Relatives(ancestor=BASE, other=BASE)) == ()


def test_without_a_relative_there_is_nothing_to_merge() -> None:
    assert merge(LABELS, None) == ()


class TestMerge(GeneratorContract):
    def generator(self) -> Generator:
        return Merge()

    def base(self) -> Candidate:
        return LABELS

    def evidence(self) -> Evidence:
        return Evidence(relatives=Relatives(ancestor=BASE, other=SYSTEM))
