"""Does a slice of the cases fail more often than the others? A hint where to look, no more."""

from __future__ import annotations

import math
from dataclasses import dataclass

_TIES = 1e-7  # relative; tables this close to the observed one are as likely


@dataclass(frozen=True)
class SliceLift:
    """How often cases inside and outside of a slice fail.

    `rate` and `rate_outside` are fractions, None without cases. `ratio` is their quotient: None
    where nothing outside fails or was seen. `p_value` is Fisher's, two-sided, None where either
    side has no case. Many slices are looked at and none was chosen beforehand, so that a small
    p-value is a hint and never a finding.
    """

    n: int
    n_failed: int
    n_outside: int
    n_failed_outside: int
    rate: float | None
    rate_outside: float | None
    ratio: float | None
    p_value: float | None


def slice_lift(n_failed: int, n: int, n_failed_outside: int, n_outside: int) -> SliceLift:
    """Compare `n_failed` of `n` cases of a slice with those of all other cases.

    Cases are taken as independent. Raises ValueError for counts that cannot be.
    """
    _check(n_failed, n, n_failed_outside, n_outside)
    rate = n_failed / n if n else None
    rate_outside = n_failed_outside / n_outside if n_outside else None
    comparable = rate is not None and rate_outside is not None
    return SliceLift(
        n=n,
        n_failed=n_failed,
        n_outside=n_outside,
        n_failed_outside=n_failed_outside,
        rate=rate,
        rate_outside=rate_outside,
        ratio=rate / rate_outside if rate is not None and rate_outside else None,
        p_value=fisher_p_value(n_failed, n, n_failed_outside, n_outside) if comparable else None,
    )


def fisher_p_value(
    hits: int, n: int, other_hits: int, other_n: int, *, midp: bool = False
) -> float:
    """Return Fisher's two-sided p-value of "both rates are equal" for two independent groups.

    It sums the probabilities of all tables with these margins that are no likelier than the one
    observed. With `midp` tables as likely as the observed one count half: less conservative.
    Raises ValueError for counts that cannot be. Source: Fisher 1935; Lancaster 1961 (mid-p).
    """
    _check(hits, n, other_hits, other_n)
    all_hits = hits + other_hits
    least, most = max(0, all_hits - other_n), min(n, all_hits)
    logs = [_log_ways(n, k) + _log_ways(other_n, all_hits - k) for k in range(least, most + 1)]
    observed = logs[hits - least]
    # Relative to the likeliest table, so that nothing overflows.
    top = max(logs)
    weights = [math.exp(log - top) for log in logs]
    rarer = math.fsum(w for w, log in zip(weights, logs, strict=True) if log < observed - _TIES)
    as_rare = math.fsum(
        w for w, log in zip(weights, logs, strict=True) if abs(log - observed) <= _TIES
    )
    share = 0.5 if midp else 1.0
    return min(1.0, (rarer + share * as_rare) / math.fsum(weights))


def _log_ways(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _check(hits: int, n: int, other_hits: int, other_n: int) -> None:
    if not (0 <= hits <= n and 0 <= other_hits <= other_n):
        raise ValueError(f"{hits} of {n} and {other_hits} of {other_n} cannot be counts")
