"""Assignment by hash: the same key goes to the same place, whoever else is there.

Hashes need no memory and no order of arrival, so adding cases or subjects never moves old ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a client hashes subjects without building a record
    from promptyard.records.cases import SplitName
    from promptyard.records.live import Arm

UNIT = 1 << 53
"""Hashes are whole numbers below it, which a float holds exactly."""
HALF = UNIT // 2

ENROL = "enrol"
ARM = "arm"
"""The salts of the two hashes of a rollout: who takes part, and in which arm."""


def unit_hash(seed: int | str, key: str, salt: str = "") -> float:
    """Return a number in [0, 1) that looks random and depends on the arguments alone.

    It is the first 53 bits of SHA-256 over `<seed>`, `<salt>` and `<key>` in UTF-8, each preceded
    by its length in characters and a colon, so that no two triples are written alike. Different
    salts give independent numbers for the same key. Seeds 7 and "7" are the same.
    """
    return PreparedHash(seed, salt).bits(written(key)) / UNIT


class PreparedHash:
    """`unit_hash` of one seed and salt, for whoever asks for many keys: 1 microsecond a key."""

    __slots__ = ("_begun",)

    def __init__(self, seed: int | str, salt: str) -> None:
        self._begun = hashlib.sha256(written(str(seed)) + written(salt))

    def bits(self, key: bytes) -> int:
        """Return `unit_hash * UNIT` of a key that was `written`: a whole number below `UNIT`."""
        hashed = self._begun.copy()
        hashed.update(key)
        return int.from_bytes(hashed.digest()[:7], "big") >> 3


def written(part: str) -> bytes:
    """Write a part of what is hashed: its length in characters, a colon, its UTF-8."""
    return f"{len(part)}:{part}".encode("utf-8", "surrogatepass")


def is_enrolled(rollout_id: str, subject: str, enrolled: float) -> bool:
    """Whether a subject takes part in a rollout of which the share `enrolled`, in [0, 1], does.

    A larger share only adds subjects. `subject` is as the application names it. Source: anchors on
    release, section 2.2.
    """
    return PreparedHash(rollout_id, ENROL).bits(written(subject)) < enrolled * UNIT


def arm_of(rollout_id: str, subject: str) -> Arm:
    """Return the arm of a subject, 1:1 whatever share is enrolled; it never changes."""
    bits = PreparedHash(rollout_id, ARM).bits(written(subject))
    return "treatment" if bits < HALF else "control"


def assign_split(key: str, *, seed: int, train: float, dev: float, holdout: float) -> SplitName:
    """Return the split of a case by the seeded hash of `key`: its cluster, else its id.

    The fractions are normalised; a split of fraction 0 gets nothing. Raises ValueError for a
    negative fraction or when all are 0.
    """
    fractions: tuple[tuple[SplitName, float], ...] = (
        ("train", train),
        ("dev", dev),
        ("holdout", holdout),
    )
    total = train + dev + holdout
    if not total > 0.0 or min(train, dev, holdout) < 0.0:
        raise ValueError(
            f"split fractions are at least 0 and not all 0, got {train}, {dev}, {holdout}"
        )
    position = unit_hash(seed, key, "split") * total
    end = 0.0
    chosen: SplitName = "train"
    for name, fraction in fractions:
        if fraction > 0.0:
            chosen = name  # the last one stands where rounding leaves the position beyond the end
            end += fraction
            if position < end:
                break
    return chosen


def stratified_order(keys: Sequence[tuple[str, Hashable]], *, seed: int | str) -> list[str]:
    """Return the case ids in an order in which every prefix is balanced over the strata.

    `keys` are pairs of case id and stratum. Strata take turns and the order inside each is by
    hash, so in a prefix two strata differ by at most one case until one is used up. Prefixes are
    nested and do not depend on the order of `keys`. Strata count alike however many cases they
    have: the mean over a prefix is not an estimate of the mean over all.

    Raises ValueError for an id that occurs twice.
    """
    if len({key for key, _ in keys}) < len(keys):
        raise ValueError("a stratified order needs ids that occur once")
    strata: dict[Hashable, list[tuple[float, str]]] = {}
    for key, stratum in keys:
        strata.setdefault(stratum, []).append((unit_hash(seed, key, "order"), key))
    # Ranked by their first case: strata need no order of their own and no stable hash.
    ranked = sorted(sorted(members) for members in strata.values())
    return [entry[1] for turn in zip_longest(*ranked) for entry in turn if entry is not None]
