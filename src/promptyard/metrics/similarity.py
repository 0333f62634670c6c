"""What the checks of graded similarity share: expected texts, the best of several, a threshold."""

from __future__ import annotations

import importlib
from abc import abstractmethod
from collections.abc import Sequence
from types import ModuleType
from typing import ClassVar

from promptyard.errors import ConfigError
from promptyard.metrics.check import Check
from promptyard.metrics.comparison import (
    Normalization,
    accepted_values,
    described,
    label_text,
    normalized,
)
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import shorten
from promptyard.metrics.options import Options
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score


class SimilarityCheck(Check):
    """Grade how similar the answer is to an expected text; of several texts the nearest counts.

    Subclasses say what similar means, and how much work it is to find out.
    """

    tag = "low_overlap"
    option_names: tuple[str, ...] = ("value", "any_of", "threshold", "normalize")
    normalize_default: ClassVar[Normalization] = "squad"
    most_work: ClassVar[int] = 100_000_000

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.threshold = self.options.share("threshold", default=1.0)
        self.normalize: Normalization = self.normalize_option(self.normalize_default)
        self.any_of = self.options.flag("any_of")
        self.has_value = self.options.has("value")
        if self.has_value and not self._texts(self.options.value("value")):
            value = self.options.value("value")
            raise self.options.wrong("value", "must be a text, or any_of texts", value)

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Compare with each accepted text; the largest similarity is the value."""
        return self.compared(case, completion, self.golds(case, case.expected), completion.text)

    def golds(self, case: Case, expected: Json) -> tuple[str, ...]:
        """Return the accepted texts. Raises MetricError where there are none."""
        texts = self._texts(self.options.value("value") if self.has_value else expected)
        if not texts:
            raise self.ungradable(case, "'expected' must be a text, or any_of texts")
        return texts

    def compared(
        self, case: Case, completion: Completion, texts: Sequence[str], given: str
    ) -> tuple[Score, ...]:
        """Compare a text of the answer with the accepted ones."""
        answer = self.prepared(given)
        golds = [self.prepared(text) for text in texts]
        if any(self.work(gold, answer) > self.most_work for gold in golds if gold != answer):
            raise self.too_large(
                case, f"{len(answer):,} with {len(max(golds, key=len)):,} characters"
            )
        value = 1.0 if answer in golds else self.nearest(golds, answer)
        if value >= self.threshold:
            return self.passed()
        reason = f"{value:.3g} similar to {described(texts)}; got {shorten(given)}"
        return (self.partly(completion, value, reason),)

    def prepared(self, text: str) -> str:
        """Bring a text into the form in which it is compared."""
        return normalized(text, self.normalize)

    def nearest(self, golds: Sequence[str], answer: str) -> float:
        """Return the similarity in [0, 1] to the nearest of several texts."""
        return max(self.similarity(gold, answer) for gold in golds)

    @abstractmethod
    def similarity(self, gold: str, answer: str) -> float:
        """Return a similarity in [0, 1], 1 where nothing is different."""

    def work(self, gold: str, answer: str) -> int:
        """Return how many steps a comparison takes, in the unit of `most_work`."""
        return len(gold) + len(answer)

    def _texts(self, expected: Json) -> tuple[str, ...]:
        labels = [label_text(value) for value in accepted_values(expected, any_of=self.any_of)]
        known = tuple(label for label in labels if label is not None)
        return known if len(known) == len(labels) else ()


def overlap(n_hits: int, n_given: int, n_expected: int) -> float:
    """F1 of two multisets: 2 hits over the sum of their sizes; two empty ones are equal."""
    total = n_given + n_expected
    return 2 * n_hits / total if total else 1.0


def from_extra(options: Options, module: str) -> ModuleType:
    """Import a library of the extra `metrics`. Raises ConfigError that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigError(
            f"check '{options.check}' needs {module.partition('.')[0]}; "
            "install it with: pip install 'promptyard[metrics]'"
        ) from None
