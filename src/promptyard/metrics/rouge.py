"""The checks `rouge_n` and `rouge_l`: shared n-grams, and the longest common subsequence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar, Literal, TypeAlias

from promptyard.metrics.comparison import Normalization
from promptyard.metrics.context import MetricContext
from promptyard.metrics.similarity import SimilarityCheck, overlap
from promptyard.records.cases import CheckSpec

Measure: TypeAlias = Literal["f1", "recall", "precision"]
MEASURES: tuple[Measure, ...] = ("f1", "recall", "precision")
_WORD = re.compile(r"\w+")


class _Rouge(SimilarityCheck):
    normalize_default: ClassVar[Normalization] = "casefold"

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.measure: Measure = self.options.choice("measure", MEASURES, "f1")

    def measured(self, n_hits: int, n_given: int, n_expected: int) -> float:
        """Return the share of hits that the option `measure` asks for."""
        if self.measure == "f1" or not (n_given or n_expected):
            return overlap(n_hits, n_given, n_expected)
        return n_hits / max(1, n_expected if self.measure == "recall" else n_given)


class RougeN(_Rouge):
    """Grade the n-grams of words that answer and expected text share, as a multiset (Lin 2004).

    Words are runs of letters and digits of any script, without stemming. Two texts without
    n-grams are equal.

    Options:
        n: how many words an n-gram has, 1 (default) or more.
        measure: `f1` (default), `recall` (share of the expected n-grams that were given) or
            `precision` (share of the given ones that were expected).
        value: the expected text, when it is the same for all cases; default: the case's, a text
            or a number, or `{"any_of": [...]}`, of which the nearest counts.
        any_of: true makes an expected list a list of alternatives.
        threshold: at or above it the value is 1.0, in (0, 1]; default 1.
        normalize: `casefold` (default), `none`, `strip` or `squad`.

    Below 1.0 it has the tag `low_overlap`. Soft, accuracy. A case without an expected text is
    unscored.
    """

    name = "rouge_n"
    option_names = ("n", "measure", "value", "any_of", "threshold", "normalize")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.n = self.options.count("n") if self.options.has("n") else 1
        if not self.n:
            raise self.options.wrong("n", "must be a whole number, 1 or more", self.n)

    def similarity(self, gold: str, answer: str) -> float:
        """Count the n-grams in common."""
        expected, given = (self._n_grams(text) for text in (gold, answer))
        return self.measured((expected & given).total(), given.total(), expected.total())

    def _n_grams(self, text: str) -> Counter[tuple[str, ...]]:
        words = _WORD.findall(text)
        return Counter(zip(*(words[start:] for start in range(self.n or 1)), strict=False))


class RougeL(_Rouge):
    """Grade the longest common subsequence of words of the two texts (ROUGE-L, Lin 2004).

    The words need not stand side by side, only in the same order; each text counts as one
    sentence. Words are runs of letters and digits of any script, without stemming.

    Options:
        measure: `f1` (default), `recall` or `precision` of the subsequence.
        value: the expected text, when it is the same for all cases; default: the case's, a text
            or a number, or `{"any_of": [...]}`, of which the nearest counts.
        any_of: true makes an expected list a list of alternatives.
        threshold: at or above it the value is 1.0, in (0, 1]; default 1.
        normalize: `casefold` (default), `none`, `strip` or `squad`.

    Below 1.0 it has the tag `low_overlap`. Soft, accuracy. A case without an expected text is
    unscored; two texts of which the lengths multiply to more than 4e10 (200,000 characters
    each) are skipped as `too_large`.
    """

    name = "rouge_l"
    option_names = ("measure", "value", "any_of", "threshold", "normalize")
    most_work: ClassVar[int] = 40_000_000_000

    def similarity(self, gold: str, answer: str) -> float:
        """Measure the longest common subsequence."""
        expected, given = _WORD.findall(gold), _WORD.findall(answer)
        return self.measured(longest_common(expected, given), len(given), len(expected))

    def work(self, gold: str, answer: str) -> int:
        """Return the size of the table in characters."""
        return len(gold) * len(answer)


def longest_common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the length of the longest common subsequence of two sequences of words.

    Bit-parallel (Crochemore et al. 2001; Hyyrö 2004): a row of the table is one integer with a
    bit a word of the shorter sequence, so a step costs n / 30 machine words instead of n cells.
    """
    if len(one) > len(other):
        one, other = other, one
    places: dict[str, int] = {}
    for number, word in enumerate(one):
        places[word] = places.get(word, 0) | (1 << number)
    full = (1 << len(one)) - 1
    row = full
    for word in other:
        matches = row & places.get(word, 0)
        row = ((row + matches) | (row - matches)) & full
    return len(one) - row.bit_count()
