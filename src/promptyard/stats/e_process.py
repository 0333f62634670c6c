"""Evidence that may be looked at after every case: an e-process on the cases that changed.

A test with a fixed number of cases is wrong when one peeks and stops at the first p < 0.05: with
200-500 cases it then errs in 17-31 %. The e-process keeps alpha at whatever moment one stops. The
price is power: below 300 cases run all of them and test once, which finds clearly more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Evidence:
    """The e-process after `n_cases`: `fixed` and `broken` cases and the logarithm of E.

    `p_value` is the anytime-valid one: 1 over the largest E so far, at most 1.
    `stopped` says that E has reached 1 / alpha; nothing later changes that.
    """

    n_cases: int
    fixed: int
    broken: int
    log_e: float
    p_value: float
    stopped: bool


def log_e_value(fixed: int, broken: int) -> float:
    """Return the natural logarithm of E for "a changed case is no likelier fixed than broken".

    E = 2^(m+1) B(b+1, c+1) (1 - I_0.5(b+1, c+1)) with b fixed, c broken and m of both: the mean
    likelihood ratio over all shares of fixed cases above one half. In exact arithmetic: it is the
    sum of C(m+1, k) for k <= b over (m+1) C(m, b). Raises ValueError for negative counts.
    Source: Robbins 1970 (mixtures), Ville 1939 (why one may stop).
    """
    if fixed < 0 or broken < 0:
        raise ValueError(f"{fixed} fixed and {broken} broken cases cannot be")
    cumulated = sum(math.comb(fixed + broken + 1, k) for k in range(fixed + 1))
    return _log_e(cumulated, fixed, broken)


def gather_evidence(differences: Sequence[float], *, alpha: float = 0.05) -> Evidence:
    """Follow the e-process over paired differences in the order in which they came in.

    The claim is one-sided, "the candidate fixes more than it breaks", and only the sign of a
    difference counts: for graded scores that is a claim about signs and not about the mean. Cases
    are taken as independent, and their order must not depend on the scores. Ends at the case where
    E reaches 1 / `alpha`: counts and `n_cases` are those of that moment.

    Raises ValueError for an alpha outside (0, 1) or a difference that is not finite.
    Cost: no calls; some milliseconds for 500 cases.
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha lies in (0, 1), got {alpha}")
    if not all(map(math.isfinite, differences)):
        raise ValueError("differences are finite; leave out cases that one of both did not finish")
    bar = -math.log(alpha)
    fixed = broken = n_cases = 0
    log_e = highest = 0.0
    cumulated = 1  # the sum of C(m+1, k) for k <= fixed, carried from case to case
    for difference in differences:
        n_cases += 1
        if difference == 0.0:
            continue
        cumulated = 2 * cumulated - math.comb(fixed + broken + 1, fixed)
        if difference > 0.0:
            fixed += 1
            cumulated += math.comb(fixed + broken + 1, fixed)
        else:
            broken += 1
        log_e = _log_e(cumulated, fixed, broken)
        highest = max(highest, log_e)
        if log_e >= bar:
            break
    return Evidence(
        n_cases=n_cases,
        fixed=fixed,
        broken=broken,
        log_e=log_e,
        p_value=math.exp(-highest),
        stopped=highest >= bar,
    )


def _log_e(cumulated: int, fixed: int, broken: int) -> float:
    n_changed = fixed + broken
    return math.log(cumulated) - math.log((n_changed + 1) * math.comb(n_changed, fixed))
