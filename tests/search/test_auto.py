"""The policy `auto`: what it asks in which order, what it takes, and where it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from promptyard.protocols import SearchPolicy
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.events import Accepted, Credited, Diagnosed, Eliminated, Noted
from promptyard.records.evidence import Evidence, TrainTrial
from promptyard.records.scores import Trial
from promptyard.search import POLICIES
from promptyard.search.auto import Auto
from promptyard.testing.policy_contract import PolicyContract
from promptyard.testing.search_world import RULES, WorldContext


def search(context: WorldContext) -> Candidate | None:
    return asyncio.run(Auto().search(context))


class TestAuto(PolicyContract):
    def policy(self) -> SearchPolicy:
        return POLICIES["auto"]()


def test_all_buckets_are_asked_once_and_composed_before_anything_is_measured() -> None:
    context = WorldContext()
    finalist = search(context)
    assert finalist is not None
    assert all(sentence in finalist.program.prompt.text for sentence in RULES.values())
    first_runs = [question for question in context.asked if question.startswith("run")][:3]
    # Four buckets twice is a slice of eight cases, for all patches together.
    assert first_runs == ["run baseline 30", "run slice 8", "run fresh 12"]
    assert context.asked.index("run slice 8") == 1 + len(RULES)


def test_a_bucket_whose_patch_does_nothing_is_taken_out_again() -> None:
    sentences = {**RULES, "units": "Be nice."}
    context = WorldContext(sentences=sentences)
    finalist = search(context)
    assert finalist is not None
    assert "Be nice." not in finalist.program.prompt.text
    credited = {e.bucket: e.moved for e in context.events if isinstance(e, Credited)}
    assert credited == {"format": True, "units": False, "dates": True, "names": True}


def test_what_was_tried_in_vain_is_shown_and_then_banned() -> None:
    context = WorldContext(sentences={"units": "Be nice."})
    asked: list[int] = []
    propose = context.propose

    async def watched(
        generator: str, base: Candidate, evidence: Evidence, *, attempt: int = 0
    ) -> Sequence[Candidate]:
        asked.append(len([a for a in evidence.attempts if a.bucket == "units"]))
        return await propose(generator, base, evidence, attempt=attempt)

    context.propose = watched  # type: ignore[method-assign]
    assert search(context) is None
    assert max(asked) >= 1
    slices = [question for question in context.asked if question.startswith("run slice")]
    assert len(slices) <= 2, "two strikes ban a sentence"


def test_a_trap_is_found_by_leaving_halves_out_and_is_banned() -> None:
    trap = "Answer in one word, whatever it is."

    class Trapped(WorldContext):
        def passes(self, candidate: Candidate, case: Case) -> bool:
            text = candidate.program.prompt.text
            if case.tags[0] == "format":
                return trap in text
            # The trap spoils names, but not in the cases of the first slice.
            spoilt = trap in text and case.tags[0] == "names" and int(case.id[1:]) > 30
            return super().passes(candidate, case) and not spoilt

    context = Trapped(n_cases=120, sentences={**RULES, "format": trap})
    finalist = search(context)
    assert finalist is not None
    assert trap not in finalist.program.prompt.text
    reasons = [e.reason for e in context.events if isinstance(e, Eliminated)]
    assert any("a trap" in reason and trap in reason for reason in reasons)


def test_what_cures_only_the_cases_that_it_was_learnt_from_is_never_served() -> None:
    class Memorised(WorldContext):
        confirms = False
        """The sentences cure only the cases that the baseline ran on."""

        def passes(self, candidate: Candidate, case: Case) -> bool:
            return super().passes(candidate, case) and int(case.id[1:]) < 30

    context = Memorised(n_cases=90)
    assert search(context) is None
    assert not context.served
    assert [question for question in context.asked if question.startswith("run fresh")]


@pytest.mark.parametrize("critical", [True, False])
def test_breaking_a_critical_case_is_never_taken(critical: bool) -> None:
    class Breaking(WorldContext):
        """Every change breaks one case that the baseline never ran on in the diagnosis."""

        def __init__(self) -> None:
            super().__init__(n_cases=60)
            self.train = tuple(
                case.model_copy(update={"critical": critical}) if case.id == "t035" else case
                for case in self.train
            )

        def passes(self, candidate: Candidate, case: Case) -> bool:
            if case.id == "t035":
                return candidate.id == self.baseline.id
            return super().passes(candidate, case)

    context = Breaking()
    search(context)
    taken = [event for event in context.events if isinstance(event, Accepted)]
    assert bool(taken) is not critical


def test_low_headroom_is_said_before_anything_is_spent_on_a_search() -> None:
    class Perfect(WorldContext):
        def passes(self, candidate: Candidate, case: Case) -> bool:
            del candidate, case
            return True

    context = Perfect()
    assert search(context) is None
    assert [e.score for e in context.events if isinstance(e, Diagnosed)] == [1.0]
    assert any("low headroom" in e.text for e in context.events if isinstance(e, Noted))
    assert not [question for question in context.asked if question.startswith("propose")]


def test_an_error_is_no_failure_to_learn_from() -> None:
    learnt_from: set[str] = set()

    class Broken(WorldContext):
        """Every third case ends in an error, whatever the prompt says."""

        async def propose(
            self, generator: str, base: Candidate, evidence: Evidence, *, attempt: int = 0
        ) -> Sequence[Candidate]:
            learnt_from.update(row.case.id for row in evidence.failures)
            learnt_from.update(name for bucket in evidence.buckets for name in bucket.case_ids)
            return await super().propose(generator, base, evidence, attempt=attempt)

        def _row(self, candidate: Candidate, case: Case, replicate: int) -> TrainTrial:
            row = super()._row(candidate, case, replicate)
            if int(case.id[1:]) % 3:
                return row
            trial = Trial(program_id=candidate.id, case_id=case.id, split="train", status="error")
            return row.model_copy(update={"trial": trial})

    context = Broken()
    finalist = search(context)
    assert finalist is not None
    assert learnt_from
    assert {int(name[1:]) % 3 for name in learnt_from} == {1, 2}
    assert {int(name[1:]) % 3 for name in context.scores(finalist)} == {1, 2}


def test_a_served_prompt_is_ahead_of_the_baseline_on_unseen_cases() -> None:
    context = WorldContext()
    finalist = search(context)
    assert [item.id for item in context.served] == [finalist.id if finalist else ""]
    served = [event for event in context.events if isinstance(event, Accepted) and event.served]
    assert [event.difference for event in served] == [1.0]


def test_every_policy_of_the_table_is_under_contract() -> None:
    assert set(POLICIES) == {"auto", "beam", "halving", "opro", "pareto", "racing"}
