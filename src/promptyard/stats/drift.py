"""Whether two windows of live traffic look alike: bins frozen on the first, limits that know sizes.

The well-known limits of the population stability index (0.1, 0.25) ignore how many values there
are: with ten bins and 100 values in each window it exceeds 0.1 in 84 % of the cases without any
drift. Here the limit grows where windows are small, and below `MIN_VALUES` nothing is said.
Source: anchors on release, section 3.
"""

from __future__ import annotations

import bisect
import math
import random
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from promptyard.stats.distributions import normal_quantile

MIN_VALUES = 200
"""Values that each window needs."""

LEAST_PSI = 0.2
"""A stability index below this is no drift worth a look, however many values show it."""

LEAST_JS = 0.1
"""A Jensen-Shannon distance of scores below this is no drift worth a look."""

LEAST_AUROC = 0.65
"""A classifier that tells two windows apart no better than this has found nothing."""

CONFIDENCE = 0.999
OTHER = "(other)"


@dataclass(frozen=True)
class Bins:
    """Bins frozen on a reference window, and how many of its values lie in each.

    Of numbers: `edges` ascend, a value belongs to the bin right of the last edge that it reaches.
    Of words: `words` are the commonest ones, all others are one bin.
    """

    counts: tuple[int, ...]
    edges: tuple[float, ...] = ()
    words: tuple[Hashable, ...] = ()

    @property
    def n(self) -> int:
        """Values of the reference window."""
        return sum(self.counts)


@dataclass(frozen=True)
class Drift:
    """How far a window is from its reference: drift where `value` exceeds `limit`.

    `n_reference` and `n` are the values in each; with fewer than `MIN_VALUES` in either there is no
    limit (infinity) and no drift. `most_changed` names the bin whose share changed most.
    """

    value: float
    limit: float
    n_reference: int
    n: int
    most_changed: str = ""

    @property
    def is_drift(self) -> bool:
        """Whether the windows differ by more than chance and more than a trifle."""
        return self.value > self.limit


