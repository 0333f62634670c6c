"""Similarity of inputs: exact neighbours, and clusters that are a partition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.candidates.similarity import (
    clusters,
    input_text,
    nearest,
    similarity,
    vectors_of,
)

TEXTS = [
    "my card was stolen",
    "the card is stolen",
    "add money to the account",
    "I want to add money",
    "can my son join",
]


def test_inputs_about_the_same_thing_are_nearer() -> None:
    vectors = vectors_of(TEXTS)
    assert nearest(vectors[0], vectors, 2) == [0, 1]
    assert nearest(vectors[2], vectors, 2) == [2, 3]


def test_inflections_and_scripts_without_spaces_are_still_alike() -> None:
    refunded, refunds, other = vectors_of(["refunded orders", "refunds of an order", "new card"])
    assert similarity(refunded, refunds) > similarity(refunded, other)
    one, two, three = vectors_of(["信用卡被盗了", "信用卡丢了", "我想充值"])
    assert similarity(one, two) > similarity(one, three)


def test_texts_without_a_word_are_alike_and_like_nothing_else() -> None:
    empty, marks, text = vectors_of(["", "?!", "money"])
    assert similarity(empty, marks) == pytest.approx(1.0)
    assert similarity(empty, text) == 0.0


def test_inputs_are_written_out_whatever_their_type() -> None:
    assert input_text({"a": "x", "b": {"k": [1, "y"]}}) == 'x\n{"k":[1,"y"]}'


texts = st.lists(st.text(alphabet="ab cd\n!", max_size=12), min_size=1, max_size=12)


@given(texts, st.integers(1, 12))
def test_neighbours_are_the_exact_top_k(pool: list[str], k: int) -> None:
    query, *vectors = vectors_of([pool[0], *pool])
    found = nearest(query, vectors, k)
    scores = [similarity(query, vector) for vector in vectors]
    assert len(found) == min(k, len(pool))
    assert [scores[index] for index in found] == sorted(scores, reverse=True)[:k]


@given(texts, st.integers(1, 6))
def test_clusters_are_a_partition_with_the_most_central_first(pool: list[str], k: int) -> None:
    vectors = vectors_of(pool)
    found = clusters(vectors, k)
    assert len(found) <= k
    assert sorted(index for group in found for index in group) == list(range(len(pool)))
    for vector in vectors:
        assert 0.999 < similarity(vector, vector) < 1.001


def test_one_cluster_a_topic() -> None:
    groups = {frozenset(group) for group in clusters(vectors_of(TEXTS), 3)}
    assert groups == {frozenset({0, 1}), frozenset({2, 3}), frozenset({4})}


def test_equal_inputs_open_no_second_cluster() -> None:
    assert clusters(vectors_of(["same words"] * 4), 3) == [[0, 1, 2, 3]]
