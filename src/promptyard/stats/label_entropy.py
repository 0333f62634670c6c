"""How sure of itself a prompt makes a model, told from unlabelled answers: GlobalE.

A bad order of demonstrations makes a model give the same label to everything (GlobalE low), so
orders with more entropy come first. It orders prompts, it claims nothing. Source: Lu et al. 2022,
arXiv 2104.08786.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence


def global_entropy(answers: Sequence[str]) -> float | None:
    """Return the entropy (nats) of the histogram of the answers; None without answers.

    0 where all answers are equal, ln k where k answers are equally frequent.
    """
    if not answers:
        return None
    shares = [count / len(answers) for count in Counter(answers).values()]
    return math.fsum(-share * math.log(share) for share in shares)
