"""Pairs to merge: the preconditions of criterion G7, one by one."""

from __future__ import annotations

import random

import pytest

from promptyard.records.edits import Candidate, Replace, apply_edits
from promptyard.search.merging import Merger, Pair, stratified
from promptyard.search.pool import Pool
from support.toy_search import ToyWorld

SEED = ToyWorld().seed_prompt
SCORES = {f"c{n}": 0.0 for n in range(8)}


def child(base: Candidate, text: str, section: str) -> Candidate:
    edit = Replace(section=section, start=0, end=0, old="", text=f"{text}\n")
    program = apply_edits(base.program, (edit,))
    return Candidate(program=program, parents=(base.id,), edits=(edit,))


ONE, TWO = child(SEED, "One.", "rules"), child(SEED, "Two.", "style")


def find(
    strength: dict[str, float],
    *members: Candidate,
    front: list[str] | None = None,
    scores: dict[str, dict[str, float]] | None = None,
) -> tuple[Pair | None, Merger]:
    pool = Pool(SEED)
    for item in members:
        pool.add(item)
    merger = Merger(pool, 5)
    shared = scores or dict.fromkeys(strength, SCORES)
    names = front or [item.id for item in members]
    return merger.pair(names, strength, shared, random.Random(0)), merger


def test_g7_two_children_that_changed_different_parts_are_a_pair_the_better_one_first() -> None:
    strength = {SEED.id: 0.2, ONE.id: 0.4, TWO.id: 0.5}
    pair, merger = find(strength, ONE, TWO)
    assert pair is not None
    assert (pair.base.id, pair.other.id, pair.ancestor.id) == (TWO.id, ONE.id, SEED.id)
    assert len(set(pair.case_ids)) == 5
    scores = dict.fromkeys(strength, SCORES)
    again = merger.pair([ONE.id, TWO.id], strength, scores, random.Random(1))
    assert again is None  # no pair twice


def test_g7_an_ancestor_and_its_descendant_are_no_pair() -> None:
    grandchild = child(ONE, "Two.", "style")
    for weaker, stronger in ((ONE, grandchild), (grandchild, ONE)):
        strength = {SEED.id: 0.2, weaker.id: 0.4, stronger.id: 0.5}
        assert find(strength, ONE, grandchild)[0] is None


def test_g7_the_common_ancestor_is_no_stronger_than_either() -> None:
    assert find({SEED.id: 0.45, ONE.id: 0.4, TWO.id: 0.5}, ONE, TWO)[0] is None
    assert find({SEED.id: 0.4, ONE.id: 0.4, TWO.id: 0.5}, ONE, TWO)[0] is not None


def test_g7_one_side_alone_must_have_changed_a_part() -> None:
    other = child(SEED, "Other.", "rules")
    assert find({SEED.id: 0.2, ONE.id: 0.4, other.id: 0.5}, ONE, other)[0] is None


def test_g7_five_shared_cases_are_needed() -> None:
    strength = {SEED.id: 0.2, ONE.id: 0.4, TWO.id: 0.5}
    four = {name: dict(list(SCORES.items())[:4]) for name in strength}
    assert find(strength, ONE, TWO, scores=four)[0] is None


def test_g7_only_who_is_on_the_front_is_merged() -> None:
    strength = {SEED.id: 0.2, ONE.id: 0.4, TWO.id: 0.5}
    assert find(strength, ONE, TWO, front=[SEED.id, TWO.id])[0] is None


@pytest.mark.parametrize(
    ("wins", "losses", "ties", "expected"),
    [(9, 9, 9, (2, 2, 1)), (1, 9, 9, (1, 2, 2)), (0, 1, 9, (0, 1, 4)), (9, 0, 0, (5, 0, 0))],
)
def test_g7_the_cases_are_a_third_wins_a_third_losses_a_third_ties(
    wins: int, losses: int, ties: int, expected: tuple[int, int, int]
) -> None:
    one = {f"w{n}": 1.0 for n in range(wins)} | {f"l{n}": 0.0 for n in range(losses)}
    one |= {f"t{n}": 0.5 for n in range(ties)}
    other = {name: {"w": 0.0, "l": 1.0, "t": 0.5}[name[0]] for name in one}
    drawn = stratified(list(one), one, other, 5, random.Random(0))
    assert len(set(drawn)) == 5
    assert tuple(sum(name[0] == kind for name in drawn) for kind in "wlt") == expected
