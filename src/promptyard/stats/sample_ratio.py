"""Whether two arms that should get the same share of subjects do, at any number of looks.

A share that is off says that subjects are lost in one arm before they are counted: then nothing
that is compared between the arms means what it seems to.
"""

from __future__ import annotations

import math


def log_e_ratio(n_first: int, n_second: int) -> float:
    """Return ln E for "each subject is as likely in the first arm as in the second".

    E = 2^n B(a + 1, b + 1) for an a : b split of n subjects: the mean likelihood ratio over all
    shares. E reaches 1,000 in at most 1 of 1,000 sound rollouts, however often one looks. Raises
    ValueError for negative counts. Source: Robbins 1970; anchors on release, 2.3 (d).
    """
    if min(n_first, n_second) < 0:
        raise ValueError(f"arms have 0 subjects or more, got {n_first} and {n_second}")
    log_beta = math.lgamma(n_first + 1.0) + math.lgamma(n_second + 1.0)
    log_beta -= math.lgamma(n_first + n_second + 2.0)
    return (n_first + n_second) * math.log(2.0) + log_beta


def ratio_p_value(n_first: int, n_second: int) -> float:
    """Return the two-sided p-value of the chi-square test for even arms, at one look; 1 if empty.

    It finds a fault with half the subjects that the e-value takes, and is too often wrong where one
    looks often: for putting something off, not for an alarm. Raises ValueError for negative counts.
    """
    if min(n_first, n_second) < 0:
        raise ValueError(f"arms have 0 subjects or more, got {n_first} and {n_second}")
    n = n_first + n_second
    return math.erfc(abs(n_first - n_second) / math.sqrt(2.0 * n)) if n else 1.0
