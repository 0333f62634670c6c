"""The simulated rollouts in small, and that counting with arrays is counting events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from canary_rates import HEAD, WORLDS, Ended, run
from canary_worlds import World, count, draw, events, started
from promptyard.records.rollouts import RolloutPlan
from promptyard.release.look import look, look_at
from promptyard.release.standing import Standing
from promptyard.release.tally import Tally

ROOT = Path(__file__).resolve().parents[2]
BY_NAME = {world.name: world for world in WORLDS}
PAGE = ROOT / "docs/explanation/canary.md"


def ends_of(name: str, n_runs: int) -> list[Ended]:
    return [run(BY_NAME[name], 900_000 + seed) for seed in range(n_runs)]


def share(ends: list[Ended], action: str) -> float:
    return sum(end.action == action for end in ends) / len(ends)


def assert_same(one: Standing, two: Standing) -> None:
    columns = ({**one.columns}, {**two.columns})
    assert columns[0].keys() == columns[1].keys()
    for name, column in columns[0].items():
        other = columns[1][name]
        for mine, theirs in ((column.control, other.control), (column.treatment, other.treatment)):
            assert mine.n == theirs.n
            assert (mine.mean, mine.variance) == pytest.approx(
                (theirs.mean, theirs.variance), rel=1e-9, abs=1e-12
            )
    assert replace(one, columns={}) == replace(two, columns={})


@pytest.mark.parametrize(
    "world",
    [
        World("equal", n_subjects=1_500),
        World("worse", score=(0.9, 0.6), missing=(0.05, 0.2), n_subjects=1_000),
        World("outage", outage=(200, 400), share=0.6, n_subjects=1_000),
        World("silence", missing=(1.0, 1.0), n_subjects=300),
        World("pairs", failing=(0.05, 0.05), missing=(0.1, 0.1), n_subjects=1_200, shared=0.5),
        World("worse pairs", score=(0.9, 0.8), n_subjects=1_000, shared=0.2),
    ],
    ids=lambda world: world.name,
)
@pytest.mark.parametrize("seed", [1, 2])
def test_counting_with_arrays_gives_the_decisions_of_the_tally(world: World, seed: int) -> None:
    plan = RolloutPlan(
        mode="split" if world.shared is None else "shadow", min_subjects=40, baseline_outcomes=100
    )
    traffic = draw(world, np.random.default_rng(seed))
    record = started(plan)
    tally = Tally(record.rollout)
    told = events(traffic, world)
    ahead = next(told, None)
    n_decided = 0
    counts = count(traffic, plan, world)
    for number, (_, now) in enumerate(counts.looks):
        standing = counts.standing(number)
        while ahead is not None and ahead.seq <= standing.through:
            tally.add(ahead)
            ahead = next(told, None)
        assert_same(tally.standing(now), standing)
        slow = look(record, tally, now=now, pointer_number=1)
        fast = look_at(record, standing, now=now, pointer_number=1)
        assert (slow is None) == (fast is None)
        if slow is None or fast is None:
            continue
        n_decided += 1
        assert (slow.action, slow.reasons, slow.step) == (fast.action, fast.reasons, fast.step)
        record = record.model_copy(update={"decisions": (*record.decisions, slow)})
        if slow.is_final:
            break
    assert n_decided > 2


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_leaving_looks_out_that_can_only_hold_changes_no_end(world: World) -> None:
    for seed in (11, 12):
        short = run(world, seed)
        long = run(world, seed, every_look=True)
        if short.action == "hold":
            assert (short.action, short.alarm) == (long.action, long.alarm)
        else:
            assert short == long


def test_equal_prompts_are_promoted_and_rarely_rolled_back() -> None:
    ends = ends_of("equal, .80", 60)
    assert share(ends, "promote") >= 0.75
    assert share(ends, "roll_back") <= 0.05
    assert all(end.n_subjects <= 5_100 for end in ends)
    assert sum(end.naive for end in ends) >= 10  # what an ordinary test at every look does


def test_a_drop_of_ten_points_is_rolled_back_for_the_score() -> None:
    ends = ends_of("worse by 10 points, .80 → .70", 40)
    assert share(ends, "roll_back") == 1.0
    assert sum("score" in end.harmed for end in ends) >= 38
    assert sorted(end.n_subjects for end in ends)[20] < 700


def test_a_drop_of_the_margin_is_hardly_ever_promoted() -> None:
    assert share(ends_of("worse by 3 points, .80 → .77", 60), "promote") <= 0.05


@pytest.mark.parametrize(
    ("name", "dimension"),
    [
        ("latency times 1.3", "latency"),
        ("cost times 1.2", "cost"),
        ("hard failures 1 % → 5 %, score the same", "hard_failures"),
        ("missing outcomes 0.5 % → 5 %", "missing"),
    ],
)
def test_what_is_no_score_rolls_back_too(name: str, dimension: str) -> None:
    ends = ends_of(name, 15)
    assert share(ends, "roll_back") == 1.0
    assert sum(dimension in end.harmed for end in ends) >= 14


def test_an_outage_in_both_arms_rolls_nothing_back() -> None:
    ends = ends_of("outage: 40 % of 1,000 subjects fail in both arms", 40)
    assert share(ends, "roll_back") <= 0.05
    assert not any("hard_failures" in end.harmed for end in ends)


def test_a_faulty_split_is_found_and_rarely_promoted_before() -> None:
    ends = ends_of("53 % of the subjects in the treatment", 40)
    assert sum(end.alarm for end in ends) >= 28
    assert share(ends, "promote") <= 0.25
    assert share(ends, "roll_back") <= 0.05


@pytest.mark.parametrize("name", ["no outcome ever comes", "nobody comes"])
def test_without_data_the_end_is_a_rollback(name: str) -> None:
    end = run(BY_NAME[name], 1)
    assert (end.action, end.n_subjects, end.harmed) == ("roll_back", 0.0, ())


def test_the_page_shows_every_world() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert HEAD in text
    assert [line for line in WORLDS if f"\n| {line.name} | " not in text] == []
