"""The policy `beam` (criteria P3 and P6, PE2's way back)."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from promptyard.records.edits import Candidate
from promptyard.records.events import Accepted, Eliminated
from promptyard.records.evidence import Evidence
from promptyard.search.bandit import Arms
from promptyard.search.beam import Beam, BeamSettings
from support.toy_search import PROMPT, ToyContext, ToyGenerator, ToyWorld


def lessons(base: Candidate, evidence: Evidence, rng: random.Random) -> list[str]:
    tags = {tag for row in evidence.failures for score in row.trial.scores for tag in score.tags}
    return [f"Rule {tag.removeprefix('rule_')}." for tag in sorted(tags)]


def search(
    generator: ToyGenerator, world: ToyWorld | None = None, **settings: object
) -> ToyContext:
    context = ToyContext(world or ToyWorld(noise=0.1, n_rules=8), [generator], budget=600)
    policy = Beam(BeamSettings.model_validate(settings))
    asyncio.run(policy.search(context))
    return context


def bases_by_round(context: ToyContext) -> dict[int, list[str]]:
    rounds: dict[int, list[str]] = {}
    for _, base, attempt in context.proposed:
        rounds.setdefault(attempt, []).append(base)
    return rounds


SELECTIONS = pytest.mark.parametrize("selection", ["ucb", "rejects", "halving"])


@SELECTIONS
def test_p3_the_beam_has_exactly_its_size_once_there_are_enough(selection: str) -> None:
    context = search(ToyGenerator("lessons", lessons), selection=selection, n_kept=3)
    rounds = bases_by_round(context)
    assert len(rounds) > 3
    assert rounds[0] == [context.baseline.id]
    assert all(len(set(bases)) == len(bases) == 3 for n, bases in rounds.items() if n > 0)


@SELECTIONS
def test_p3_parents_compete_and_stay_where_children_are_worse(selection: str) -> None:
    def harm(base: Candidate, evidence: Evidence, rng: random.Random) -> list[str]:
        return [f"Trap {rng.randrange(10, 99)}. Note {rng.randrange(10**6)}." for _ in range(9)]

    world = ToyWorld(n_rules=3, prompt=PROMPT.replace("Be exact.", "Rule 0. Rule 1."))
    context = search(ToyGenerator("harm", harm), world, selection=selection, n_kept=1)
    assert {base for _, base, _ in context.proposed} == {context.baseline.id}
    gone = [event.candidate_id for event in context.events if isinstance(event, Eliminated)]
    assert len(gone) > 10
    assert context.baseline.id not in gone
    assert not [event for event in context.events if isinstance(event, Accepted)]


def test_pe2_the_search_goes_back_to_the_best_of_any_round() -> None:
    """One good round, then only bad ones: the parent of the last round is the good one."""

    def once(base: Candidate, evidence: Evidence, rng: random.Random) -> list[str]:
        if base.parents:
            return [f"Trap {rng.randrange(10, 99)}. Note {rng.randrange(10**6)}."]
        return lessons(base, evidence, rng)

    context = search(ToyGenerator("once", once), ToyWorld(n_rules=2), n_kept=2, n_rounds=5)
    last = bases_by_round(context)[4]
    best = max(
        (context.candidates[name] for name in context.candidates),
        key=lambda item: context.world.quality(item.program),
    )
    assert best.id in last


def test_at_most_eight_children_a_parent_are_measured() -> None:
    def many(base: Candidate, evidence: Evidence, rng: random.Random) -> list[str]:
        return [f"Note {n}." for n in range(14)]

    context = search(ToyGenerator("many", many), n_rounds=1, max_round_trials=600)
    measured = {name for name, purpose, _ in context.ran if purpose == "first"}
    assert len(measured) == 8
    assert len(context.candidates) == 15


def test_p6_each_arm_is_pulled_once_before_any_twice_and_pulls_stay_within_the_budget() -> None:
    context = search(ToyGenerator("lessons", lessons), n_rounds=1)
    pulls = [name for name, purpose, _ in context.ran if purpose in ("first", "pull")]
    n_arms = len(set(pulls))
    assert set(pulls[:n_arms]) == set(pulls)
    assert len(pulls) > n_arms
    assert len(context.calls) <= 600 // 1


def arms(world: ToyWorld, *texts: str) -> list[Candidate]:
    generator = ToyGenerator("given", lambda base, evidence, rng: texts)
    context = ToyContext(world, [generator])
    return list(asyncio.run(context.propose("given", context.baseline, Evidence())))


def test_the_bandit_pulls_the_best_arm_most_and_the_width_changes_little() -> None:
    world = ToyWorld(n_rules=3, noise=0.1, n_cases=200)
    some = arms(world, "Rule 0. Rule 1. Rule 2.", "Rule 0.", "Note.", "Rule 1.")
    for width in (1, 8):
        context = ToyContext(world, [])
        bandit = Arms(context, context.train, 4)
        n_made = asyncio.run(bandit.spend(some, 40, c=0.5, width=width))
        assert n_made == 40
        counts = [bandit.n_pulls(arm) for arm in some]
        assert sum(counts) == 40
        assert counts[0] == max(counts)
        assert counts[0] > 15
        assert bandit.best(some, 1) == [some[0]]
        assert max(Counter(context.calls).values()) == 1


def test_an_arm_stops_where_its_cases_are_used_up() -> None:
    world = ToyWorld(n_cases=10)
    some = arms(world, "Rule 0.", "Rule 1.")
    context = ToyContext(world, [])
    bandit = Arms(context, context.train, 4)
    assert asyncio.run(bandit.spend(some, 99, c=1.0, width=2)) == 6
    assert len(context.calls) == 20


def test_a_lucky_first_pull_is_no_proof() -> None:
    world = ToyWorld(n_cases=60)
    lucky, proven = arms(world, "Lucky.", "Proven.")
    bandit = Arms(ToyContext(world, []), world.train, 4)
    bandit.note((lucky.id, (1.0,) * 4))
    bandit.note((proven.id, (1.0,) * 38 + (0.0,) * 2))
    other = arms(world, "Poor.")[0]
    bandit.note((other.id, (0.0,) * 20))
    assert bandit.best([lucky, proven, other], 1) == [proven]
