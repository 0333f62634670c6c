"""Bars: what is settled is settled in every order, and nothing else is."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.records.evidence import TrainTrial
from promptyard.search.bars import GainBar, RankBar
from support.stations import label_case, train_trial


def row(name: str, score: float | None) -> TrainTrial:
    made = train_trial(label_case(name, name, "a"), "a")
    status = "error" if score is None else "scored"
    trial = made.trial.model_copy(update={"score": score, "status": status})
    return made.model_copy(update={"trial": trial})


@pytest.mark.parametrize(
    ("strict", "own", "cleared"),
    [(True, 2, False), (True, 3, True), (False, 2, True), (False, 1, False)],
)
def test_equal_clears_the_bar_only_where_it_is_not_strict(
    strict: bool, own: int, cleared: bool
) -> None:
    before = {f"c{n}": float(n < 2) for n in range(5)}
    rows = [row(f"c{4 - n}", float(n < own)) for n in range(5)]
    assert GainBar(before, strict=strict).is_cleared(rows) == cleared


SCORES = st.sampled_from([0.0, 0.5, 1.0, None])


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), SCORES), min_size=1, max_size=6),
    st.booleans(),
    st.randoms(),
)
def test_a_gain_bar_stops_only_who_could_not_clear_it(
    pairs: list[tuple[float, float | None]], strict: bool, rng: random.Random
) -> None:
    before = {f"c{n}": pair[0] for n, pair in enumerate(pairs)}
    rows = [row(f"c{n}", pair[1]) for n, pair in enumerate(pairs)]
    cleared = GainBar(before, strict=strict).is_cleared(rows)
    rng.shuffle(rows)
    bar = GainBar(before, strict=strict)
    stopped = next((n for n, item in enumerate(rows) if bar.add(item)), None)
    if stopped is not None:
        assert not cleared
        assert not GainBar(before, strict=strict).is_cleared(rows[: stopped + 1])


def test_without_any_score_nothing_is_cleared() -> None:
    assert not GainBar({"a": 0.0}).is_cleared([row("a", None)])
    assert not GainBar({"a": 0.0}, strict=False).is_cleared([])


@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 0.5, 1.0, None]), min_size=4, max_size=4),
        min_size=2,
        max_size=5,
    ),
    st.integers(1, 3),
    st.randoms(),
)
def test_a_rank_bar_drops_only_who_is_not_among_the_best(
    table: list[list[float | None]], n_kept: int, rng: random.Random
) -> None:
    names = [f"p{n}" for n in range(len(table))]
    ids = [f"c{n}" for n in range(4)]
    means = {
        name: sum(known) / len(known) if 2 * len(known) >= 4 else -1.0
        for name, scores in zip(names, table, strict=True)
        for known in [[score for score in scores if score is not None]]
    }
    arrivals = list(itertools.product(names, range(4)))
    rng.shuffle(arrivals)
    bar = RankBar(n_kept, dict.fromkeys(names, ids))
    for name, at in arrivals:
        if bar.add(name, row(ids[at], table[names.index(name)][at])):
            assert sum(other > means[name] for other in means.values()) >= n_kept


def test_a_rank_bar_drops_early_and_knows_what_was_known() -> None:
    ids = [f"c{n}" for n in range(10)]
    bar = RankBar(1, {"good": ids, "bad": ids})
    bar.know("good", dict.fromkeys(ids, 1.0))
    assert not bar.is_out("bad")  # it can still tie
    assert bar.add("bad", row("c0", 0.0))
    assert not bar.is_out("good")
