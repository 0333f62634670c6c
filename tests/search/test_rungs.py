"""Rungs: nested prefixes, exact numbers of survivors, calls cancelled without a loss."""

from __future__ import annotations

import asyncio

from promptyard.records.edits import Candidate, Replace, apply_edits
from promptyard.records.events import Eliminated
from promptyard.search.rungs import climb
from promptyard.stats.bandits import sequential_halving
from promptyard.stats.halving import Rung, schedule_calls
from support.toy_search import ToyContext, ToyWorld


def with_rules(world: ToyWorld, *rules: int, note: str = "") -> Candidate:
    text = " ".join(f"Rule {rule}." for rule in rules) + note
    edit = Replace(section="rules", start=0, end=0, old="", text=text + "\n")
    program = apply_edits(world.seed_prompt.program, (edit,))
    return Candidate(program=program, parents=(world.seed_prompt.id,), edits=(edit,))


def candidates(world: ToyWorld) -> list[Candidate]:
    """Eight candidates; the more rules, the better. The best is the sixth."""
    rules = [(0,), (1,), (0, 1), (2,), (0, 2), (0, 1, 2, 3, 4), (3,), (0, 1, 2)]
    return [with_rules(world, *some) for some in rules]


def race(jitter: int, schedule: tuple[Rung, ...], world: ToyWorld) -> tuple[list[str], ToyContext]:
    context = ToyContext(world, [], jitter=jitter)
    order = context.train
    left = asyncio.run(climb(context, candidates(world), order, schedule, purpose="rung"))
    return [item.id for item in left], context


def test_total_pulls_stay_within_the_budget_and_subsets_are_nested() -> None:
    world = ToyWorld()
    schedule = sequential_halving(8, 200)
    left, context = race(1, schedule, world)
    assert left == [candidates(world)[5].id]
    assert len(context.calls) + context.cancelled <= schedule_calls(schedule, 8) <= 200
    order = [case.id for case in context.train]
    for _, _, cases in context.ran:
        assert list(cases) == order[: len(cases)]


def test_each_rung_halves_by_rank() -> None:
    world = ToyWorld(noise=0.1)
    schedule = sequential_halving(8, 400, n_kept=2)
    left, context = race(0, schedule, world)
    assert len(left) == 2
    gone = [event for event in context.events if isinstance(event, Eliminated)]
    assert len(gone) == 6
    asked = {name for name, _, cases in context.ran if len(cases) == schedule[1].n_cases}
    assert len(asked) <= 4
    first = {event.candidate_id for event in gone[:4]}
    assert not first & asked


def test_cancelling_loses_nothing_and_the_order_of_answers_is_no_matter() -> None:
    world = ToyWorld(noise=0.1)
    schedule = sequential_halving(8, 300, n_kept=2)
    runs = [race(jitter, schedule, world) for jitter in range(6)]
    assert len({tuple(left) for left, _ in runs}) == 1
    assert len({tuple(context.story()) for _, context in runs}) == 1
    assert sum(context.cancelled for _, context in runs) > 0
    patient = ToyContext(world, [])
    for item in candidates(world):  # everything is known: nothing can be cancelled
        asyncio.run(patient.run(item, patient.train, purpose="all"))
    whole = asyncio.run(climb(patient, candidates(world), patient.train, schedule, purpose="rung"))
    assert [item.id for item in whole] == runs[0][0]


def test_the_shorter_prompt_wins_a_tie_and_never_more_are_kept_than_said() -> None:
    world = ToyWorld()
    long, short = with_rules(world, 0, note=" Take your time."), with_rules(world, 0)
    context = ToyContext(world, [])
    tied = [long, short, with_rules(world, 0, note=" Think twice, please.")]
    left = asyncio.run(climb(context, tied, context.train, (Rung(20, 2),), purpose="rung"))
    assert [item.id for item in left] == [short.id, long.id]
