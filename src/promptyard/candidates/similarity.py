"""Which inputs are alike: a small lexical vector, nearest neighbours, and clusters of them.

Words and the three-letter pieces of them, weighted by how rare they are; nothing is downloaded.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import repeat
from operator import mul
from typing import TypeAlias

from promptyard.records.base import Json, canonical_json

MAX_CHARS = 1000
"""How much of a text is looked at: longer inputs are told apart by their beginning."""

_WORD = re.compile(r"\w+", re.UNICODE)

Vector: TypeAlias = Mapping[str, float]
"""Features with their weights, of length 1."""


def input_text(values: Mapping[str, Json]) -> str:
    """Write the inputs of a case as one text."""
    texts = (
        value if isinstance(value, str) else canonical_json(value) for value in values.values()
    )
    return "\n".join(texts)


def vectors_of(texts: Sequence[str]) -> list[Vector]:
    """Return a vector a text; features that all texts share weigh least."""
    counts = [_features(text) for text in texts]
    n_texts: Counter[str] = Counter()
    for count in counts:
        n_texts.update(count.keys())
    rarity = {feature: math.log(1.0 + len(texts) / n) for feature, n in n_texts.items()}
    return [_weighted(count, rarity) for count in counts]


def similarity(one: Vector, other: Vector) -> float:
    """Return the cosine of two vectors, in [0, 1]."""
    if len(other) < len(one):
        one, other = other, one
    # Without a line of Python a feature: searches compare thousands of pairs.
    return math.fsum(map(mul, one.values(), map(other.get, one, repeat(0.0))))


def nearest(query: Vector, pool: Sequence[Vector], k: int) -> list[int]:
    """Return the positions of the exact top k of a pool, most similar first, ties in order."""
    scores = [similarity(query, vector) for vector in pool]
    return sorted(range(len(pool)), key=lambda index: -scores[index])[:k]


def clusters(vectors: Sequence[Vector], k: int) -> list[list[int]]:
    """Split positions into at most k clusters; in each the one nearest to its centre comes first.

    The first centre is the most typical vector, each further one the least like those before it;
    then each vector joins its nearest centre. Equal vectors never open a cluster of their own.
    Deterministic.
    """
    if not vectors or k < 1:
        return []
    everyone = range(len(vectors))
    centres = _centre_first(vectors, everyone)[:1]
    closest = [-1.0] * len(vectors)
    while len(centres) < k:
        newest = vectors[centres[-1]]
        closest = [
            max(near, similarity(v, newest)) for near, v in zip(closest, vectors, strict=True)
        ]
        furthest = min(everyone, key=lambda index: closest[index])
        if closest[furthest] > 1.0 - 1e-9:
            break
        centres.append(furthest)
    groups: dict[int, list[int]] = {centre: [] for centre in centres}
    for index in everyone:
        ranked = nearest(vectors[index], [vectors[centre] for centre in centres], 1)
        groups[centres[ranked[0]]].append(index)
    return [_centre_first(vectors, group) for group in groups.values()]


def _centre_first(vectors: Sequence[Vector], group: Sequence[int]) -> list[int]:
    total: dict[str, float] = {}
    for index in group:
        for feature, weight in vectors[index].items():
            total[feature] = total.get(feature, 0.0) + weight
    return sorted(group, key=lambda index: -similarity(vectors[index], total))


def _features(text: str) -> Counter[str]:
    features: list[str] = []
    for word in _WORD.findall(text[:MAX_CHARS].casefold()):
        features.append(word)
        padded = f" {word} "
        features += [padded[at : at + 3] for at in range(len(padded) - 2)]
    # Counted at once: that is one loop in C, and none in Python for each word.
    found = Counter(features)
    return found or Counter({"": 1})  # texts without a word are like each other


def _weighted(count: Counter[str], rarity: Mapping[str, float]) -> Vector:
    weights = {
        feature: (1.0 + math.log(times)) * rarity[feature] for feature, times in count.items()
    }
    length = math.sqrt(math.fsum(map(mul, weights.values(), weights.values())))
    return {feature: weight / length for feature, weight in weights.items()}
