"""How many subjects a guard needs until it can be shown unharmed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from promptyard.records.guard_dimensions import HARD_FAILURES
from promptyard.records.rollouts import GuardReading, RolloutPlan
from promptyard.release.guards import FEWEST, PROOF_HORIZONS, RATE_PART, pad_of
from promptyard.release.standing import Column
from promptyard.stats.confidence_sequence import half_width
from promptyard.stats.distributions import normal_quantile

_MOST = 1 << 40  # subjects beyond which the answer is "never"


@dataclass(frozen=True)
class Spread:
    """How much the values of one guard vary.

    `variance` is that of both arms together (their sum), or of the differences where `is_paired`.
    `pad` is the sum of squares that the padding values add to it; see `Sample.padded`.
    """

    variance: float
    pad: float = 0.0
    is_paired: bool = False


def subjects_needed(
    spread: Spread, room: float, *, alpha: float, horizon: int, power: float = 0.8
) -> int | None:
    """Return the subjects an arm (pairs, where paired) after which a bound is inside `room`.

    `room` is the distance between the true difference and what it must be told from: the margin for
    equal versions, the size of a drop for its detection. The number is the smallest n where the
    width and the normal quantile of `power` standard errors fit in: by then at least about `power`
    of all rollouts have decided. None where no number would do. Raises ValueError for a power
    outside (0, 1).
    """
    z = normal_quantile(power)

    def fits(n: int) -> bool:
        variance = spread.variance + spread.pad / n
        error = math.sqrt(variance / n)
        if spread.is_paired:
            width = half_width(n, variance, alpha=alpha, horizon=horizon)
        else:
            width = half_width(2 * n, 2.0 * variance, alpha=alpha, horizon=horizon)
        return width + z * error <= room

    high = FEWEST
    while not fits(high):
        high *= 2
        if high > _MOST or room <= 0.0:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return max(high, FEWEST)


def proof_level(plan: RolloutPlan, dimension: str) -> tuple[float, int]:
    """Return the alpha and the horizon with which a guard is shown unharmed."""
    alpha = plan.alpha * RATE_PART if dimension == HARD_FAILURES else plan.alpha
    return alpha, plan.horizon * PROOF_HORIZONS


def subjects_to_go(guard: GuardReading, plan: RolloutPlan, column: Column | None) -> int | None:
    """Return how many subjects an arm a guard takes, by the spread seen and no true difference.

    None while too little is known to say.
    """
    if column is None or min(column.control.n, column.treatment.n) < FEWEST:
        return None
    if column.difference is None:
        samples = (column.control, column.treatment)
    else:
        samples = (column.difference,)
    spread = Spread(
        variance=math.fsum(sample.variance for sample in samples),
        pad=math.fsum(pad_of(sample, guard.dimension, column) for sample in samples),
        is_paired=column.difference is not None,
    )
    alpha, horizon = proof_level(plan, guard.dimension)
    return subjects_needed(spread, guard.margin, alpha=alpha, horizon=horizon)
