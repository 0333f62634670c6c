"""Learning: what a failure of before a patch tells, and what becomes of sentences that stand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from promptyard.records.cases import Case
from promptyard.records.edits import Candidate, Replace, apply_edits
from promptyard.records.events import Accepted, Credited
from promptyard.records.evidence import Evidence
from promptyard.records.prompts import Program, Prompt
from promptyard.search.auto import Auto
from promptyard.testing.search_world import RULES, WorldContext

WORDY = "Answer in many words."
IDLE = "Be nice."


def test_a_bucket_that_was_cured_on_the_slice_is_not_asked_about_for_what_failed_before() -> None:
    context = WorldContext()
    asyncio.run(Auto().search(context))
    # Of each bucket seven cases failed under the seed and two were run again: five are unknown.
    assert context.asked.count("propose reflect") == len(RULES)


def test_what_failed_before_a_patch_earns_no_credit_for_a_second_one() -> None:
    class HalfMended(WorldContext):
        """Of the dates, one case of the slice needs what nobody proposes."""

        def passes(self, candidate: Candidate, case: Case) -> bool:
            return super().passes(candidate, case) and case.id != "t006"

        async def propose(
            self, generator: str, base: Candidate, evidence: Evidence, *, attempt: int = 0
        ) -> Sequence[Candidate]:
            found = await super().propose(generator, base, evidence, attempt=attempt)
            again = [bucket for bucket in evidence.buckets if bucket.tag == "dates"]
            if found or not again:
                return found
            return [self._with_sentence(base, generator, again[0], IDLE)]

    context = HalfMended()
    finalist = asyncio.run(Auto().search(context))
    measured = [
        (e.n_failing_before, e.n_failing_after)
        for e in context.events
        if isinstance(e, Credited) and e.bucket == "dates"
    ]
    assert measured[:2] == [(2, 1), (1, 1)]
    assert finalist is not None
    assert IDLE not in finalist.program.prompt.text


def test_a_replacement_by_a_sentence_that_stands_already_deletes_what_it_replaces() -> None:
    class Contradicted(WorldContext):
        def __init__(self) -> None:
            super().__init__()
            seed = f"system:\nAnswer the question. {RULES['format']} {WORDY}\n\nuser:\n{{{{x}}}}\n"
            self.baseline = Candidate(program=Program.single(Prompt.from_text(seed)))

        def passes(self, candidate: Candidate, case: Case) -> bool:
            text = candidate.program.prompt.text
            return case.tags[0] != "format" or WORDY not in text

        async def propose(
            self, generator: str, base: Candidate, evidence: Evidence, *, attempt: int = 0
        ) -> Sequence[Candidate]:
            section = base.program.prompt.sections[0]
            at = section.text.find(WORDY)
            if generator != "reflect" or at < 0:
                return ()
            edit = Replace(
                section=section.id,
                start=at,
                end=at + len(WORDY),
                old=WORDY,
                text=RULES["format"],
            )
            program = apply_edits(base.program, [edit])
            names = tuple(bucket.name for bucket in evidence.buckets)
            return [Candidate(program=program, edits=(edit,), generator=generator, evidence=names)]

    context = Contradicted()
    finalist = asyncio.run(Auto().search(context))
    assert finalist is not None
    text = finalist.program.prompt.text
    assert WORDY not in text
    assert text.count(RULES["format"]) == 1


def test_the_last_rare_failure_is_mended_alone_where_no_fresh_case_fails() -> None:
    class OneRare(WorldContext):
        def passes(self, candidate: Candidate, case: Case) -> bool:
            return case.id != "t004" or super().passes(candidate, case)

    context = OneRare()
    finalist = asyncio.run(Auto().search(context))
    assert finalist is not None
    assert RULES["format"] in finalist.program.prompt.text
    reasons = [e.reason for e in context.events if isinstance(e, Accepted)]
    assert reasons[0] == "1 failure mended, no fresh case broken"


def test_a_prompt_that_was_accepted_on_seen_cases_leaves_no_more_to_gain_than_they_show() -> None:
    class Late(WorldContext):
        """A few names fail, and the sentence for them comes when all of train has been used."""

        def passes(self, candidate: Candidate, case: Case) -> bool:
            rare = case.tags[0] == "names" and int(case.id[1:]) % 8 == 3
            needed = rare or case.tags[0] == "format"
            return not needed or super().passes(candidate, case)

        async def propose(
            self, generator: str, base: Candidate, evidence: Evidence, *, attempt: int = 0
        ) -> Sequence[Candidate]:
            early = not any(asked.startswith("run seen") for asked in self.asked)
            found = await super().propose(generator, base, evidence, attempt=attempt)
            return [item for item in found if not (early and "names" in item.evidence)]

    context = Late(generators=("reflect", "induce"))
    finalist = asyncio.run(Auto().search(context))
    assert finalist is not None
    assert RULES["names"] in finalist.program.prompt.text
    assert "propose induce" not in context.asked
