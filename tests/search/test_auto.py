"""The policy `auto`: a fixed schedule, narrow at the end."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.protocols import SearchPolicy
from promptyard.records.edits import Candidate
from promptyard.search import POLICIES
from promptyard.search.auto import MAX_FINALISTS, MAX_REGRESSED
from promptyard.testing.policy_contract import PolicyContract, named_candidate


class TestAuto(PolicyContract):
    def policy(self) -> SearchPolicy:
        return POLICIES["auto"]()

    def test_the_schedule_is_diagnose_generate_screen_combine_regress_full(self) -> None:
        _, asked = self.search(lambda stage, candidates: candidates)
        assert asked == [
            "diagnose",
            "propose reflect",
            "propose demos",
            "stage screen 5",
            f"stage regress {MAX_REGRESSED}",
            f"stage full {MAX_FINALISTS}",
        ]

    def test_all_patches_are_joined_and_these_with_each_demonstration_set(self) -> None:
        regressed: list[str] = []

        def survivors(stage: str, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
            if stage == "regress":
                regressed.extend(c.program.prompt.text.split()[-1] for c in candidates)
            return candidates

        self.search(survivors)
        assert regressed[:3] == ["r0+r1+r2", "d0+r0+r1+r2", "d1+r0+r1+r2"]

    def test_few_candidates_skip_nothing(self) -> None:
        proposed = {"reflect": [named_candidate("only", "reflect")]}
        finalist, asked = self.search(lambda stage, candidates: candidates, proposed)
        assert finalist is not None
        assert asked[2:] == ["stage screen 1", "stage regress 1", "stage full 1"]


def test_every_policy_of_the_table_is_under_contract() -> None:
    assert set(POLICIES) == {"auto"}
