from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.records.cases import SPLITS
from promptyard.stats.assignment import (
    UNIT,
    PreparedHash,
    arm_of,
    assign_split,
    is_enrolled,
    stratified_order,
    unit_hash,
    written,
)

from .scipy_oracle import scipy_stats

KEYS = [f"case-{index}" for index in range(10_000)]
STRATIFIED = st.lists(
    st.tuples(st.text(max_size=4), st.sampled_from(["easy", "edge", "hard"])),
    unique_by=lambda pair: pair[0],
    max_size=40,
)


def test_hashes_are_the_same_in_every_version() -> None:
    assert unit_hash(7, "c1") == 0.8004000166384746
    assert unit_hash("7", "c1", "split") == 0.8608623144892045
    digest = hashlib.sha256(b"1:75:split2:c1").digest()
    assert unit_hash(7, "c1", "split") == (int.from_bytes(digest[:8], "big") >> 11) / 2**53


@given(seed=st.integers(), key=st.text(), salt=st.text())
def test_every_key_has_a_hash_below_one(seed: int, key: str, salt: str) -> None:
    assert 0.0 <= unit_hash(seed, key, salt) < 1.0


def test_a_lone_surrogate_has_a_hash() -> None:
    assert 0.0 <= unit_hash(0, "\ud800") < 1.0


def test_seed_salt_and_key_are_kept_apart() -> None:
    triples = [("1", "2", "3"), ("12", "", "3"), ("1", "23", ""), ("", "12", "3"), ("1:2", "", "3")]
    assert len({unit_hash(*triple) for triple in triples}) == len(triples)


def test_hashes_are_uniform() -> None:
    hashes = [unit_hash(3, key) for key in KEYS]
    assert scipy_stats.kstest(hashes, "uniform").pvalue > 0.001


def test_salts_give_independent_numbers_for_the_same_key() -> None:
    enrolled = [unit_hash(3, key, "enrol") for key in KEYS]
    arm = [unit_hash(3, key, "arm") for key in KEYS]
    assert abs(float(scipy_stats.pearsonr(enrolled, arm).statistic)) < 0.04  # 4 sigma


def test_splits_have_the_sizes_that_were_asked_for() -> None:
    counts = Counter(assign_split(k, seed=1, train=0.4, dev=0.3, holdout=0.3) for k in KEYS)
    observed = [counts[name] for name in SPLITS]
    assert scipy_stats.chisquare(observed, [4_000, 3_000, 3_000]).pvalue > 0.001


def test_old_cases_stay_where_they_were() -> None:
    splits = [assign_split(f"case-{i}", seed=7, train=0.4, dev=0.3, holdout=0.3) for i in range(6)]
    assert splits == ["dev", "train", "dev", "holdout", "holdout", "train"]


def test_another_seed_is_another_split() -> None:
    def splits(seed: int) -> list[str]:
        return [assign_split(k, seed=seed, train=1, dev=1, holdout=1) for k in KEYS]

    agree = sum(one == two for one, two in zip(splits(1), splits(2), strict=True))
    assert agree / len(KEYS) == pytest.approx(1 / 3, abs=0.02)


@given(key=st.text(), seed=st.integers(0, 99))
def test_fractions_are_normalised(key: str, seed: int) -> None:
    by_share = assign_split(key, seed=seed, train=0.5, dev=0.25, holdout=0.25)
    assert assign_split(key, seed=seed, train=2, dev=1, holdout=1) == by_share


@given(
    key=st.text(),
    fractions=st.tuples(*[st.sampled_from([0.0, 0.1, 0.2, 0.7])] * 3).filter(any),
)
def test_a_split_of_fraction_zero_gets_nothing(
    key: str, fractions: tuple[float, float, float]
) -> None:
    train, dev, holdout = fractions
    chosen = assign_split(key, seed=0, train=train, dev=dev, holdout=holdout)
    assert dict(zip(SPLITS, fractions, strict=True))[chosen] > 0.0


@pytest.mark.parametrize("fractions", [(0.0, 0.0, 0.0), (0.5, -0.1, 0.6), (float("nan"), 1.0, 1.0)])
def test_fractions_that_cannot_be_are_an_error(fractions: tuple[float, float, float]) -> None:
    train, dev, holdout = fractions
    with pytest.raises(ValueError, match="split fractions"):
        assign_split("c", seed=0, train=train, dev=dev, holdout=holdout)


