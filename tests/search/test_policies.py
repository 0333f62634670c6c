"""What all policies but `auto` keep to, over a toy world (criteria E2, E3, E5, E6, E9)."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from promptyard.candidates.demo_pool import DemoSettings
from promptyard.candidates.demos import Demos
from promptyard.candidates.merge import Merge
from promptyard.errors import BudgetExceeded
from promptyard.protocols import Generator, SearchPolicy
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate, demo_case_ids
from promptyard.records.events import Accepted, Diagnosed, Noted
from promptyard.records.evidence import Evidence
from promptyard.records.prompts import Program
from promptyard.records.scores import Failure, Trial
from promptyard.search import POLICIES
from promptyard.search.beam import Beam, BeamSettings
from promptyard.search.halving import Halving
from promptyard.search.pareto import Pareto, ParetoSettings
from promptyard.search.racing import Racing
from promptyard.testing.policy_contract import PolicyContract
from support.toy_search import PROMPT, ToyContext, ToyGenerator, ToyWorld, chatter, teach

MAKERS: dict[str, Callable[[], SearchPolicy]] = {
    "pareto": Pareto,
    "pareto-wide": lambda: Pareto(ParetoSettings(steps_per_width=1)),
    "beam": Beam,
    "beam-rejects": lambda: Beam(BeamSettings(selection="rejects")),
    "beam-halving": lambda: Beam(BeamSettings(selection="halving")),
    "halving": Halving,
    "racing": Racing,
}
every_policy = pytest.mark.parametrize("name", MAKERS)


def lessons(base: Candidate, evidence: Evidence, rng: random.Random) -> list[str]:
    """Suggest the rule of every failure, one proposal each."""
    tags = {tag for row in evidence.failures for score in row.trial.scores for tag in score.tags}
    return [f"Rule {tag.removeprefix('rule_')}." for tag in sorted(tags)]


def search(
    name: str,
    world: ToyWorld,
    *generators: Generator,
    budget: int | None = 500,
    jitter: int = 0,
    seed: int = 0,
) -> tuple[Candidate | None, ToyContext]:
    given = generators or (ToyGenerator("lessons", lessons), Merge())
    context = ToyContext(world, given, budget=budget, jitter=jitter, seed=seed)
    return asyncio.run(MAKERS[name]().search(context)), context


def test_they_are_in_the_table() -> None:
    for name in MAKERS:
        assert POLICIES[name.split("-")[0]]().name == name.split("-")[0]


@every_policy
def test_e9_planted_rules_are_found(name: str) -> None:
    gains: list[float] = []
    for seed in range(5):
        world = ToyWorld(noise=0.05, seed=seed)
        found, _ = search(name, world, seed=seed)
        assert found is not None
        gains.append(world.quality(found.program) - world.quality(world.seed_prompt.program))
    assert sum(gains) / len(gains) > 0.35


@every_policy
@pytest.mark.parametrize("budget", [12, 60, 150, 400])
def test_e2_no_budget_is_exceeded_or_run_into(name: str, budget: int) -> None:
    _, context = search(name, ToyWorld(noise=0.1), budget=budget)
    assert len(context.calls) + context.cancelled <= budget
    assert not [event for event in context.events if isinstance(event, Noted)]


@every_policy
def test_e3_no_call_is_made_twice_and_the_cases_that_choose_teach_nobody(name: str) -> None:
    generator = ToyGenerator("lessons", lessons)
    _, context = search(name, ToyWorld(noise=0.1), generator, jitter=5)
    assert max(Counter(context.calls).values()) == 1
    taught = {
        row.case.id
        for _, evidence in generator.asked
        for row in (*evidence.failures, *evidence.successes)
    }
    chose = {
        case
        for _, purpose, cases in context.ran
        if purpose in ("choose", "merge", "pull", "first", "rung", "race")
        for case in cases
    }
    assert taught
    assert chose
    assert not taught & chose


@every_policy
def test_e5_candidates_are_compared_on_prefixes_of_one_order(name: str) -> None:
    _, context = search(name, ToyWorld(noise=0.1))
    order = [case.id for case in context.train]
    for _, purpose, cases in context.ran:
        if purpose in ("first", "rung", "race", "choose"):
            at = order.index(cases[0])
            assert list(cases) == order[at : at + len(cases)]


@every_policy
@pytest.mark.no_cover  # the same searches in many orders
def test_the_same_answers_give_the_same_search_whoever_is_first(name: str) -> None:
    runs: list[object] = []
    for jitter in range(1, 5):
        found, context = search(name, ToyWorld(noise=0.1, n_rules=6), jitter=jitter)
        questions = sorted(context.proposed)
        runs.append((found and found.id, context.story(), questions, context.served))
    assert all(run == runs[0] for run in runs)


@every_policy
def test_it_says_how_the_baseline_stands_before_it_asks(name: str) -> None:
    _, context = search(name, ToyWorld(noise=0.1))
    assert isinstance(context.events[0], Diagnosed)
    assert context.events[0].n_buckets > 0
    assert context.ran[0][:2] == (context.baseline.id, "baseline")
    assert sum(isinstance(event, Diagnosed) for event in context.events) == 1


class BrokenWorld(ToyWorld):
    """A world whose evaluator fails on every case, or on those of every prompt but the seed."""

    seed_is_scored = False

    def trial(self, program: Program, case: Case) -> Trial:
        made = super().trial(program, case)
        if self.seed_is_scored and program.id == self.seed_prompt.id:
            return made
        failure = Failure(at="harness", kind="metric", message="no score")
        update = {"status": "error", "score": None, "passed": False, "failure": failure}
        return made.model_copy(update={**update, "scores": ()})


@every_policy
@pytest.mark.parametrize("seed_is_scored", [True, False])
def test_what_cannot_be_scored_wins_nothing_and_breaks_nothing(
    name: str, seed_is_scored: bool
) -> None:
    world = BrokenWorld()
    world.seed_is_scored = seed_is_scored
    found, context = search(name, world)
    assert found is None
    assert context.served == []
    assert context.staged == []


@pytest.mark.no_cover  # the same lines many times
@every_policy
def test_another_seed_gives_another_search(name: str) -> None:
    world = ToyWorld(noise=0.1, n_rules=6)
    stories = {tuple(search(name, world, seed=seed)[1].story()) for seed in range(3)}
    assert len(stories) > 1


@every_policy
def test_e6_what_is_returned_was_kept_by_the_last_stage(name: str) -> None:
    found, context = search(name, ToyWorld(noise=0.1))
    ((stage, finalists),) = context.staged
    assert stage == "full"
    assert found is not None
    assert found.id in finalists
    assert context.baseline.id not in finalists
    assert len(finalists) <= 3

    class Refusing(ToyContext):
        async def stage(self, name: str, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
            await super().stage(name, candidates)
            return ()

    context = Refusing(ToyWorld(noise=0.1), [ToyGenerator("lessons", lessons)], budget=500)
    assert asyncio.run(MAKERS[name]().search(context)) is None
    assert len(context.staged) == 1


@every_policy
def test_nothing_proposed_nothing_gained_and_nothing_failed_keep_the_baseline(name: str) -> None:
    def nothing(base: Candidate, evidence: Evidence, rng: random.Random) -> list[str]:
        return []

    assert search(name, ToyWorld(), ToyGenerator("nothing", nothing))[0] is None
    assert search(name, ToyWorld(), ToyGenerator("chatter", chatter))[0] is None
    perfect = ToyWorld(n_rules=1, prompt=PROMPT.replace("Be exact.", "Rule 0."))
    found, context = search(name, perfect)
    assert found is None
    assert context.proposed == []
    assert context.staged == []
    context = ToyContext(ToyWorld(), [], budget=100)
    assert asyncio.run(MAKERS[name]().search(context)) is None


@every_policy
def test_the_end_of_the_budget_is_not_swallowed_but_what_was_found_is_kept(name: str) -> None:
    class Blind(ToyContext):
        """Says that nothing limits it, until it does."""

        @property
        def task_calls_left(self) -> int | None:
            return None

    ended: list[str] = []
    for budget in (5, 60, 250):
        context = Blind(ToyWorld(), [ToyGenerator("lessons", lessons)], budget=budget)
        try:
            found = asyncio.run(MAKERS[name]().search(context))
        except BudgetExceeded:
            assert context.staged == []
            continue
        assert found is not None
        ended += [event.text for event in context.events if isinstance(event, Noted)]
    assert ended
    assert set(ended) == {"the search ended early: no task calls are left"}


@every_policy
def test_one_generator_that_fails_ends_the_search_after_what_is_paid_for(name: str) -> None:
    def fail(base: Candidate, evidence: Evidence, rng: random.Random) -> list[str]:
        raise RuntimeError("no model")

    context = ToyContext(ToyWorld(), [ToyGenerator("fail", fail)], budget=300)
    with pytest.raises(RuntimeError, match="no model"):
        asyncio.run(MAKERS[name]().search(context))


@every_policy
def test_no_candidate_is_measured_on_cases_that_it_shows(name: str) -> None:
    world = ToyWorld(noise=0.3, n_rules=2, prompt=PROMPT.replace("Be exact.", "Rule 0."))
    demos = Demos(settings=DemoSettings(max_runs=0, max_order_runs=0))
    _, context = search(name, world, demos, ToyGenerator("lessons", lessons))
    shown = {item.id: demo_case_ids(item.program) for item in context.candidates.values()}
    measured = [
        (candidate, cases)
        for candidate, purpose, cases in context.ran
        if purpose not in ("batch", "baseline")
    ]
    assert any(shown[candidate] for candidate, _ in measured)
    for candidate, cases in measured:
        assert not shown[candidate] & set(cases)


@every_policy
def test_questions_show_only_what_was_decided(name: str) -> None:
    generator = ToyGenerator("teach", teach)
    _, context = search(name, ToyWorld(noise=0.1), generator, budget=700)
    shown = {point.program_id for _, e in generator.asked for point in e.trajectory}
    decided = {event.candidate_id for event in context.events if isinstance(event, Accepted)}
    assert len(shown) > 1
    assert shown <= decided | {context.baseline.id}
    for _, evidence in generator.asked:
        scores = [point.score_pct for point in evidence.trajectory]
        assert scores == sorted(scores)
        assert evidence.rejected == ()


class TestPareto(PolicyContract):
    def policy(self) -> SearchPolicy:
        return POLICIES["pareto"]()


class TestBeam(PolicyContract):
    def policy(self) -> SearchPolicy:
        return POLICIES["beam"]()


class TestHalving(PolicyContract):
    def policy(self) -> SearchPolicy:
        return POLICIES["halving"]()


class TestRacing(PolicyContract):
    def policy(self) -> SearchPolicy:
        return POLICIES["racing"]()
