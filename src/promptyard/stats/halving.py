"""Fewer calls to find the best of many candidates: nested halving, and paired racing.

Both run all candidates on prefixes of one case order (`stratified_order`), so that every comparison
is paired and no stored answer is lost. They choose, they claim nothing: the winner's score on the
cases that chose it is too high. Pure: told the scores so far they say what to run next, so that a
run which was interrupted goes on as it began.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from promptyard.stats.intervals import cluster_totals

FIRST_CASES = 25
"""Cases on which candidates are compared before any of them goes."""

RACE_Z = 1.28
"""A candidate this many paired standard errors behind the leader goes: one in ten goes wrongly."""

ScoresSoFar: TypeAlias = Mapping[str, Sequence[float | None]]
"""Per candidate its scores in the common order of cases; None where a case gave no score."""

_TIE = 1e-12


@dataclass(frozen=True)
class Rung:
    """After the first `n_cases` of the order the best `n_kept` candidates go on, ties included."""

    n_cases: int
    n_kept: int


@dataclass(frozen=True)
class NextCases:
    """Who runs on, best first, and on which prefix of the case order: the first `n_cases`.

    `done` says that nothing is left to run: `candidates` are then the winners after `n_cases`,
    more than one only where they tie. `unmeasured` have too few scores to be ranked and went for
    that alone.
    """

    candidates: tuple[str, ...]
    n_cases: int
    done: bool
    unmeasured: tuple[str, ...] = ()


def halving_schedule(
    n_candidates: int, n_cases: int, *, n_first: int | None = None, eta: int = 2
) -> tuple[Rung, ...]:
    """Plan sequential halving: each rung keeps one candidate in `eta` and costs about the same.

    The first rung has `n_first` cases, each further one `eta` times as many more. 16 candidates,
    200 cases and 25 first give prefixes of 25, 75, 175 and 200: 1,250 calls where all would take
    3,200. By default `n_first` is 25, or more where few candidates would never see all cases. A
    single candidate needs no rung.

    Raises ValueError unless there is a candidate and a case, `n_first` >= 1 and `eta` >= 2.
    Source: Karnin, Koren & Somekh 2013 (sequential halving); TRIPLE, arXiv 2402.09723.
    """
    if min(n_candidates, n_cases) < 1 or eta < 2 or (n_first is not None and n_first < 1):
        raise ValueError(
            f"halving needs candidates, cases and eta of 2 or more, got {n_candidates} candidates, "
            f"{n_cases} cases, {n_first} first, eta {eta}"
        )
    n_rungs = 1
    while eta**n_rungs < n_candidates:
        n_rungs += 1
    first = n_first or max(FIRST_CASES, math.ceil(n_cases * (eta - 1) / (eta**n_rungs - 1)))
    rungs: list[Rung] = []
    prefix, kept = 0, n_candidates
    while kept > 1:
        prefix = min(n_cases, prefix + first * eta ** len(rungs))
        kept = math.ceil(kept / eta) if prefix < n_cases else 1
        rungs.append(Rung(prefix, kept))
    return tuple(rungs)


def schedule_calls(schedule: Sequence[Rung], n_candidates: int) -> int:
    """Return how many trials a schedule costs where no candidates tie."""
    calls, running, done = 0, n_candidates, 0
    for rung in schedule:
        calls += running * (rung.n_cases - done)
        running, done = rung.n_kept, rung.n_cases
    return calls


def next_halving(scores: ScoresSoFar, schedule: Sequence[Rung]) -> NextCases:
    """Say who goes on, and on how many cases, given all scores so far.

    Ask again with the new scores until it is `done`. Candidates are ranked on the cases that all of
    those still running have scored; who scored fewer than half of a prefix is `unmeasured`. Who
    ties with the last that is kept is kept too.
    """
    running, unmeasured, n_seen = list(scores), list[str](), 0
    for rung in schedule:
        if len(running) < 2:
            break
        if any(len(scores[name]) < rung.n_cases for name in running):
            return NextCases(tuple(running), rung.n_cases, False, tuple(unmeasured))
        ranked, dropped = _ranked(scores, running, rung.n_cases)
        unmeasured += dropped
        running, n_seen = _first_with_ties(ranked, rung.n_kept), rung.n_cases
    return NextCases(tuple(running), n_seen, True, tuple(unmeasured))


def next_race(
    scores: ScoresSoFar,
    n_cases: int,
    *,
    clusters: Sequence[str] | None = None,
    z_behind: float = RACE_Z,
    block_cases: int = FIRST_CASES,
) -> NextCases:
    """Say who goes on when a candidate goes as soon as it is clearly behind the leader.

    After each block of cases, the paired difference to the leader over its standard error (by
    cluster) is compared with `z_behind`. Cheaper than halving and a little worse at finding the
    best. `clusters` has a label for each case of the order. Ranking, ties and `unmeasured` are
    those of `next_halving`. Raises ValueError for fewer than one case or a block below 2 cases.
    Source: anchors on evaluation, section 5 (racing).
    """
    if n_cases < 1 or block_cases < 2:
        raise ValueError(f"a race needs cases and blocks of 2, got {n_cases} and {block_cases}")
    running, unmeasured, n_seen = list(scores), list[str](), 0
    while len(running) > 1 and n_seen < n_cases:
        prefix = min(n_cases, n_seen + block_cases)
        if any(len(scores[name]) < prefix for name in running):
            return NextCases(tuple(running), prefix, False, tuple(unmeasured))
        ranked, dropped = _ranked(scores, running, prefix)
        unmeasured += dropped
        leader = scores[ranked[0][0]] if ranked else ()
        close = [
            pair
            for pair in ranked
            if _behind(leader, scores[pair[0]], prefix, clusters) <= z_behind
        ]
        n_kept = len(close) if prefix < n_cases else 1
        running, n_seen = _first_with_ties(close, n_kept), prefix
    return NextCases(tuple(running), n_seen, True, tuple(unmeasured))


def _ranked(
    scores: ScoresSoFar, running: Sequence[str], n_cases: int
) -> tuple[list[tuple[str, float]], list[str]]:
    """Rank by the mean over the cases that all have scored, best first; name the unmeasured."""
    rows = {name: scores[name][:n_cases] for name in running}
    measured = {
        name: row for name, row in rows.items() if 2 * (n_cases - row.count(None)) >= n_cases
    }
    dropped = [name for name in running if name not in measured]
    common = [
        index
        for index in range(n_cases)
        if all(row[index] is not None for row in measured.values())
    ]
    means = {
        name: math.fsum(row[index] or 0.0 for index in common) / max(1, len(common))
        for name, row in measured.items()
    }
    return sorted(means.items(), key=lambda pair: -pair[1]), dropped


def _first_with_ties(ranked: Sequence[tuple[str, float]], n_kept: int) -> list[str]:
    if len(ranked) <= n_kept:
        return [name for name, _ in ranked]
    bar = ranked[n_kept - 1][1] - _TIE
    return [name for name, mean in ranked if mean >= bar]


def _behind(
    leader: Sequence[float | None],
    candidate: Sequence[float | None],
    n_cases: int,
    clusters: Sequence[str] | None,
) -> float:
    """Return by how many standard errors a candidate is behind; 0 where that cannot be told."""
    pairs = [
        (index, ahead - own)
        for index, (ahead, own) in enumerate(
            zip(leader[:n_cases], candidate[:n_cases], strict=True)
        )
        if ahead is not None and own is not None
    ]
    labels = None if clusters is None else [clusters[index] for index, _ in pairs]
    totals, sizes = cluster_totals([difference for _, difference in pairs], labels)
    if len(totals) < 2:
        return 0.0
    mean = math.fsum(totals) / len(pairs)
    squares = math.fsum((t - mean * size) ** 2 for t, size in zip(totals, sizes, strict=True))
    se = math.sqrt(len(totals) / (len(totals) - 1) * squares) / len(pairs)
    if se <= _TIE:
        return math.inf if mean > _TIE else 0.0
    return mean / se
