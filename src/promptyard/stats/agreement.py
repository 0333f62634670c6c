"""How far two raters agree: kappa, and a judge's rates of error against labels by people."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from promptyard.records.scores import Interval
from promptyard.stats.estimates import Estimate
from promptyard.stats.intervals import wilson_interval

Label = TypeVar("Label", bound=Hashable)


@dataclass(frozen=True)
class Agreement:
    """Kappa of `n` cases that both raters labelled.

    `observed` is the share on which they agree, `expected` what chance would give; both are None
    without cases. `kappa` is (observed - expected) / (1 - expected): 1 is perfect, 0 is chance; its
    value is None where that cannot be told.
    """

    n: int
    observed: float | None
    expected: float | None
    kappa: Estimate


@dataclass(frozen=True)
class Share:
    """`hits` of `n`, with Wilson's interval; `value` and `interval` are None where n is 0."""

    hits: int
    n: int
    value: float | None
    interval: Interval | None


@dataclass(frozen=True)
class JudgeAccuracy:
    """A judge against labels by people, on the same answers.

    `tpr` is the share of answers passed by people that the judge passes too, `tnr` the share of
    failed ones that it fails. Each needs such labels: without a failed answer `tnr` has no value.
    """

    tpr: Share
    tnr: Share
    agreement: Agreement

    @property
    def youden(self) -> float | None:
        """TPR + TNR - 1: 1 is a perfect judge, 0 a coin; None unless both are known."""
        if self.tpr.value is None or self.tnr.value is None:
            return None
        return self.tpr.value + self.tnr.value - 1.0


def cohen_kappa(
    first: Sequence[Hashable], second: Sequence[Hashable], *, alpha: float = 0.05
) -> Agreement:
    """Return Cohen's kappa of two raters who labelled the same cases, in the same order.

    Any number of classes. The interval carries Wilson's limits of the share that agrees through
    the formula: with 30-100 labels it held in 94-98 % of our simulations where the standard error
    (Fleiss, Cohen & Everitt) held in 62-94 %, and it is no point where all labels agree. Where
    either rater gave one label only, kappa has no value: 95 % agreement may then be chance or
    not. Raises ValueError for unequal lengths. Source: Cohen 1960; Fleiss, Cohen & Everitt 1969.
    """
    table = _table(first, second)
    return _with_wilson(_agreement(table), alpha=alpha)


def judge_accuracy(
    human: Sequence[bool], judge: Sequence[bool], *, alpha: float = 0.05
) -> JudgeAccuracy:
    """Compare a judge's pass or fail with the labels of people for the same answers, in order.

    True is a pass. Raises ValueError for unequal lengths. Source: Wilson 1927 for the intervals.
    """
    pairs = Counter(zip(human, judge, strict=True))
    return JudgeAccuracy(
        tpr=_share(pairs[True, True], pairs[True, True] + pairs[True, False], alpha=alpha),
        tnr=_share(pairs[False, False], pairs[False, False] + pairs[False, True], alpha=alpha),
        agreement=cohen_kappa(human, judge, alpha=alpha),
    )


def _share(hits: int, n: int, *, alpha: float) -> Share:
    if n == 0:
        return Share(hits=hits, n=n, value=None, interval=None)
    low, high = wilson_interval(hits, n, alpha=alpha)
    interval = Interval(low=low, high=high, level=1.0 - alpha, method="wilson")
    return Share(hits=hits, n=n, value=hits / n, interval=interval)


def _table(first: Sequence[Label], second: Sequence[Label]) -> Counter[tuple[Label, Label]]:
    if len(first) != len(second):
        raise ValueError(
            f"agreement needs the same cases: {len(first)} and {len(second)} labels were given"
        )
    return Counter(zip(first, second, strict=True))


def _agreement(table: Counter[tuple[Label, Label]]) -> Agreement:
    n = table.total()
    if n == 0:
        return Agreement(0, None, None, Estimate.refused("no case has both labels"))
    rows: Counter[Label] = Counter()
    columns: Counter[Label] = Counter()
    for (one, other), count in table.items():
        rows[one] += count
        columns[other] += count
    observed = sum(m for (i, j), m in table.items() if i == j) / n
    expected = math.fsum(columns[i] / n * m for i, m in rows.items()) / n
    if min(len(rows), len(columns)) == 1:
        reason = "a rater gave one label only, so agreement by chance cannot be told apart"
        return Agreement(n, observed, expected, Estimate.refused(reason))
    # By chance a label meets its like as often as the other rater gave it.
    squares = math.fsum(
        m
        * (float(i == j) * (1.0 - expected) - (columns[i] / n + rows[j] / n) * (1.0 - observed))
        ** 2
        for (i, j), m in table.items()
    )
    excess = squares / n - (observed * expected - 2.0 * expected + observed) ** 2
    se = math.sqrt(max(0.0, excess) / n) / (1.0 - expected) ** 2
    kappa = Estimate(value=_through_kappa(observed, expected), se=se)
    return Agreement(n, observed, expected, kappa)


def _through_kappa(observed: float, expected: float) -> float:
    return (observed - expected) / (1.0 - expected)


def _with_wilson(agreement: Agreement, *, alpha: float) -> Agreement:
    """Add the interval that Wilson's limits of the observed agreement give."""
    observed, expected, n = agreement.observed, agreement.expected, agreement.n
    if agreement.kappa.value is None or observed is None or expected is None:
        return agreement
    low, high = wilson_interval(min(observed * n, n), n, alpha=alpha)
    interval = Interval(
        low=max(-1.0, _through_kappa(low, expected)),
        high=min(1.0, _through_kappa(high, expected)),
        level=1.0 - alpha,
        method="wilson agreement",
    )
    return replace(agreement, kappa=replace(agreement.kappa, interval=interval))
