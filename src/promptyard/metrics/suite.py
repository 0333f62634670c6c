"""Metrics of a whole suite of labelled answers: accuracy, macro F1, confusions. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from promptyard.metrics.comparison import accepted_values, label_text
from promptyard.metrics.json_text import as_array
from promptyard.records.base import Json, Record
from promptyard.records.evidence import ConfusionPair
from promptyard.records.scores import GradedCase

LabelPair: TypeAlias = tuple[str, str]
"""The expected label and the label that was given."""

TOP_CONFUSIONS = 20


class ClassScore(Record):
    """How one expected label fared; all shares are in [0, 1].

    `precision` is None for a label that was never given: nothing was measured.
    """

    precision: float | None
    recall: float
    f1: float
    n_expected: int
    n_given: int


def suite_metrics(graded: Sequence[GradedCase]) -> dict[str, Json]:
    """Sum up the labelled answers of a report as plain JSON data.

    `accuracy` and `macro_f1` in [0, 1], `n_labels` (distinct expected labels) and `confusions`,
    the 20 most frequent. Empty where no answer has a label.
    """
    pairs = label_pairs(graded)
    if not pairs:
        return {}
    confusions = confusion_pairs(pairs)[:TOP_CONFUSIONS]
    return {
        "accuracy": accuracy(pairs),
        "macro_f1": macro_f1(pairs),
        "n_labels": len({expected for expected, _ in pairs}),
        "confusions": [pair.model_dump(mode="json") for pair in confusions],
    }


def label_pairs(graded: Sequence[GradedCase]) -> list[LabelPair]:
    """Gather (expected, given) of all scored trials that have a label for the whole answer.

    A case that accepts several labels counts as the one that was given, else as its first.
    Trials with errors and labels of single fields are left out.
    """
    pairs: list[LabelPair] = []
    for item in graded:
        given = next(
            (s.label for s in item.trial.scores if s.label is not None and s.field is None), None
        )
        accepted = _expected_labels(item.case.expected)
        if item.trial.status == "scored" and given is not None and accepted:
            pairs.append((given if given in accepted else accepted[0], given))
    return pairs


def accuracy(pairs: Sequence[LabelPair]) -> float | None:
    """Share of pairs whose labels agree; None without pairs."""
    if not pairs:
        return None
    return sum(expected == given for expected, given in pairs) / len(pairs)


def macro_f1(pairs: Sequence[LabelPair]) -> float | None:
    """Unweighted mean of F1 over the labels that are expected anywhere; None without pairs.

    Labels that are only given are no classes of their own, as each invented answer would else
    lower the mean; they still count as misses of the label that was expected.
    """
    scores = per_class(pairs)
    return sum(item.f1 for item in scores.values()) / len(scores) if scores else None


def per_class(pairs: Sequence[LabelPair]) -> dict[str, ClassScore]:
    """Precision, recall and F1 of each expected label, in alphabetical order."""
    expected = Counter(label for label, _ in pairs)
    given = Counter(label for _, label in pairs)
    hits = Counter(label for label, answer in pairs if label == answer)
    return {
        label: ClassScore(
            precision=hits[label] / given[label] if given[label] else None,
            recall=hits[label] / expected[label],
            f1=2 * hits[label] / (expected[label] + given[label]),
            n_expected=expected[label],
            n_given=given[label],
        )
        for label in sorted(expected)
    }


def confusion_pairs(pairs: Sequence[LabelPair]) -> tuple[ConfusionPair, ...]:
    """Count which label was given for which other one: most frequent first, then by name."""
    counts = Counter(pair for pair in pairs if pair[0] != pair[1])
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        ConfusionPair(expected=expected, got=given, n_cases=n_cases)
        for (expected, given), n_cases in ordered
    )


def _expected_labels(expected: Json) -> tuple[str, ...]:
    alternatives = accepted_values(expected, any_of=as_array(expected) is not None)
    return tuple(label for value in alternatives if (label := label_text(value)) is not None)