def freeze_number_bins(values: Sequence[float], n_bins: int = 10) -> Bins:
    """Cut numbers into bins of about equal counts, about `n_bins`; equal values share a bin.

    A number that alone fills a bin has one to itself, with the numbers below and above it in
    others: else nothing could show that a feature which was always 100 is 10,000 now. Raises
    ValueError for no value or one that is not finite.
    """
    if not values or not all(map(math.isfinite, values)):
        raise ValueError("bins are frozen on finite numbers, one at least")
    ordered = sorted(values)
    cuts = [ordered[len(ordered) * k // n_bins] for k in range(1, n_bins)]
    edges = {cut for cut in cuts if cut > ordered[0]}
    for value, count in Counter(ordered).items():
        if count > 1 and count * n_bins >= len(ordered):
            edges |= {value, math.nextafter(value, math.inf)} - {math.inf}
    ascending = tuple(sorted(edges))
    return Bins(counts=_count_numbers(values, ascending), edges=ascending)


def freeze_word_bins(values: Sequence[Hashable], n_bins: int = 20) -> Bins:
    """Give each of the commonest `n_bins` - 1 words a bin; all others share the last.

    Raises ValueError for no value.
    """
    if not values:
        raise ValueError("bins are frozen on one word at least")
    counted = Counter(values)
    # Ties are broken by the word, so that the same window gives the same bins.
    common = sorted(counted, key=lambda word: (-counted[word], str(word)))[: n_bins - 1]
    words = tuple(common)
    return Bins(counts=_count_words(values, words), words=words)


def population_stability(reference: Bins, values: Sequence[Hashable]) -> Drift:
    """Compare a window with frozen bins by the population stability index.

    PSI = sum of (a - r) ln(a / r) over the shares of each bin, half a value added to each; a bin
    that is empty in both windows is none. The limit is the larger of 0.2 and the 99.9 % quantile of
    what chance gives: chi2(bins - 1) (1/n + 1/m). Raises TypeError for words against bins of
    numbers.
    """
    counts = (
        _count_words(values, reference.words)
        if reference.words
        else _count_numbers([float(value) for value in values], reference.edges)  # pyright: ignore[reportArgumentType]  (said in Raises)
    )
    used = [k for k, pair in enumerate(zip(reference.counts, counts, strict=True)) if any(pair)]
    first, second = (_shares([row[k] for k in used]) for row in (reference.counts, counts))
    parts = [(b - a) * math.log(b / a) for a, b in zip(first, second, strict=True)]
    changed = max(range(len(parts)), key=lambda k: parts[k])
    n, m = reference.n, len(values)
    limit = math.inf
    if min(n, m) >= MIN_VALUES:
        chance = chi_square_quantile(CONFIDENCE, len(parts) - 1) * (1 / n + 1 / m)
        limit = max(LEAST_PSI, chance)
    return Drift(sum(parts), limit, n, m, _bin_name(reference, used[changed]))


def score_drift(reference: Sequence[float], values: Sequence[float]) -> Drift:
    """Compare two windows of scores in [0, 1]: a large *and* significant change is drift.

    The value is the Jensen-Shannon distance (base 2, in [0, 1]) over ten equal bins. Its limit is
    0.1, or infinity where a chi-square test over the bins does not reject at 0.1 %.
    """
    edges = tuple(k / 10 for k in range(1, 10))
    first, second = _count_numbers(reference, edges), _count_numbers(values, edges)
    n, m = len(reference), len(values)
    distance = jensen_shannon(_shares(first), _shares(second)) if n and m else 0.0
    limit = math.inf
    if min(n, m) >= MIN_VALUES:
        used = [(a, b) for a, b in zip(first, second, strict=True) if a + b]
        statistic = sum(_chi_square_term(a, b, n, m) for a, b in used)
        if len(used) > 1 and statistic > chi_square_quantile(CONFIDENCE, len(used) - 1):
            limit = LEAST_JS
    return Drift(distance, limit, n, m)


def jensen_shannon(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the Jensen-Shannon divergence (base 2) of two distributions over the same bins."""
    middle = [(a + b) / 2 for a, b in zip(first, second, strict=True)]

    def against(shares: Sequence[float]) -> float:
        return sum(a * math.log2(a / m) for a, m in zip(shares, middle, strict=True) if a > 0)

    return 0.5 * (against(first) + against(second))


@dataclass(frozen=True)
class TextDrift:
    """How well words tell two windows apart, and which words do it best."""

    drift: Drift
    words: tuple[str, ...]


def text_drift(
    reference: Sequence[frozenset[str]],
    values: Sequence[frozenset[str]],
    *,
    seed: int = 0,
    n_permutations: int = 100,
) -> TextDrift:
    """Ask a classifier of words which window a text is from; it should not be able to say.

    Texts are sets of words. The classifier (log odds of each word, learnt on one half and tried on
    the other, both ways) has an AUROC of 0.5 where windows are alike. Drift is an AUROC above both
    0.65 and the 99th percentile of `n_permutations` shuffles of the labels. Costs about
    0.1 ms a text and shuffle.
    """
    texts = [*reference, *values]
    labels = [False] * len(reference) + [True] * len(values)
    n, m = len(reference), len(values)
    if min(n, m) < MIN_VALUES:
        return TextDrift(Drift(0.5, math.inf, n, m), ())
    generator = random.Random(seed)
    order = list(range(len(texts)))
    generator.shuffle(order)
    texts, labels = [texts[k] for k in order], [labels[k] for k in order]
    value = _crossed_auroc(texts, labels)
    null: list[float] = []
    for _ in range(n_permutations):
        generator.shuffle(labels_null := list(labels))
        null.append(_crossed_auroc(texts, labels_null))
    limit = max(LEAST_AUROC, sorted(null)[math.ceil(0.99 * len(null)) - 1])
    odds = _log_odds(texts, labels)
    told = sorted(odds, key=lambda word: (-abs(odds[word][0]) * odds[word][1], word))
    return TextDrift(Drift(value, limit, n, m), tuple(told[:10]))


def chi_square_quantile(probability: float, df: int) -> float:
    """Return the quantile of a chi-square distribution; exact for 1 and 2 degrees of freedom.

    Otherwise it is Wilson and Hilferty's, within 2 % at 0.999.
    """
    if df < 1:
        return 0.0
    if df == 1:
        return normal_quantile((1 + probability) / 2) ** 2
    if df == 2:
        return -2 * math.log(1 - probability)
    part = 2 / (9 * df)
    return df * (1 - part + normal_quantile(probability) * math.sqrt(part)) ** 3


def _crossed_auroc(texts: Sequence[frozenset[str]], labels: Sequence[bool]) -> float:
    half = len(texts) // 2
    parts = [(texts[:half], labels[:half]), (texts[half:], labels[half:])]
    found: list[float] = []
    for (seen, known), (unseen, truth) in ((parts[0], parts[1]), (parts[1], parts[0])):
        odds = _log_odds(seen, known)
        scores = [sum(odds[word][0] for word in text if word in odds) for text in unseen]
        found.append(_auroc(scores, truth))
    return sum(found) / 2


def _log_odds(
    texts: Sequence[frozenset[str]], labels: Sequence[bool]
) -> dict[str, tuple[float, int]]:
    """Map each word to its log odds of the second window, and to how many texts have it."""
    first: Counter[str] = Counter()
    second: Counter[str] = Counter()
    for text, is_second in zip(texts, labels, strict=True):
        (second if is_second else first).update(text)
    n_second = sum(labels)
    n_first = len(labels) - n_second
    return {
        word: (
            math.log((second[word] + 0.5) / (n_second + 1) * (n_first + 1) / (first[word] + 0.5)),
            first[word] + second[word],
        )
        for word in first.keys() | second.keys()
    }


def _auroc(scores: Sequence[float], truth: Sequence[bool]) -> float:
    """Return the share of pairs that the scores order rightly; ties count half."""
    ranked = sorted(zip(scores, truth, strict=True), key=lambda item: item[0])
    n_true = sum(truth)
    n_false = len(truth) - n_true
    if not n_true or not n_false:
        return 0.5
    total, start = 0.0, 0
    while start < len(ranked):
        end = start
        while end < len(ranked) and ranked[end][0] == ranked[start][0]:
            end += 1
        rank = (start + end + 1) / 2  # the mean of the ranks from 1 of equal scores
        total += rank * sum(is_true for _, is_true in ranked[start:end])
        start = end
    return (total - n_true * (n_true + 1) / 2) / (n_true * n_false)


def _chi_square_term(a: int, b: int, n: int, m: int) -> float:
    expected_a, expected_b = (a + b) * n / (n + m), (a + b) * m / (n + m)
    return (a - expected_a) ** 2 / expected_a + (b - expected_b) ** 2 / expected_b


def _count_numbers(values: Sequence[float], edges: Sequence[float]) -> tuple[int, ...]:
    counts = [0] * (len(edges) + 1)
    for value in values:
        counts[bisect.bisect_right(edges, value)] += 1
    return tuple(counts)


def _count_words(values: Sequence[Hashable], words: Sequence[Hashable]) -> tuple[int, ...]:
    places = {word: number for number, word in enumerate(words)}
    counts = [0] * (len(words) + 1)
    for value in values:
        counts[places.get(value, len(words))] += 1
    return tuple(counts)


def _shares(counts: Sequence[int]) -> list[float]:
    """Return shares with half a value added to each bin, so that none is empty."""
    total = sum(counts) + 0.5 * len(counts)
    return [(count + 0.5) / total for count in counts]


def _bin_name(bins: Bins, number: int) -> str:
    if bins.words:
        return str(bins.words[number]) if number < len(bins.words) else OTHER
    low = "" if number == 0 else f"{bins.edges[number - 1]:g} "
    high = "" if number == len(bins.edges) else f" {bins.edges[number]:g}"
    if low and low.strip() == high.strip():
        return low.strip()  # the bin of one number
    return f"{low}to{high}".strip() if low or high else "all"
