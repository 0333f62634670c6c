from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from promptyard.stats.paired import mcnemar_midp, tango_interval
from promptyard.stats.power import (
    cases_for_effect,
    cases_for_margin,
    certifiable_margin,
    detectable_shift,
    minimal_detectable_effect,
    smallest_significant_win,
    unpaired_detectable_effect,
)

from .scipy_oracle import scipy_stats

SHARES = (0.05, 0.10, 0.20, 0.30)
# points, two-sided and one-sided, for a share of changed cases of 5, 10, 20 and 30 %
DETECTABLE = {
    50: ((None, None), (None, None), (17.3, 15.4), (21.2, 18.9)),
    100: ((None, None), (8.8, 7.8), (12.4, 11.0), (15.2, 13.5)),
    200: ((4.4, 3.9), (6.2, 5.5), (8.8, 7.8), (10.8, 9.6)),
    300: ((3.6, 3.2), (5.1, 4.5), (7.2, 6.4), (8.8, 7.8)),
    500: ((2.8, 2.5), (4.0, 3.5), (5.6, 5.0), (6.8, 6.1)),
}
ROWS = [
    (n, psi, two_sided, row[index][0 if two_sided else 1])
    for n, row in DETECTABLE.items()
    for index, psi in enumerate(SHARES)
    for two_sided in (True, False)
]


@pytest.mark.parametrize(("n", "psi", "two_sided", "points"), ROWS)
def test_detectable_effects_reproduce_the_table(
    n: int, psi: float, two_sided: bool, points: float | None
) -> None:
    effect = minimal_detectable_effect(n, psi, two_sided=two_sided)
    if points is None:
        assert effect is None
    else:
        assert effect is not None
        assert 100 * effect == pytest.approx(points, abs=0.1)


@pytest.mark.parametrize(
    ("n", "points"), [(50, 22.4), (100, 15.8), (200, 11.2), (300, 9.1), (500, 7.1)]
)
def test_what_two_groups_of_different_cases_detect_reproduces_the_table(
    n: int, points: float
) -> None:
    assert 100 * unpaired_detectable_effect(n, 0.8) == pytest.approx(points, abs=0.05)
    paired = minimal_detectable_effect(n, 0.2)
    assert paired is not None
    assert paired < unpaired_detectable_effect(n, 0.8)


def test_two_groups_detect_nothing_where_there_is_nothing_to_ask() -> None:
    assert unpaired_detectable_effect(1, 0.5) == 1.0
    for n, rate in ((0, 0.5), (10, 1.5)):
        with pytest.raises(ValueError, match="power needs"):
            unpaired_detectable_effect(n, rate)


@given(n=st.integers(5, 5_000), psi=st.floats(0.001, 1.0), power=st.floats(0.55, 0.99))
def test_a_detectable_effect_solves_its_equation(n: int, psi: float, power: float) -> None:
    effect = minimal_detectable_effect(n, psi, power=power)
    assume(effect is not None)
    assert effect is not None
    z_alpha, z_power = scipy_stats.norm.ppf(0.975), scipy_stats.norm.ppf(power)
    right = z_alpha * math.sqrt(psi) + z_power * math.sqrt(psi - effect**2)
    assert math.sqrt(n) * effect == pytest.approx(float(right), rel=1e-9)


def test_the_mid_p_test_has_the_promised_power_at_the_detectable_effect() -> None:
    n, psi = 200, 0.2
    effect = minimal_detectable_effect(n, psi)
    assert effect is not None
    share_fixed = (psi + effect) / (2 * psi)
    power = 0.0
    for n_changed in range(15, 70):
        weight = float(scipy_stats.binom.pmf(n_changed, n, psi))
        wins = [
            fixed
            for fixed in range(n_changed + 1)
            if 2 * fixed > n_changed and mcnemar_midp(fixed, n_changed - fixed) <= 0.05
        ]
        power += weight * float(scipy_stats.binom.sf(wins[0] - 1, n_changed, share_fixed))
    assert power == pytest.approx(0.8, abs=0.03)


@given(n=st.integers(30, 3_000), psi=st.floats(0.02, 0.9))
def test_more_cases_detect_less_and_certify_less(n: int, psi: float) -> None:
    few, many = minimal_detectable_effect(n, psi), minimal_detectable_effect(2 * n, psi)
    assert few is None or (many is not None and many < few)
    assert certifiable_margin(2 * n, psi) < certifiable_margin(n, psi)


