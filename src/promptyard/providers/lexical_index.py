"""Character n-gram tf-idf in plain Python: how alike two short texts look.

Used by the embedded model only. Words are padded with a space on both sides and cut into n-grams
of 2 to 4 characters, term frequency is sublinear (1 + ln tf), idf is smoothed, vectors have
length 1. It compares spelling, not meaning.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

N_GRAM_SIZES = (2, 3, 4)
WORD = re.compile(r"\w+|[^\w\s]+", re.UNICODE)


class LexicalIndex:
    """An immutable index over documents; `similarities` compares a text with each of them."""

    def __init__(self, documents: Sequence[str]) -> None:
        counts = [n_grams(document) for document in documents]
        seen: Counter[str] = Counter()
        for count in counts:
            seen.update(count.keys())
        n_documents = len(documents)
        self._idf = {gram: math.log((1 + n_documents) / (1 + n)) + 1 for gram, n in seen.items()}
        self._postings: dict[str, list[tuple[int, float]]] = {}
        for number, count in enumerate(counts):
            for gram, weight in self._unit_vector(count).items():
                self._postings.setdefault(gram, []).append((number, weight))
        self._n_documents = n_documents

    def similarities(self, text: str) -> list[float]:
        """Cosine with each document, in [0, 1], in the order of the documents."""
        result = [0.0] * self._n_documents
        for gram, weight in self._unit_vector(n_grams(text)).items():
            for number, document_weight in self._postings[gram]:
                result[number] += weight * document_weight
        return result

    def _unit_vector(self, count: Counter[str]) -> dict[str, float]:
        vector = {
            gram: (1 + math.log(n)) * self._idf[gram]
            for gram, n in count.items()
            if gram in self._idf
        }
        length = math.sqrt(sum(weight * weight for weight in vector.values()))
        return {gram: weight / length for gram, weight in vector.items()} if length else {}


@lru_cache(maxsize=16_384)
def n_grams(text: str) -> Counter[str]:
    """Count the character n-grams of a text, word by word, case folded."""
    grams: Counter[str] = Counter()
    for word in WORD.findall(text.casefold().replace("_", " ")):
        padded = f" {word} "
        for size in N_GRAM_SIZES:
            if len(padded) <= size:
                grams[padded] += 1
                break
            for start in range(len(padded) - size + 1):
                grams[padded[start : start + size]] += 1
    return grams
