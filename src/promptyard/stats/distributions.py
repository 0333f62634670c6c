"""Quantiles of the normal and Student's t distribution, and the incomplete beta function.

The standard library has the first; the other two are here so that nothing heavy is imported.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

_STANDARD_NORMAL = NormalDist()
_NORMAL_FROM_DF = 1e7  # beyond, t and normal quantiles agree to 1e-6 and lgamma loses digits


def normal_quantile(probability: float) -> float:
    """Return z with P(Z <= z) = `probability`; raises ValueError outside (0, 1)."""
    return _STANDARD_NORMAL.inv_cdf(probability)


@lru_cache(maxsize=1024)
def student_t_quantile(probability: float, df: float) -> float:
    """Return t with P(T <= t) = `probability` for `df` degrees of freedom (df > 0, not whole).

    Relative error below 1e-9 for df up to 1e7; beyond, the normal quantile is returned. Raises
    ValueError for a probability outside (0, 1) or df <= 0.
    """
    if df <= 0 or not 0.0 < probability < 1.0:
        raise ValueError(f"t quantile needs 0 < p < 1 and df > 0, got p={probability}, df={df}")
    if df > _NORMAL_FROM_DF:
        return normal_quantile(probability)
    tail = min(probability, 1.0 - probability)
    high = 1.0
    while _t_upper_tail(high, df) > tail:
        high *= 2.0
    low = 0.0
    while high - low > 1e-13 * high:
        middle = (low + high) / 2.0
        if _t_upper_tail(middle, df) > tail:
            low = middle
        else:
            high = middle
    return high if probability > 0.5 else -high


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Return I_x(a, b), the regularised incomplete beta function, for 0 <= x <= 1 and a, b > 0.

    I_x(a, b) is P(X <= x) for X ~ Beta(a, b). Continued fraction by Lentz's method; absolute error
    below 1e-10 for a, b up to 1e5.
    """
    if not 0.0 <= x <= 1.0 or a <= 0 or b <= 0:
        raise ValueError(f"incomplete beta needs 0 <= x <= 1 and a, b > 0, got {x}, {a}, {b}")
    if x in (0.0, 1.0):
        return x
    if x > (a + 1.0) / (a + b + 2.0):  # the fraction converges fast only below the mean
        return 1.0 - incomplete_beta(1.0 - x, b, a)
    log_front = (
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    return math.exp(log_front) * _beta_fraction(x, a, b) / a


def _t_upper_tail(t: float, df: float) -> float:
    """P(T > t) for t >= 0; the complement is formed exactly, not as 1 - x."""
    square = t * t
    if square < df:
        return 0.5 - 0.5 * incomplete_beta(square / (df + square), 0.5, df / 2.0)
    return 0.5 * incomplete_beta(df / (df + square), df / 2.0, 0.5)


def _beta_fraction(x: float, a: float, b: float) -> float:
    tiny = 1e-300  # stands in for a zero denominator
    c = 1.0
    d = 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0), tiny)
    value = d
    for step in range(1, 10_000):
        even = step * (b - step) * x / ((a + 2 * step - 1.0) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1.0))
        for coefficient in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + coefficient * d, tiny)
            c = _away_from_zero(1.0 + coefficient / c, tiny)
            value *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return value


def _away_from_zero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny
