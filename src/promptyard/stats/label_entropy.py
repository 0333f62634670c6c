"""How sure of itself a prompt makes a model, told from unlabelled answers: GlobalE and LocalE.

A bad order of demonstrations makes a model give the same label to everything (GlobalE low) or be
sure of each answer whatever it reads (LocalE low), so orders with more entropy come first. Both
order prompts, they claim nothing. Source: Lu et al. 2022, arXiv 2104.08786.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence


def global_entropy(answers: Sequence[str]) -> float | None:
    """Return the entropy (nats) of the histogram of the answers; None without answers.

    0 where all answers are equal, ln k where k answers are equally frequent.
    """
    if not answers:
        return None
    return _entropy([count / len(answers) for count in Counter(answers).values()])


def local_entropy(distributions: Sequence[Mapping[str, float]]) -> float | None:
    """Return the mean entropy (nats) of each item's distribution over labels; None without items.

    Weights of an item need not add up to 1: counts over repeated answers will do. Raises ValueError
    for a negative weight or an item without any weight.
    """
    if not distributions:
        return None
    entropies: list[float] = []
    for weights in distributions:
        total = math.fsum(weights.values())
        if total <= 0 or not math.isfinite(total) or min(weights.values()) < 0:
            raise ValueError("each item needs weights of 0 or more with a finite sum above 0")
        entropies.append(_entropy([weight / total for weight in weights.values()]))
    return math.fsum(entropies) / len(entropies)


def _entropy(shares: Sequence[float]) -> float:
    return math.fsum(-share * math.log(share) for share in shares if share > 0)
