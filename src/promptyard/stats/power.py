"""What a number of cases can show: detectable effects, certifiable margins, cases needed.

Effects, margins and `psi` are fractions (0.05 is 5 points). `psi` is the share of cases whose
pass or fail changes between baseline and candidate. Formulas are those of the score test for
paired proportions; for graded scores the mean of the squared differences stands for `psi`.
"""

from __future__ import annotations

import math

from promptyard.stats.distributions import incomplete_beta, normal_quantile
from promptyard.stats.paired import mcnemar_midp


def minimal_detectable_effect(
    n: int, psi: float, *, alpha: float = 0.05, power: float = 0.8, two_sided: bool = True
) -> float | None:
    """Return the smallest gain that a paired test on `n` cases finds with probability `power`.

    None where no gain can be: it would have to exceed `psi`, the share of cases that change. The
    gain d solves sqrt(n) d = z_alpha sqrt(psi) + z_power sqrt(psi - d^2). Raises ValueError
    outside n >= 1, 0 <= psi <= 1 or 0 < alpha, power < 1.
    """
    _check(n=n, psi=psi)
    z_alpha, z_power = _z_alpha(alpha, two_sided=two_sided), normal_quantile(power)
    inside = n + z_power**2 - z_alpha**2
    if inside < 0.0:
        return None
    effect = (
        math.sqrt(psi) * (math.sqrt(n) * z_alpha + z_power * math.sqrt(inside)) / (n + z_power**2)
    )
    return effect if 0.0 < effect <= psi else None


def unpaired_detectable_effect(
    n: int, rate: float, *, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Return the difference of two rates near `rate` that two groups of `n` cases each find.

    Two-sided: (z_alpha + z_power) sqrt(2 rate (1 - rate) / n). For groups that cannot be paired;
    beside `minimal_detectable_effect` it shows what pairing is worth. Raises ValueError outside
    n >= 1, 0 <= rate <= 1 or 0 < alpha, power < 1.
    """
    if n < 1 or not 0.0 <= rate <= 1.0:
        raise ValueError(f"power needs n >= 1 and a rate in [0, 1], got n={n}, rate={rate}")
    z = _z_alpha(alpha, two_sided=True) + normal_quantile(power)
    return min(1.0, z * math.sqrt(2.0 * rate * (1.0 - rate) / n))


def cases_for_effect(
    effect: float, psi: float, *, alpha: float = 0.05, power: float = 0.8, two_sided: bool = True
) -> int:
    """Return how many cases find a gain of `effect` with probability `power`.

    `psi` below `effect` cannot be and is taken as `effect` (all changed cases are fixed). Raises
    ValueError outside 0 < effect <= 1, 0 <= psi <= 1 or 0 < alpha, power < 1.
    """
    _check(psi=psi)
    if not 0.0 < effect <= 1.0:
        raise ValueError(f"an effect lies in (0, 1], got {effect}; 5 points are 0.05")
    share = max(psi, effect)
    z_alpha, z_power = _z_alpha(alpha, two_sided=two_sided), normal_quantile(power)
    root = (z_alpha * math.sqrt(share) + z_power * math.sqrt(share - effect**2)) / effect
    return _whole_cases(root**2) if root > 0.0 else 1


def certifiable_margin(n: int, psi: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the smallest non-inferiority margin that `n` cases certify for an equal candidate.

    With probability `power` the one-sided bound of level 1 - `alpha` then lies above minus this
    margin: (z_alpha + z_power) sqrt(psi / n), and never less than z_alpha^2 / (n + z_alpha^2), the
    bound when no case changes. Raises ValueError as `minimal_detectable_effect`.
    """
    _check(n=n, psi=psi)
    z_alpha = _z_alpha(alpha, two_sided=False)
    margin = (z_alpha + normal_quantile(power)) * math.sqrt(psi / n)
    return max(margin, z_alpha**2 / (n + z_alpha**2))


def cases_for_margin(margin: float, psi: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Return how many cases certify a non-inferiority margin: inverse of `certifiable_margin`.

    Raises ValueError outside 0 < margin <= 1, 0 <= psi <= 1 or 0 < alpha, power < 1.
    """
    _check(psi=psi)
    if not 0.0 < margin <= 1.0:
        raise ValueError(f"a margin lies in (0, 1], got {margin}; 3 points are 0.03")
    z_alpha = _z_alpha(alpha, two_sided=False)
    by_change = (z_alpha + normal_quantile(power)) ** 2 * psi / margin**2
    without_change = z_alpha**2 * (1.0 - margin) / margin
    return _whole_cases(max(by_change, without_change))


def smallest_significant_win(alpha: float = 0.05, *, graded: bool = False) -> int:
    """Return the fewest cases that, fixed with none broken, win a two-sided mid-p test.

    5 at 0.05: a claim on fewer changed cases is hopeless. With `graded` the fewest of an exact
    sign-flip test, for graded scores and for clusters: 6. Raises ValueError unless 0 < alpha < 1.
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha lies in (0, 1), got {alpha}")
    n_fixed = 1
    while (2.0 if graded else 1.0) * mcnemar_midp(n_fixed, 0) > alpha:
        n_fixed += 1
    return n_fixed


def detectable_shift(
    n: int, *, alpha: float = 0.05, power: float = 0.8, graded: bool = False
) -> float | None:
    """Return the smallest share of cases that, each changed the same way, `n` cases find.

    With probability `power` at least `smallest_significant_win` of `n` independent cases (or
    clusters) have then changed, by the binomial law. None where `n` is less than these. Raises
    ValueError outside n >= 1 or 0 < alpha, power < 1.
    """
    if n < 1 or not 0.0 < power < 1.0:
        raise ValueError(f"power needs n >= 1 and a power in (0, 1), got n={n}, power={power}")
    fewest = smallest_significant_win(alpha, graded=graded)
    if n < fewest:
        return None
    low, high = 0.0, 1.0
    while high - low > 1e-12:
        middle = (low + high) / 2.0
        if incomplete_beta(middle, fewest, n - fewest + 1) < power:
            low = middle
        else:
            high = middle
    return high


def _z_alpha(alpha: float, *, two_sided: bool) -> float:
    return normal_quantile(1.0 - (alpha / 2.0 if two_sided else alpha))


def _whole_cases(n: float) -> int:
    return max(1, math.ceil(n - 1e-9))  # rounding must not ask for a case more


def _check(*, psi: float, n: int = 1) -> None:
    if n < 1 or not 0.0 <= psi <= 1.0:
        raise ValueError(f"power needs n >= 1 and a share psi in [0, 1], got n={n}, psi={psi}")
