"""Chance that repeats: every draw is a hash of what it is about."""

from __future__ import annotations

import hashlib
import random
from statistics import NormalDist

NORMAL = NormalDist()


def hashed(*parts: object) -> int:
    """A whole number below 2**64 that depends on nothing but the parts."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def unit(*parts: object) -> float:
    """A number in (0, 1), uniform over parts."""
    return (hashed(*parts) + 0.5) / 2.0**64


def normal(*parts: object) -> float:
    """A standard normal number."""
    return NORMAL.inv_cdf(min(max(unit(*parts), 1e-12), 1 - 1e-12))


def rng_of(*parts: object) -> random.Random:
    """A generator of random numbers of its own for the parts."""
    return random.Random(hashed(*parts))