@given(keys=STRATIFIED, seed=st.integers(0, 9))
def test_every_prefix_is_balanced_over_the_strata(keys: list[tuple[str, str]], seed: int) -> None:
    order = stratified_order(keys, seed=seed)
    assert sorted(order) == sorted(key for key, _ in keys)
    stratum, sizes = dict(keys), Counter(name for _, name in keys)
    seen: Counter[str] = Counter()
    for key in order:
        seen[stratum[key]] += 1
        unfinished = [seen[name] for name in sizes if seen[name] < sizes[name]]
        assert not unfinished or max(seen.values()) - min(unfinished) <= 1


@given(keys=STRATIFIED, data=st.data())
def test_the_order_does_not_depend_on_the_order_of_the_cases(
    keys: list[tuple[str, str]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(keys))
    assert stratified_order(shuffled, seed=1) == stratified_order(keys, seed=1)


def test_new_cases_keep_the_order_of_old_ones_inside_a_stratum() -> None:
    old = [(f"case-{index}", index % 3) for index in range(30)]
    new = [(f"new-{index}", index % 4) for index in range(20)]
    before = stratified_order(old, seed=2)
    after = stratified_order([*old, *new], seed=2)
    stratum = dict(old)
    for name in range(3):
        members = [key for key in before if stratum[key] == name]
        assert [key for key in after if stratum.get(key) == name] == members


def test_the_order_inside_a_stratum_is_not_that_of_the_ids() -> None:
    order = stratified_order([(key, "one") for key in KEYS[:100]], seed=0)
    assert order != sorted(order)
    assert order != stratified_order([(key, "one") for key in KEYS[:100]], seed=1)


def test_an_id_that_occurs_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="once"):
        stratified_order([("a", 1), ("a", 2)], seed=0)


SUBJECTS = [f"user-{index}" for index in range(200_000)]


@given(st.text(max_size=8), st.text(max_size=8), st.floats(0, 1), st.floats(0, 1))
def test_enrolment_only_grows(rollout_id: str, subject: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert is_enrolled(rollout_id, subject, small) <= is_enrolled(rollout_id, subject, large)


@given(st.text(max_size=8), st.text(max_size=8), st.floats(0, 1))
def test_assignment_is_by_the_two_hashes_of_the_rollout(
    rollout_id: str, subject: str, enrolled: float
) -> None:
    assert is_enrolled(rollout_id, subject, enrolled) == (
        unit_hash(rollout_id, subject, "enrol") < enrolled
    )
    is_treatment = unit_hash(rollout_id, subject, "arm") < 0.5
    assert arm_of(rollout_id, subject) == ("treatment" if is_treatment else "control")


def test_nobody_is_enrolled_at_0_and_everybody_at_1() -> None:
    subjects = SUBJECTS[:2_000]
    assert not any(is_enrolled("r1", subject, 0.0) for subject in subjects)
    assert all(is_enrolled("r1", subject, 1.0) for subject in subjects)


def test_assignment_is_the_same_in_another_process() -> None:
    code = (
        "from promptyard.stats.assignment import arm_of, is_enrolled\n"
        "names = [f'user-{i}' for i in range(500)]\n"
        "print(''.join('.ct'[(1 + (arm_of('r1', n) == 'treatment')) * is_enrolled('r1', n, 0.3)]"
        " for n in names))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    ours = "".join(
        ".ct"[(1 + (arm_of("r1", name) == "treatment")) * is_enrolled("r1", name, 0.3)]
        for name in SUBJECTS[:500]
    )
    assert printed == {ours}


def test_arms_do_not_depend_on_enrolment() -> None:
    enrol = PreparedHash("r1", "enrol")
    arm = PreparedHash("r1", "arm")
    counts = [[0, 0], [0, 0]]
    for subject in SUBJECTS:
        key = written(subject)
        counts[enrol.bits(key) < 0.1 * UNIT][arm.bits(key) < UNIT // 2] += 1
    assert scipy_stats.chi2_contingency(counts).pvalue > 0.001
    n_enrolled = sum(counts[1])
    assert abs(n_enrolled - 20_000) < 600  # 4.5 sigma
    assert scipy_stats.chisquare(counts[1]).pvalue > 0.001


def test_two_rollouts_enrol_and_assign_independently() -> None:
    subjects = SUBJECTS[:20_000]
    arms = Counter((arm_of("r1", subject), arm_of("r2", subject)) for subject in subjects)
    assert scipy_stats.chisquare(list(arms.values())).pvalue > 0.001
    both = sum(is_enrolled("r1", s, 0.5) and is_enrolled("r2", s, 0.5) for s in subjects)
    assert abs(both - 5_000) < 300
