"""The policy `pareto` with GEPA's generators (criteria G1 to G7, E3, E5, E6, E8, E9)."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

import pytest

from promptyard.candidates.merge import Merge
from promptyard.errors import BudgetExceeded
from promptyard.protocols import Bench, Generator
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate, Proposal
from promptyard.records.events import Accepted, Eliminated, Noted
from promptyard.records.evidence import Evidence
from promptyard.records.prompts import Program, Prompt
from promptyard.records.scores import Score, Trial
from promptyard.search.objectives import ObjectiveSettings
from promptyard.search.pareto import Pareto, ParetoSearch, ParetoSettings
from promptyard.stats.paired import compare_paired
from support.toy_search import PROMPT, ToyContext, ToyGenerator, ToyWorld, chatter, teach


def search(
    world: ToyWorld,
    *generators: Generator,
    budget: int | None = 600,
    jitter: int = 0,
    seed: int = 0,
    **settings: object,
) -> tuple[Candidate | None, ToyContext]:
    context = ToyContext(world, generators, budget=budget, jitter=jitter, seed=seed)
    policy = Pareto(ParetoSettings.model_validate({"steps_per_width": 1, **settings}))
    return asyncio.run(policy.search(context)), context


def of(context: ToyContext, purpose: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(name, cases) for name, said, cases in context.ran if said == purpose]


def score(context: ToyContext, name: str, cases: Sequence[str]) -> float:
    known = context.scores(context.candidates[name])
    return sum(known[case] for case in cases)


def test_g1_a_child_goes_on_if_and_only_if_it_gains_on_the_same_three_cases() -> None:
    _, context = search(ToyWorld(noise=0.15), ToyGenerator("teach", teach), width=1)
    batches = of(context, "batch")
    measured = {name for name, _ in of(context, "choose")}
    n_equal = 0
    for name, cases in batches:
        candidate = context.candidates[name]
        if not candidate.parents or (candidate.parents[0], cases) not in batches:
            continue
        assert len(cases) == 3
        gain = score(context, name, cases) - score(context, candidate.parents[0], cases)
        made = next(i for i, (n, _) in enumerate(batches) if n == name)
        if batches[made][1] == cases:  # its first batch is the one that it was tried on
            assert (gain > 0) == (name in measured)
            n_equal += gain == 0
    assert n_equal > 0


def test_g1_equal_is_rejected() -> None:
    found, context = search(ToyWorld(), ToyGenerator("chatter", chatter))
    assert found is None
    assert of(context, "choose") == []
    assert any(isinstance(event, Eliminated) for event in context.events)


def test_g2_who_gains_is_measured_once_on_all_cases_that_choose_and_nobody_else() -> None:
    _, context = search(ToyWorld(noise=0.15), ToyGenerator("teach", teach))
    choosing = of(context, "baseline")[0][1]
    accepted = {event.candidate_id for event in context.events if isinstance(event, Accepted)}
    assert accepted
    assert {name for name, _ in of(context, "choose")} >= accepted
    calls = Counter(context.calls)
    for name in context.candidates:
        n_measured = [calls[name, case] for case in choosing]
        assert n_measured == [1] * len(choosing) or not any(n_measured)


def test_e3_no_case_is_run_twice_and_the_cases_that_choose_never_teach() -> None:
    generator = ToyGenerator("teach", teach)
    _, context = search(ToyWorld(noise=0.1), generator, Merge(), jitter=3)
    assert max(Counter(context.calls).values()) == 1
    choosing = frozenset(of(context, "baseline")[0][1])
    for _, evidence in generator.asked:
        assert not choosing & {row.case.id for row in (*evidence.failures, *evidence.successes)}


def test_g3_parents_are_drawn_by_their_fronts_and_the_dominated_never() -> None:
    context = ToyContext(ToyWorld(), [ToyGenerator("chatter", chatter)])
    engine = ParetoSearch(context, ParetoSettings())
    values = {
        context.baseline.id: {"case:a": 0.0, "case:b": 0.0, "case:c": 0.0, "case:d": 0.0},
        "one": {"case:a": 1.0, "case:b": 1.0, "case:c": 1.0, "case:d": 0.0},
        "two": {"case:a": 0.0, "case:b": 0.0, "case:c": 0.0, "case:d": 1.0},
        "weak": {"case:a": 1.0, "case:b": 0.0, "case:c": 0.0, "case:d": 0.0},
    }
    engine.values.update(values)
    weights = engine.weights()
    assert weights == {"one": 3, "two": 1}
    drawn = Counter(
        random.Random(f"0:pareto:{n}").choices(list(weights), list(weights.values()))[0]
        for n in range(4000)
    )
    chi_square = sum((drawn[name] - 1000 * w) ** 2 / (1000 * w) for name, w in weights.items())
    assert chi_square < 6.63  # 1 degree of freedom, 1 %


def test_g3_in_a_search_the_parents_are_on_the_front_when_they_are_drawn() -> None:
    class Watching(ParetoSearch):
        def _begin(self, number: int):  # type: ignore[no-untyped-def]
            before = dict(self._turns)
            front = set(self.weights())
            work = super()._begin(number)
            drawn = [name for name, turn in self._turns.items() if turn != before.get(name)]
            assert set(drawn) <= front
            return work

    context = ToyContext(ToyWorld(noise=0.1), [ToyGenerator("teach", teach)], budget=600)
    asyncio.run(Watching(context, ParetoSettings()).run())
    assert len({base for _, base, _ in context.proposed}) > 2


def test_g4_the_part_goes_round_for_each_candidate_by_itself() -> None:
    generator = ToyGenerator("teach", teach)
    search(ToyWorld(n_rules=8, noise=0.1), generator, budget=2000, width=1)
    targets: dict[str, list[str]] = {}
    for base, evidence in generator.asked:
        assert evidence.target is not None
        targets.setdefault(base, []).append(evidence.target[1])
    assert sum(len(names) > 3 for names in targets.values()) > 1
    for names in targets.values():
        assert names == [("system", "rules", "style")[n % 3] for n in range(len(names))]


def test_g5_an_all_perfect_batch_asks_no_generator() -> None:
    world = ToyWorld(n_rules=1, prompt=PROMPT.replace("Be exact.", "Rule 0."))
    found, context = search(world, ToyGenerator("teach", teach))
    assert found is None
    assert context.proposed == []
    assert of(context, "batch")


def test_rejected_attempts_and_their_flips_are_shown_to_the_next_question() -> None:
    def harm(base: Candidate, evidence: Evidence, rng: random.Random) -> list[str]:
        return [f"Trap 9. Note {rng.randrange(10**6)}."]

    prompt = PROMPT.replace("Be exact.", "Rule 0. Rule 1.")
    generator = ToyGenerator("harm", harm)
    search(ToyWorld(n_rules=3, prompt=prompt), generator, width=1)
    attempts = [attempt for _, evidence in generator.asked for attempt in evidence.attempts]
    assert any("Trap 9." in attempt.texts for attempt in attempts)
    assert any(attempt.broke for attempt in attempts)
    assert all("no gain on 3 cases" in attempt.outcome for attempt in attempts)


def specialists(base: Candidate, evidence: Evidence, rng: random.Random) -> list[str]:
    """Teach a rule only to the seed: children of the seed, each with another rule."""
    return teach(base, evidence, rng) if not base.parents else []


def test_g7_specialists_are_merged_after_a_gain_and_only_then() -> None:
    one, two = (
        ToyGenerator("rules", specialists, "rules"),
        ToyGenerator("style", specialists, "style"),
    )
    found, context = search(ToyWorld(n_rules=4), one, two, Merge(), width=1)
    assert found is not None
    merges = [event for event in context.events if isinstance(event, Accepted)]
    merged = [context.candidates[event.candidate_id] for event in merges]
    merged = [item for item in merged if item.generator == "merge"]
    assert merged
    for item in merged:
        assert len(item.parents) == 2
    kinds = [name for name, _, _ in context.proposed]
    for at, kind in enumerate(kinds):
        assert kind != "merge" or kinds[at - 1] != "merge"
    for name, cases in of(context, "merge"):
        assert len(cases) == 5
        child = context.candidates[name]
        parents = [context.candidates[parent] for parent in child.parents]
        entered = name in {event.candidate_id for event in merges}
        bar = max(score(context, parent.id, cases) for parent in parents)
        assert entered == (len(context.scores(child)) > 5)
        if entered:
            assert score(context, name, cases) >= bar


def test_g7_the_quota_counts_merges_that_were_taken() -> None:
    one, two = (
        ToyGenerator("rules", specialists, "rules"),
        ToyGenerator("style", specialists, "style"),
    )
    for quota in (0, 1):
        _, context = search(ToyWorld(n_rules=4), one, two, Merge(), width=1, max_merges=quota)
        taken = [
            event
            for event in context.events
            if isinstance(event, Accepted)
            and not event.served
            and context.candidates[event.candidate_id].generator == "merge"
        ]
        assert len(taken) == quota


def test_g7_a_rejected_merge_leaves_the_quota_as_it_was() -> None:
    one, two = (
        ToyGenerator("rules", specialists, "rules"),
        ToyGenerator("style", specialists, "style"),
    )
    bad = ToyGenerator("merge", lambda base, evidence, rng: [f"Trap 9. Note {rng.random()}."])
    search(ToyWorld(n_rules=6), one, two, bad, width=1, max_merges=1)
    assert len(bad.asked) > 1
    assert {evidence.relatives is not None for _, evidence in bad.asked} == {True}


@pytest.mark.parametrize("width", [1, 4])
@pytest.mark.no_cover  # the same searches in many orders
def test_the_same_answers_give_the_same_search_whoever_is_first(width: int) -> None:
    stories: list[object] = []
    for jitter in (1, 2, 3):
        world = ToyWorld(noise=0.1, n_rules=6)
        found, context = search(
            world, ToyGenerator("teach", teach), Merge(), jitter=jitter, width=width
        )
        stories.append((found and found.id, context.story(), context.served, context.origins))
    assert stories[0] == stories[1] == stories[2]


def test_a_slow_proposal_holds_nobody_up() -> None:
    class Slow(ToyGenerator):
        async def propose(
            self, base: Candidate, evidence: Evidence, bench: Bench, rng: random.Random
        ) -> Sequence[Proposal]:
            first = not self.asked
            result = await super().propose(base, evidence, bench, rng)
            if first:
                await gate.wait()
            return result

    async def work() -> list[str]:
        context = ToyContext(ToyWorld(), [Slow("teach", teach)], budget=600)
        policy = Pareto(ParetoSettings(steps_per_width=1))
        task = asyncio.create_task(policy.search(context))
        for _ in range(200):
            await asyncio.sleep(0)
        waiting = [name for name, _ in of(context, "choose")]
        gate.set()
        await task
        return waiting

    gate = asyncio.Event()
    assert len(asyncio.run(work())) >= 2  # others were proposed and measured meanwhile


def test_a_short_search_goes_deep_and_a_long_one_wide() -> None:
    class Counting(ToyGenerator):
        under_way = most = 0

        async def propose(
            self, base: Candidate, evidence: Evidence, bench: Bench, rng: random.Random
        ) -> Sequence[Proposal]:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            for _ in range(20):
                await asyncio.sleep(0)
            self.under_way -= 1
            return await super().propose(base, evidence, bench, rng)

    for budget, width in ((200, 1), (5000, 4)):
        generator = Counting("teach", teach)
        context = ToyContext(ToyWorld(), [generator], budget=budget)
        asyncio.run(Pareto(ParetoSettings(max_steps=8)).search(context))
        assert generator.most == width


def test_e2_it_stops_before_the_budget_and_says_nothing_of_it() -> None:
    for budget in (40, 100, 300):
        found, context = search(ToyWorld(), ToyGenerator("teach", teach), budget=budget)
        assert len(context.calls) <= budget
        assert not [event for event in context.events if isinstance(event, Noted)]
        del found


def test_a_budget_that_ends_unexpectedly_keeps_what_was_found() -> None:
    class Costly(ToyContext):
        @property
        def task_calls_left(self) -> int | None:
            return None

    context = Costly(ToyWorld(), [ToyGenerator("teach", teach)], budget=300)
    found = asyncio.run(Pareto().search(context))
    assert found is not None
    assert any("ended early" in event.text for event in context.events if isinstance(event, Noted))
    poor = Costly(ToyWorld(), [ToyGenerator("teach", teach)], budget=10)
    with pytest.raises(BudgetExceeded):
        asyncio.run(Pareto().search(poor))


def test_the_finalists_lead_over_the_baseline_and_are_three_at_most() -> None:
    found, context = search(ToyWorld(noise=0.1), ToyGenerator("teach", teach))
    assert found is not None
    ((stage, finalists),) = context.staged
    assert stage == "full"
    assert 1 <= len(finalists) <= 3
    assert context.baseline.id not in finalists
    assert found.id in finalists


def test_what_is_served_leads_and_is_blamed_sentence_by_sentence() -> None:
    found, context = search(ToyWorld(), ToyGenerator("teach", teach))
    assert found is not None
    assert context.served
    texts = {origin.atom.text for origin in context.origins[found.id]}
    for line in found.program.prompt.text.splitlines():
        assert not line.startswith("Rule ") or line in texts
    assert all(origin.generator == "teach" for origin in context.origins[found.id])


class UnsafeWorld(ToyWorld):
    """Traps of this world help the answers and hurt their safety."""

    def passes(self, program: Program, case: Case) -> bool:
        text = program.prompt.text.replace("Trap", "Rule")
        return super().passes(Program.single(Prompt.from_text(text)), case)

    def trial(self, program: Program, case: Case) -> Trial:
        safe = Score(
            metric="safe", value=float("Trap" not in program.prompt.text), dimension="safety"
        )
        made = super().trial(program, case)
        return made.model_copy(update={"scores": (*made.scores, safe)})


def test_a_candidate_that_loses_a_protected_dimension_stays_out() -> None:
    def trap(base: Candidate, evidence: Evidence, rng: random.Random) -> list[str]:
        return [f"Trap {rule[5:-1]}." for rule in teach(base, evidence, rng)]

    world = UnsafeWorld(n_rules=4)
    found, context = search(world, ToyGenerator("trap", trap))
    reasons = [event.reason for event in context.events if isinstance(event, Eliminated)]
    assert any(reason.startswith("loses 100 points of safety") for reason in reasons)
    assert found is None
    careless = ObjectiveSettings(protected=("accuracy",))
    found, _ = search(UnsafeWorld(n_rules=4), ToyGenerator("trap", trap), objectives=careless)
    assert found is not None


def test_e9_the_planted_rules_are_found_within_the_budget() -> None:
    quality: list[float] = []
    for seed in range(5):
        world = ToyWorld(noise=0.05, seed=seed)
        found, _ = search(world, ToyGenerator("teach", teach), Merge(), seed=seed)
        quality.append(world.quality(found.program) if found else 0.0)
    assert sum(quality) / len(quality) > 0.7  # the baseline has 0.05


@pytest.mark.no_cover  # the same search again and again
def test_e8_a_null_generator_is_promoted_with_at_most_alpha() -> None:
    n_seeds, n_promoted = 100, 0
    for seed in range(n_seeds):
        world = ToyWorld(noise=0.3, n_rules=1, seed=seed)
        found, _ = search(world, ToyGenerator("chatter", chatter), seed=seed, budget=150)
        if found is not None:
            before, after = (
                [float(world.passes(program, case)) for case in world.holdout]
                for program in (world.seed_prompt.program, found.program)
            )
            test = compare_paired(before, after)
            n_promoted += test.p_value <= 0.05 and test.interval.low > 0
    assert n_promoted <= 0.05 * n_seeds