@given(effect=st.floats(0.01, 0.5), psi=st.floats(0.05, 1.0), two_sided=st.booleans())
def test_cases_for_an_effect_are_the_fewest_that_detect_it(
    effect: float, psi: float, two_sided: bool
) -> None:
    assume(effect < psi)
    n = cases_for_effect(effect, psi, two_sided=two_sided)
    enough = minimal_detectable_effect(n, psi, two_sided=two_sided)
    assert enough is not None
    assert enough <= effect * (1 + 1e-9)
    if n > 1:
        short = minimal_detectable_effect(n - 1, psi, two_sided=two_sided)
        assert short is None or short > effect * (1 - 1e-9)


def test_no_effect_exceeds_the_share_of_cases_that_change() -> None:
    assert cases_for_effect(0.2, 0.05) == cases_for_effect(0.2, 0.2)
    assert minimal_detectable_effect(1_000, 0.0) is None
    assert minimal_detectable_effect(1, 0.5) is None


@pytest.mark.parametrize(
    ("margin", "expected"),
    [
        (0.10, (31, 62, 124)),
        (0.05, (124, 248, 495)),
        (0.03, (344, 687, 1374)),
        (0.02, (773, 1546, 3092)),
    ],
)
def test_cases_for_a_margin_reproduce_the_table(
    margin: float, expected: tuple[int, int, int]
) -> None:
    assert tuple(cases_for_margin(margin, psi) for psi in (0.05, 0.1, 0.2)) == expected


@pytest.mark.parametrize(("n", "points"), [(50, 11.1), (100, 7.9), (200, 5.6), (500, 3.5)])
def test_certifiable_margins_reproduce_the_table(n: int, points: float) -> None:
    assert 100 * certifiable_margin(n, 0.10) == pytest.approx(points, abs=0.1)


def test_no_change_at_all_still_does_not_certify_a_margin_of_zero() -> None:
    margin = certifiable_margin(50, 0.0)
    assert margin == pytest.approx(-tango_interval(0, 0, 50, alpha=0.1)[0])
    assert cases_for_margin(margin, 0.0) == 50


@given(margin=st.floats(0.005, 0.9), psi=st.floats(0.0, 1.0))
def test_cases_for_a_margin_are_the_fewest_that_certify_it(margin: float, psi: float) -> None:
    n = cases_for_margin(margin, psi)
    assert certifiable_margin(n, psi) <= margin * (1 + 1e-9)
    assert n == 1 or certifiable_margin(n - 1, psi) > margin * (1 - 1e-9)


def test_the_smallest_win_is_five_to_nothing() -> None:
    assert smallest_significant_win() == 5
    assert smallest_significant_win(0.1) == 4
    assert smallest_significant_win(0.01) == 7
    assert mcnemar_midp(5, 0) <= 0.05 < mcnemar_midp(4, 0)


@pytest.mark.parametrize(("n", "graded"), [(5, False), (12, False), (20, False), (200, True)])
def test_a_shift_is_found_with_the_power_that_the_binomial_law_gives_it(
    n: int, graded: bool
) -> None:
    share = detectable_shift(n, graded=graded)
    assert share is not None
    fewest = smallest_significant_win(graded=graded)
    assert scipy_stats.binom.sf(fewest - 1, n, share) == pytest.approx(0.8, abs=1e-9)


def test_fewer_cases_than_must_change_find_no_shift() -> None:
    assert detectable_shift(4) is None
    assert detectable_shift(5, graded=True) is None
    assert detectable_shift(5) == pytest.approx(0.8 ** (1 / 5))


def test_arguments_that_cannot_be_are_errors() -> None:
    with pytest.raises(ValueError, match="psi"):
        minimal_detectable_effect(100, 1.2)
    with pytest.raises(ValueError, match="n >= 1"):
        certifiable_margin(0, 0.1)
    with pytest.raises(ValueError, match=r"5 points are 0\.05"):
        cases_for_effect(5, 0.1)
    with pytest.raises(ValueError, match=r"3 points are 0\.03"):
        cases_for_margin(0.0, 0.1)
    with pytest.raises(ValueError, match="alpha"):
        smallest_significant_win(0.0)
    with pytest.raises(ValueError, match="power"):
        detectable_shift(20, power=1.0)
