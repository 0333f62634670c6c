"""The check `levenshtein`: how few characters lie between the answer and the expected text."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, cast

from promptyard.metrics.comparison import Normalization
from promptyard.metrics.context import MetricContext
from promptyard.metrics.similarity import SimilarityCheck, from_extra
from promptyard.records.cases import CheckSpec


class Levenshtein(SimilarityCheck):
    """Grade by edit distance: 1 - distance / length of the longer text, in code points.

    The distance is the fewest insertions, deletions and substitutions of one character. Needs the
    extra `metrics` (rapidfuzz).

    Options:
        value: the expected text, when it is the same for all cases; default: the case's, a text
            or a number, or `{"any_of": [...]}`, of which the nearest counts.
        any_of: true makes an expected list a list of alternatives.
        threshold: at or above it the value is 1.0, in (0, 1]; default 1.
        max_distance: at most so many edits make the value 1.0; default 0.
        normalize: `strip` (default), `none`, `casefold` or `squad`.

    Below 1.0 it has the tag `low_overlap`. Soft, accuracy. A case without an expected text is
    unscored; two texts of which the lengths multiply to more than 2e9 (45,000 characters each)
    are skipped as `too_large`.
    """

    name = "levenshtein"
    option_names = ("value", "any_of", "threshold", "max_distance", "normalize")
    normalize_default: ClassVar[Normalization] = "strip"
    most_work: ClassVar[int] = 2_000_000_000

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.max_distance = self.options.count("max_distance") or 0
        library = from_extra(self.options, "rapidfuzz.distance.Levenshtein")
        self._distance = cast("Callable[[str, str], int]", library.distance)

    def similarity(self, gold: str, answer: str) -> float:
        """Count the edits."""
        distance = self._distance(gold, answer)
        if distance <= self.max_distance:
            return 1.0
        return 1.0 - distance / max(len(gold), len(answer))

    def work(self, gold: str, answer: str) -> int:
        """Return the size of the table of distances."""
        return len(gold) * len(answer)
