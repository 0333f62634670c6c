"""Bounds of a mean, or of a difference of two, that hold however often one looks.

A fixed-size interval that is looked at after every subject errs in about a third of all rollouts of
equal prompts. These widen just enough that *all* of them are right together with probability
1 - alpha. Asymptotic: they need the central limit theorem, so samples of a few dozen at least, and
the pad of `Sample.padded` where a spread may not have shown yet.

Source: Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, arXiv 2103.06476, equations 9, 134, 155
and 161, as GrowthBook uses them; anchors on release, section 2.3 (a).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Sample:
    """`n` independent values with their mean and unbiased variance (0 where n < 2)."""

    n: int
    mean: float
    variance: float

    @classmethod
    def of_sums(cls, n: int, total: float, squares: float) -> Sample:
        """Return the sample whose values add up to `total`, their squares to `squares`."""
        if n < 1:
            return cls(0, 0.0, 0.0)
        mean = total / n
        spread = max(0.0, squares - total * mean)  # rounding must not make it negative
        return cls(n, mean, spread / (n - 1) if n > 1 else 0.0)

    def padded(self, low: float, high: float) -> Sample:
        """Return the sample with the variance it has with one more value at `low` and at `high`.

        A few hundred values that are all 1.0 do not show that none is ever 0.0: without the pad
        their interval would be a point. With it 0 failures of n allow for about 1 in n, as exact
        bounds do (rule of three), and the pad fades as 1 / n. The mean stays. A single value or
        none has no spread to pad and stays as it is.
        """
        if self.n < 2:
            return self
        n, mean = self.n, self.mean
        shift = (low + high - 2.0 * mean) / (n + 2)  # the mean of n + 2 values less that of n
        squares = (n - 1) * self.variance + n * shift * shift
        squares += (low - mean - shift) ** 2 + (high - mean - shift) ** 2
        return Sample(n, mean, squares / (n + 1))


def difference_half_width(
    control: Sample, treatment: Sample, *, alpha: float, horizon: int
) -> float:
    """Return how far the difference of means can lie beyond the one seen, to one side.

    With d = treatment.mean - control.mean and w this width: the true difference is above d - w at
    every look, with probability 1 - `alpha`; and likewise below d + w. Infinite while a side has
    fewer than two values. `horizon` is the number of values, both sides together, at which the
    bound is about as narrow as it can be. Raises ValueError unless 0 < alpha < 0.5 and horizon > 0.
    """
    if min(control.n, treatment.n) < 2:
        return math.inf
    n = control.n + treatment.n
    squared_error = control.variance / control.n + treatment.variance / treatment.n
    return half_width(n, n * squared_error, alpha=alpha, horizon=horizon)


def mean_half_width(sample: Sample, *, alpha: float, horizon: int) -> float:
    """Return how far a mean can lie beyond the one seen, to one side; for paired differences.

    As `difference_half_width`, with `horizon` counted in values of this sample.
    """
    if sample.n < 2:
        return math.inf
    return half_width(sample.n, sample.variance, alpha=alpha, horizon=horizon)


def half_width(n: int, variance: float, *, alpha: float, horizon: int) -> float:
    """Return the one-sided width after `n` values of this variance.

    sqrt(variance * 2 (n r^2 + 1) / (n r)^2 * ln(1 + sqrt(n r^2 + 1) / (2 alpha)));
    r^2 is `_rate_squared`.
    Raises ValueError unless n >= 1, variance >= 0, 0 < alpha < 0.5 and horizon > 0.
    """
    if n < 1 or not variance >= 0.0:
        raise ValueError(f"a width needs n >= 1 and variance >= 0, got {n} and {variance}")
    square = _rate_squared(alpha, horizon)
    grown = n * square + 1.0
    log_part = math.log1p(math.sqrt(grown) / (2.0 * alpha))
    return math.sqrt(variance * 2.0 * grown / (n * n * square) * log_part)


@lru_cache(maxsize=256)
def _rate_squared(alpha: float, horizon: int) -> float:
    """Return r^2, which makes the bound narrowest near `horizon`; one-sided: 2 alpha for alpha."""
    if not 0.0 < alpha < 0.5 or horizon <= 0:
        raise ValueError(f"a bound needs 0 < alpha < 0.5 and horizon > 0, got {alpha}, {horizon}")
    level = -2.0 * math.log(2.0 * alpha)
    return (level + math.log(level + 1.0)) / horizon
