"""Laws of `citation_ids`, and the counts that micro-averages are made of."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.metrics.citation_ids import MODES, Mode, share
from promptyard.records.base import Json
from promptyard.records.scores import HitCounts, Score

from .grading import grade

IDS = st.frozensets(st.sampled_from(["T", "P1", "P2", "P3", "P4"]))


def _grade(gold: Json, answer: Json, **options: Json) -> Score:
    (score,) = grade("citation_ids", json.dumps(answer), expected=gold, options=options)
    return score


@given(IDS, IDS)
def test_f1_is_the_same_both_ways_and_precision_is_recall_the_other_way(
    gold: frozenset[str], given_ids: frozenset[str]
) -> None:
    here = {mode: _grade([*gold], [*given_ids], mode=mode).value for mode in MODES}
    there = {mode: _grade([*given_ids], [*gold], mode=mode).value for mode in MODES}
    assert here["f1"] == pytest.approx(there["f1"])
    assert here["exact"] == there["exact"] == float(gold == given_ids)
    if gold and given_ids:
        assert here["precision"] == there["recall"]
        precision, recall = here["precision"], here["recall"]
        total = precision + recall
        assert here["f1"] == pytest.approx(2 * precision * recall / total if total else 0.0)


@given(IDS)
def test_gold_fed_back_is_flawless_in_every_mode(gold: frozenset[str]) -> None:
    for mode in MODES:
        score = _grade([*gold], sorted(gold), mode=mode)
        assert (score.value, score.tags) == (1.0, ())


@given(IDS, IDS, st.sampled_from(MODES))
def test_counts_are_those_of_the_sets(
    gold: frozenset[str], given_ids: frozenset[str], mode: Mode
) -> None:
    score = _grade([*gold], [*given_ids], mode=mode)
    counts = HitCounts(n_hits=len(gold & given_ids), n_given=len(given_ids), n_expected=len(gold))
    assert score.counts == counts
    assert score.value == pytest.approx(share(mode, counts))
    assert bool(score.tags) == (score.value < 1.0)


def test_an_answer_that_cannot_be_read_counts_as_misses() -> None:
    (score,) = grade("citation_ids", "T and P1", expected=["T", "P1"])
    assert score.counts == HitCounts(n_hits=0, n_given=0, n_expected=2)


def test_the_reason_says_what_is_too_much_and_what_is_missing() -> None:
    score = _grade(["T", "P1"], ["T", "P2"])
    assert score.reason == '1 of 2 expected ids among 2 given; too many ["P2"]; missing ["P1"]'


def test_very_many_ids_are_graded() -> None:
    score = _grade(["T"], ["T", *range(200_000)])
    assert score.counts == HitCounts(n_hits=1, n_given=200_001, n_expected=1)
    assert len(score.reason) < 300
