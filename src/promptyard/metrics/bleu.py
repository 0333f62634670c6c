"""The checks `bleu` and `chrf`: the scores of machine translation, of one answer each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from promptyard.metrics.comparison import Normalization
from promptyard.metrics.context import MetricContext
from promptyard.metrics.similarity import SimilarityCheck, from_extra
from promptyard.records.cases import CheckSpec


class Bleu(SimilarityCheck):
    """Grade by sentence BLEU (Papineni et al. 2002), by sacrebleu with effective order, over 100.

    Tokens are those of WMT (`13a`), up to 4-grams, smoothing `exp`. The alternatives of a case
    are references together, as in BLEU, instead of the nearest counting. A mean over cases is not
    corpus BLEU. Needs the extra `metrics` (sacrebleu).

    Options:
        value: the expected text, when it is the same for all cases; default: the case's, a text
            or a number, or `{"any_of": [...]}`.
        any_of: true makes an expected list a list of references.
        threshold: at or above it the value is 1.0, in (0, 1]; default 1.
        normalize: `strip` (default), `none`, `casefold` or `squad`.

    Below 1.0 it has the tag `low_overlap`. Soft, accuracy. A case without an expected text is
    unscored; texts of more than a million characters are skipped as `too_large`.
    """

    name = "bleu"
    normalize_default: ClassVar[Normalization] = "strip"
    most_work: ClassVar[int] = 1_000_000

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self._scorer = self.scorer(from_extra(self.options, "sacrebleu.metrics"))

    def scorer(self, library: Any) -> Any:
        """Make the library's metric."""
        return library.BLEU(effective_order=True)

    def nearest(self, golds: Sequence[str], answer: str) -> float:
        """Score against all references together."""
        found = float(self._scorer.sentence_score(answer, list(golds)).score) / 100.0
        return min(1.0, max(0.0, found))

    def similarity(self, gold: str, answer: str) -> float:
        """Score against one reference."""
        return self.nearest([gold], answer)


class Chrf(Bleu):
    """Grade by chrF (Popovic 2015): F2 of character 6-grams, by sacrebleu, over 100.

    White space does not count. Works for languages that write without spaces. Of several
    references the nearest counts. Needs the extra `metrics` (sacrebleu).

    Options:
        value: the expected text, when it is the same for all cases; default: the case's, a text
            or a number, or `{"any_of": [...]}`.
        any_of: true makes an expected list a list of references.
        threshold: at or above it the value is 1.0, in (0, 1]; default 1.
        normalize: `strip` (default), `none`, `casefold` or `squad`.

    Below 1.0 it has the tag `low_overlap`. Soft, accuracy. A case without an expected text is
    unscored; texts of more than a million characters are skipped as `too_large`.
    """

    name = "chrf"

    def scorer(self, library: Any) -> Any:
        """Make the library's metric."""
        return library.CHRF()
