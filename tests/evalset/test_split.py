from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from promptyard.errors import EvalSetError
from promptyard.evalset.split import assign_splits
from promptyard.records.cases import SPLITS, Case, EvalSet, SplitName, eval_set_version
from promptyard.stats.assignment import assign_split


def case(case_id: str, *, cluster: str | None = None, split: SplitName | None = None) -> Case:
    return Case(id=case_id, input={"text": case_id}, cluster=cluster, split=split)


def split(
    cases: list[Case],
    *,
    seed: int = 7,
    train: float = 0.4,
    dev: float = 0.3,
    holdout: float = 0.3,
) -> EvalSet:
    return assign_splits(cases, seed=seed, train=train, dev=dev, holdout=holdout, name="support")


def refusal(cases: list[Case], **shares: float) -> str:
    with pytest.raises(EvalSetError) as caught:
        split(cases, **shares)  # pyright: ignore[reportArgumentType] (the seed is not among them)
    message = str(caught.value)
    assert "'support'" in message
    assert "\n" not in message
    return message


MANY = [case(f"c{number}") for number in range(300)]
CASES = st.lists(
    st.builds(
        case,
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6),
        cluster=st.none() | st.sampled_from("abc"),
    ),
    unique_by=lambda item: item.id,
    max_size=12,
)


def test_every_case_gets_a_split_and_the_set_its_version() -> None:
    eval_set = split(MANY)
    assert [item.id for item in eval_set.cases] == [item.id for item in MANY]
    sizes = Counter(item.split for item in eval_set.cases)
    assert 95 <= sizes["train"] <= 145
    assert 65 <= sizes["dev"] <= 115
    assert sum(sizes.values()) == 300
    assert eval_set.version == eval_set_version(eval_set.cases)
    assert eval_set.name == "support"


@settings(max_examples=40)
@given(more=CASES, seed=st.integers(0, 5))
def test_adding_cases_never_moves_old_ones(more: list[Case], seed: int) -> None:
    old = [case(f"old {number}", cluster=f"k{number // 2}") for number in range(40)]
    before = {item.id: item.split for item in split(old, seed=seed).cases}
    after = {item.id: item.split for item in split([*more, *old], seed=seed).cases}
    assert after.items() >= before.items()


@settings(max_examples=40)
@given(cases=CASES, given_split=st.sampled_from(SPLITS))
def test_a_cluster_is_never_parted(cases: list[Case], given_split: SplitName) -> None:
    assume(all(item.cluster != "pinned" for item in cases))
    pinned = [case("p1", cluster="a", split=given_split), case("p2", cluster="a")]
    taken = {item.id for item in [*MANY, *pinned]}
    eval_set = split([*(item for item in cases if item.id not in taken), *MANY, *pinned])
    found: dict[str, set[str | None]] = {}
    for item in eval_set.cases:
        if item.cluster:
            found.setdefault(item.cluster, set()).add(item.split)
    assert all(len(splits) == 1 for splits in found.values())
    assert found["a"] == {given_split}


@given(st.permutations(range(30)))
def test_the_order_of_cases_does_not_matter(order: list[int]) -> None:
    straight = {item.id: item.split for item in split(MANY[:30]).cases}
    mixed = split([MANY[index] for index in order])
    assert {item.id: item.split for item in mixed.cases} == straight
    assert mixed.version == split(MANY[:30]).version


def test_the_hash_is_that_of_the_cluster_else_of_the_id() -> None:
    for item in split([*MANY, case("x", cluster="c17")]).cases:
        key = item.cluster or item.id
        expected = assign_split(key, seed=7, train=0.4, dev=0.3, holdout=0.3)
        assert item.split == expected


def test_a_given_split_stands_whatever_the_shares() -> None:
    given_cases = [case("a", split="dev"), case("b", split="train"), case("c", split="holdout")]
    eval_set = split(given_cases, train=0.0, dev=0.0, holdout=1.0)
    assert [item.split for item in eval_set.cases] == ["dev", "train", "holdout"]


def test_another_seed_gives_another_version() -> None:
    assert split(MANY, seed=1).version != split(MANY, seed=2).version


def test_conflicting_splits_in_a_cluster_are_an_error() -> None:
    cases = [*MANY, case("x", cluster="k", split="train"), case("y", cluster="k", split="holdout")]
    message = refusal(cases)
    assert "cluster 'k' is in two splits: case 'x' gives train, case 'y' gives holdout" in message


def test_a_split_may_be_empty() -> None:
    assert split(MANY, train=0.0, dev=1.0, holdout=0.0).n_by_split == {
        "train": 0,
        "dev": len(MANY),
        "holdout": 0,
    }
    assert len(split(MANY[:1]).cases) == 1


def test_names_with_line_ends_stay_on_one_line() -> None:
    cases = [case("a\nb", cluster="k\n", split="train"), case("c", cluster="k\n", split="dev")]
    assert r"cluster 'k\n' is in two splits: case 'a\nb'" in refusal([*MANY, *cases])


def test_shares_that_cannot_be_are_an_error() -> None:
    assert "splits: split fractions are at least 0" in refusal(MANY, train=-0.1)
    assert "splits: split fractions" in refusal(MANY, train=0.0, dev=0.0, holdout=0.0)


def test_an_id_that_is_there_twice_is_an_error() -> None:
    assert "1 ids are there more than once: c1" in refusal([*MANY, case("c1")])


def test_a_number_that_is_not_finite_is_an_error() -> None:
    bad = Case(id="bad", input={"x": [1.0, float("nan")]})
    assert "case 'bad': input.x[1]: non-finite number" in refusal([*MANY, bad])
