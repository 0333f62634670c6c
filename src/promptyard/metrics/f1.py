"""The check `f1`: how many words the answer shares with the expected text."""

from __future__ import annotations

from collections import Counter

from promptyard.metrics.similarity import SimilarityCheck, overlap


class F1(SimilarityCheck):
    """Grade the words that answer and expected text share: the F1 of two multisets.

    As in SQuAD (Rajpurkar et al. 2016, the official script): a word that stands twice must be
    expected twice to count twice (inspect's `f1` compares sets). Two texts without words are
    equal; one without words shares nothing. A word ends at white space, so this is not for
    languages that write without spaces.

    Options:
        value: the expected text, when it is the same for all cases; default: the case's, a text
            or a number, or `{"any_of": [...]}`, of which the nearest counts.
        any_of: true makes an expected list a list of alternatives.
        threshold: at or above it the value is 1.0, in (0, 1]; default 1.
        normalize: `squad` (default), `none`, `strip` or `casefold`.

    Below 1.0 it has the tag `low_overlap`. Soft, accuracy. A case without an expected text is
    unscored.
    """

    name = "f1"

    def similarity(self, gold: str, answer: str) -> float:
        """Count the words in common."""
        expected, given = Counter(gold.split()), Counter(answer.split())
        n_hits = (expected & given).total()
        return overlap(n_hits, given.total(), expected.total())
