"""Whether and when a failed attempt is made again."""

from __future__ import annotations

import random

from promptyard.errors import ModelError
from promptyard.records.base import Record

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0


class CallLimits(Record):
    """Limits of the calls to a model: how many at once, how long one call, how often again.

    `timeout_s` is the one deadline of a call, its retries and waits included.
    """

    concurrency: int = 16
    timeout_s: float = 120.0
    retries: int = 5


def retry_wait_s(
    error: ModelError, n_failed: int, left_s: float, limits: CallLimits, rng: random.Random
) -> float | None:
    """Return the seconds to wait before the next attempt, or None to give up.

    Full jitter over an exponential step, never less than the server's Retry-After. Gives up on
    errors that a retry cannot mend, after `limits.retries` retries, and when the wait would pass
    the deadline of the call (`left_s`).
    """
    if not error.retryable or n_failed > limits.retries:
        return None
    step_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (n_failed - 1))
    wait_s = rng.uniform(step_s / 2, step_s)
    if error.retry_after_s is not None:
        wait_s = error.retry_after_s + rng.uniform(0, 0.1 * step_s)
    return wait_s if wait_s < left_s else None
