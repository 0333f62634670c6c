"""Metrics of a whole suite: of labels (F1, MCC, kappa, confusions) and of item sets. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from promptyard.metrics.comparison import accepted_values, label_text
from promptyard.metrics.json_text import as_array
from promptyard.records.base import Json, Record
from promptyard.records.evidence import ConfusionPair
from promptyard.records.scores import GradedCase, HitCounts
from promptyard.stats.agreement import cohen_kappa

LabelPair: TypeAlias = tuple[str, str]
"""The expected label and the label that was given."""

TOP_CONFUSIONS = 20
TOP_CLASSES = 100


class ClassScore(Record):
    """How one expected label fared; all shares are in [0, 1].

    `precision` is None for a label that was never given: nothing was measured.
    """

    precision: float | None
    recall: float
    f1: float
    n_expected: int
    n_given: int


class MicroScore(Record):
    """What the item sets of one check add up to over all answers; all shares are in [0, 1].

    Items of all answers are counted together, so that an answer with many items counts more.
    `precision` is None where nothing was given, `recall` where nothing was expected, `f1` where
    neither was.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    n_hits: int
    n_given: int
    n_expected: int


def suite_metrics(graded: Sequence[GradedCase]) -> dict[str, Json]:
    """Sum up the answers of a report as plain JSON data.

    Of labels, where any scored answer has one: `accuracy`, `macro_f1` and `micro_f1` in [0, 1],
    `mcc` (Matthews' correlation, of many classes) and `kappa` (Cohen's) in [-1, 1], both None
    where not defined, `n_labels` (distinct expected labels), `per_class` (precision, recall and F1
    of the 100 most frequent expected labels) and `confusions`, the 20 most frequent.

    A pair of labels counts for each trial that was scored, has a `Score.label` for the whole
    answer (not for a field) and whose case expects a label, a number, a bool, or alternatives of
    them. Of several checks with labels the first counts. Errors and unscored trials do not count:
    see the coverage. An answer that is none of the labels counts as a label of its own.

    Of item sets, where any check counts hits (`field_set`, `tool_call_f1`): `micro`, for each such
    check precision, recall and F1 over the items of all scored answers together. An answer without
    usable items counts with the items that were expected.
    """
    pairs = label_pairs(graded)
    micro = micro_scores(graded)
    found: dict[str, Json] = {}
    if pairs:
        classes = per_class(pairs, most=TOP_CLASSES)
        confusions = confusion_pairs(pairs)[:TOP_CONFUSIONS]
        found = {
            "accuracy": accuracy(pairs),
            "macro_f1": macro_f1(pairs),
            "micro_f1": micro_f1(pairs),
            "mcc": matthews(pairs),
            "kappa": kappa(pairs),
            "n_labels": len({label for label, _ in pairs}),
            "per_class": {name: item.model_dump(mode="json") for name, item in classes.items()},
            "confusions": [pair.model_dump(mode="json") for pair in confusions],
        }
    if micro:
        found["micro"] = {name: score.model_dump(mode="json") for name, score in micro.items()}
    return found


def micro_scores(graded: Sequence[GradedCase]) -> dict[str, MicroScore]:
    """Add up the hits of each check that counts them, over all scored trials."""
    totals: dict[str, HitCounts] = {}
    for item in graded:
        for score in item.trial.scores if item.trial.status == "scored" else ():
            if score.counts is None:
                continue
            before = totals.get(score.metric, HitCounts(n_hits=0, n_given=0, n_expected=0))
            totals[score.metric] = HitCounts(
                n_hits=before.n_hits + score.counts.n_hits,
                n_given=before.n_given + score.counts.n_given,
                n_expected=before.n_expected + score.counts.n_expected,
            )
    return {name: _micro_score(counts) for name, counts in totals.items()}


def _micro_score(counts: HitCounts) -> MicroScore:
    n_hits, n_given, n_expected = counts.n_hits, counts.n_given, counts.n_expected
    return MicroScore(
        precision=n_hits / n_given if n_given else None,
        recall=n_hits / n_expected if n_expected else None,
        f1=2 * n_hits / (n_given + n_expected) if n_given + n_expected else None,
        n_hits=n_hits,
        n_given=n_given,
        n_expected=n_expected,
    )


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
    expected, given, hits = _counts(pairs)
    f1s = [_f1(hits[label], expected[label], given[label]) for label in sorted(expected)]
    return sum(f1s) / len(f1s) if f1s else None


def micro_f1(pairs: Sequence[LabelPair]) -> float | None:
    """F1 of all labels counted together; None without pairs.

    Each answer gives one label and one is expected, so that this is the accuracy.
    """
    return accuracy(pairs)


def matthews(pairs: Sequence[LabelPair]) -> float | None:
    """Matthews' correlation of expected and given labels, in [-1, 1], of any number of classes.

    None where only one label is expected or only one given: there is nothing to correlate.
    Source: Gorodkin 2004 (R_K), which for two classes is Matthews 1975.
    """
    n = len(pairs)
    expected = Counter(label for label, _ in pairs)
    given = Counter(label for _, label in pairs)
    n_hits = sum(label == answer for label, answer in pairs)
    covariance = n_hits * n - sum(expected[label] * given[label] for label in expected)
    spread = [n**2 - sum(count**2 for count in counts.values()) for counts in (expected, given)]
    return covariance / math.sqrt(spread[0] * spread[1]) if all(spread) else None


def kappa(pairs: Sequence[LabelPair]) -> float | None:
    """Cohen's kappa of expected and given labels, in [-1, 1]; None where it is not defined."""
    return cohen_kappa(*zip(*pairs, strict=True)).kappa.value if pairs else None


def per_class(pairs: Sequence[LabelPair], most: int | None = None) -> dict[str, ClassScore]:
    """Precision, recall and F1 of each expected label, in alphabetical order.

    With `most`, only of so many labels: those that are expected most often, these first.
    """
    expected, given, hits = _counts(pairs)
    labels = sorted(expected)
    if most is not None:
        labels = sorted(labels, key=lambda label: -expected[label])[:most]
    return {
        label: ClassScore(
            precision=hits[label] / given[label] if given[label] else None,
            recall=hits[label] / expected[label],
            f1=_f1(hits[label], expected[label], given[label]),
            n_expected=expected[label],
            n_given=given[label],
        )
        for label in labels
    }


def _counts(pairs: Sequence[LabelPair]) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """How often each label was expected, given, and given where it was expected."""
    return (
        Counter(label for label, _ in pairs),
        Counter(label for _, label in pairs),
        Counter(label for label, answer in pairs if label == answer),
    )


def _f1(n_hits: int, n_expected: int, n_given: int) -> float:
    return 2 * n_hits / (n_expected + n_given)


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
