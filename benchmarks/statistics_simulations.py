"""Simulates what our statistics promise, beside the figures of the study that they follow.

    .venv/bin/python benchmarks/statistics_simulations.py             # some minutes on one core
    .venv/bin/python benchmarks/statistics_simulations.py --runs 0.1  # a tenth of the runs

Prints one Markdown table. The anchor is the study's figure. It gives no error for its simulations,
which is taken to be ours: a figure is within error where both differ by no more than two standard
errors of such a difference and the rounding of the study. Rows without an anchor put further
questions to the same worlds. All seeds are fixed.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from promptyard.stats.agreement import cohen_kappa
from promptyard.stats.e_process import gather_evidence
from promptyard.stats.halving import (
    NextCases,
    ScoresSoFar,
    halving_schedule,
    next_halving,
    next_race,
)
from promptyard.stats.intervals import rate_upper_bound
from promptyard.stats.judge_correction import JudgedScores, ppi_mean, sampling_inflation
from promptyard.stats.multiplicity import max_t_test
from promptyard.stats.paired import compare_paired, mcnemar_midp
from promptyard.stats.power import (
    cases_for_margin,
    certifiable_margin,
    minimal_detectable_effect,
    smallest_significant_win,
    unpaired_detectable_effect,
)
from promptyard.stats.resampling import bootstrap_interval
from simulation_table import HEAD, Row, mean_row, rate_row

Floats: TypeAlias = NDArray[np.float64]

CHANGED = (0.05, 0.10, 0.20, 0.30)
midp = lru_cache(maxsize=None)(mcnemar_midp)


# Judges (section 4)


def judges(runs: float) -> Iterator[Row]:
    pairs = ((0.95, 0.95), (0.9, 0.85), (0.8, 0.8))
    factors = tuple(sampling_inflation(*pair) for pair in pairs)
    yield Row("cases that a judge needs, TPR/TNR .95/.95, .90/.85, .80/.80", (1.23, 1.78, 2.78),
              factors, 2)  # fmt: skip
    found = cohen_kappa([0] * 50 + [1] * 50, [0] * 45 + [1] * 50 + [0] * 5)
    half = 1.96 * (found.kappa.se or math.nan)
    yield Row("kappa and half its interval, n=100, 90 agree", (0.80, 0.12),
              (found.kappa.value, half), 2)  # fmt: skip
    rng = np.random.default_rng(41)
    n_runs, n, n_other, spread = int(20_000 * runs), 50, 450, 0.12
    for correlation, anchor, worth in ((0.7, 0.56, 89), (0.5, 0.78, None)):
        values: list[float] = []
        known: list[float] = []
        weight = correlation * n_other / (n + n_other)
        for _ in range(n_runs):
            people, noise = rng.standard_normal((2, n + n_other))
            judge = correlation * people + math.sqrt(1.0 - correlation**2) * noise
            labels, judged = (np.clip(0.5 + spread * z, 0.0, 1.0) for z in (people, judge))
            scores = JudgedScores(labels[:n].tolist(), judged[:n].tolist(), judged[n:].tolist())
            values.append(ppi_mean(scores).value or math.nan)
            step = float(judged[n:].mean() - judged[:n].mean())
            known.append(float(labels[:n].mean()) + weight * step)
        name = f"PPI++ variance, share of that of 50 labels, r={correlation}"
        ratio, error = variance_ratio(known, spread**2 / n)
        yield Row(f"{name}, best weight known", (anchor,), (ratio,), 2, (error,))
        ratio, error = variance_ratio(values, spread**2 / n)
        yield Row(f"{name}, weight estimated", (anchor,), (ratio,), 2, (error,))
        if worth:
            yield Row("labels that it is worth", (worth,), (n / ratio,), 0, (n * error / ratio**2,))


def variance_ratio(values: Sequence[float], variance: float) -> tuple[float, float]:
    ratio = float(np.var(values, ddof=1)) / variance
    return ratio, ratio * math.sqrt(2.0 / len(values))


# McNemar (section 5)


def exact(fixed: int, broken: int) -> float:
    fewer, n_changed = min(fixed, broken), fixed + broken
    if fixed == broken:
        return 1.0
    return midp(fixed, broken) + math.comb(n_changed, fewer) / 2**n_changed


def asymptotic(fixed: int, broken: int) -> float:
    n_changed = fixed + broken
    return math.erfc(abs(fixed - broken) / math.sqrt(2.0 * n_changed)) if n_changed else 1.0


def draw_changes(
    rng: np.random.Generator, n_runs: int, n: int, psi: float, gain: float
) -> list[tuple[int, int]]:
    shares = [(psi + gain) / 2, (psi - gain) / 2, 1 - psi]
    return [(int(row[0]), int(row[1])) for row in rng.multinomial(n, shares, size=n_runs)]


def mcnemar(runs: float) -> Iterator[Row]:
    rng = np.random.default_rng(51)
    n_runs = int(10_000 * runs)
    null, better = (draw_changes(rng, n_runs, 50, 0.1, gain) for gain in (0.0, 0.08))
    tests: dict[str, tuple[Callable[[int, int], float], float, float]] = {
        "exact": (exact, 0.010, 0.21),
        "mid-p": (midp, 0.029, 0.34),
        "asymptotic": (asymptotic, 0.053, 0.47),
    }
    for name, (test, size, power) in tests.items():
        hits = sum(test(*row) <= 0.05 for row in null)
        yield rate_row(f"McNemar {name}: size, n=50, psi=.1", size, hits, n_runs, 3)
        hits = sum(test(*row) <= 0.05 for row in better)
        yield rate_row(f"McNemar {name}: power at +8 pt", power, hits, n_runs)
    win = smallest_significant_win()
    yield Row("cases fixed in the smallest win, none broken", (5,), (win,), 0)
    yield Row("its mid-p value", (0.031,), (midp(win, 0),), 3)


def bootstrap(runs: float) -> Iterator[Row]:
    rng = np.random.default_rng(52)
    n_runs = int(2_000 * runs)

    def sparse() -> Floats:
        return np.where(rng.random(50) < 0.3, rng.normal(0.0, 0.3, 50), 0.0)

    worlds: dict[str, tuple[Callable[[], Floats], float | None]] = {
        "30 % of pass/fail change": (lambda: signs(rng, 50, 0.3, 0.0), 0.048),
        "uniform scores": (lambda: rng.random(50) - rng.random(50), 0.056),
        "normal differences": (lambda: rng.standard_normal(50), None),
        "30 % change, by normal amounts": (sparse, None),
    }
    for name, (draw, anchor) in worlds.items():
        hits = sum(
            not low <= 0.0 <= high
            for low, high in (
                bootstrap_interval(
                    draw().tolist(), [1.0] * 50, alpha=0.05, seed=run, n_resamples=999
                )
                for run in range(n_runs)
            )
        )
        yield rate_row(f"percentile bootstrap: size, n=50, {name}", anchor, hits, n_runs, 3)
    hits = 0
    for run in range(n_runs):
        before = np.clip(0.5 + rng.normal(0.0, 0.1, 50), 0.0, 1.0)
        after = np.clip(before + sparse(), 0.0, 1.0)
        interval = compare_paired(
            before.tolist(), after.tolist(), seed=run, n_resamples=999
        ).interval
        hits += not interval.low <= 0.0 <= interval.high
    yield rate_row("the same with our pseudo-clusters", None, hits, n_runs, 3)


# What cases can show


def detectable(runs: float) -> Iterator[Row]:
    tables: dict[bool, dict[int, tuple[float | None, ...]]] = {
        True: {50: (None, None, 17.3, 21.2), 100: (None, 8.8, 12.4, 15.2),
               200: (4.4, 6.2, 8.8, 10.8), 300: (3.6, 5.1, 7.2, 8.8), 500: (2.8, 4.0, 5.6, 6.8)},
        False: {50: (None, None, 15.4, 18.9), 100: (None, 7.8, 11.0, 13.5),
                200: (3.9, 5.5, 7.8, 9.6), 300: (3.2, 4.5, 6.4, 7.8), 500: (2.5, 3.5, 5.0, 6.1)},
    }  # fmt: skip
    for two_sided, table in tables.items():
        sides = "two-sided" if two_sided else "one-sided"
        for n, anchor in table.items():
            effects = [minimal_detectable_effect(n, psi, two_sided=two_sided) for psi in CHANGED]
            ours = tuple(None if effect is None else 100 * effect for effect in effects)
            yield Row(f"detectable effect, {sides}, n={n}, psi=.05/.1/.2/.3 (pt)", anchor, ours, 1)
    sizes = (50, 100, 200, 300, 500)
    ours = tuple(100 * unpaired_detectable_effect(n, 0.8) for n in sizes)
    yield Row("the same unpaired, p=.8, n=50/100/200/300/500 (pt)", (22.4, 15.8, 11.2, 9.1, 7.1),
              ours, 1)  # fmt: skip
    rng, n_runs = np.random.default_rng(53), int(20_000 * runs)
    effect = minimal_detectable_effect(200, 0.2) or math.nan
    hits = sum(midp(*row) <= 0.05 for row in draw_changes(rng, n_runs, 200, 0.2, effect))
    yield rate_row("power of mid-p at the detectable effect, n=200, psi=.2", 0.80, hits, n_runs)


def margins(_: float) -> Iterator[Row]:
    needed = {
        0.10: (31, 62, 124), 0.05: (124, 248, 495), 0.03: (344, 687, 1374), 0.02: (773, 1546, 3092)
    }  # fmt: skip
    for margin, anchor in needed.items():
        ours = tuple(float(cases_for_margin(margin, psi)) for psi in (0.05, 0.1, 0.2))
        yield Row(f"cases for a margin of {100 * margin:.0f} pt, psi=.05/.1/.2", anchor, ours, 0)
    ours = tuple(100 * certifiable_margin(n, 0.1) for n in (50, 100, 200, 500))
    yield Row("certifiable margin, psi=.1, n=50/100/200/500 (pt)", (11.1, 7.9, 5.6, 3.5), ours, 1)
    ours = tuple(100 * rate_upper_bound(0, n) for n in (50, 100, 300))
    yield Row("upper bound without a failure, n=50/100/300 (%)", (6, 3, 1), ours, 0)


# Winner's curse, peeking, e-process


def equal_programs(rng: np.random.Generator, k: int, n: int, rate: float, rho: float) -> Floats:
    """Scores of k programs of the same pass rate on n cases; any two correlate by rho."""
    shared = rng.random(n) < rate
    follows = rng.random((k, n)) < math.sqrt(rho)
    return np.where(follows, shared, rng.random((k, n)) < rate).astype(np.float64)


def winners_curse(runs: float) -> Iterator[Row]:
    rng = np.random.default_rng(54)
    n_runs = int(20_000 * runs)
    for k, anchor in ((4, 1.03), (8, 1.42), (16, 1.77), (32, 2.07), (64, 2.34)):
        highest = rng.standard_normal((n_runs, k)).max(axis=1)
        yield mean_row(f"e_k, the expected maximum of {k}", anchor, highest.tolist(), 2)
    n_runs = int(4_000 * runs)
    for n, anchor in ((50, 6.3), (100, 4.5), (200, 3.2), (500, 2.0)):
        best = [
            100 * float(equal_programs(rng, 16, n, 0.8, 0.6).mean(axis=1).max() - 0.8)
            for _ in range(n_runs)
        ]
        yield mean_row(f"best of 16 equal prompts looks better by, n={n} (pt)", anchor, best, 1)
    n_runs, hits, alone = int(1_000 * runs), 0, 0
    for run in range(n_runs):
        baseline, *others = equal_programs(rng, 17, 100, 0.8, 0.6).tolist()
        tests = max_t_test(baseline, others, seed=run, n_resamples=199)
        hits += min(test.adjusted_p_value for test in tests) <= 0.05
        alone += min(test.p_value for test in tests) <= 0.05
    yield rate_row("any false claim among the 16, n=100, each tested alone", None, alone, n_runs)
    yield rate_row("any false claim, max-T", None, hits, n_runs, 3)


def signs(rng: np.random.Generator, n: int, psi: float, gain: float) -> Floats:
    draws = rng.random(n)
    return np.where(draws < (psi + gain) / 2, 1.0, np.where(draws < psi, -1.0, 0.0))


def peeking(runs: float) -> Iterator[Row]:
    rng, n_runs = np.random.default_rng(55), int(2_000 * runs)
    for psi, n, anchor in ((0.1, 200, 0.15), (0.1, 500, 0.25), (0.2, 200, None), (0.2, 500, None)):
        hits = 0
        for _ in range(n_runs):
            drawn = signs(rng, n, psi, 0.0)
            fixed, broken = np.cumsum(drawn > 0).tolist(), np.cumsum(drawn < 0).tolist()
            hits += any(midp(*row) < 0.05 for row in zip(fixed, broken, strict=True))
        yield rate_row(f"size of peeking after every case, n={n}, psi={psi}", anchor, hits, n_runs)


def e_process(runs: float) -> Iterator[Row]:
    rng, n_runs = np.random.default_rng(56), int(2_000 * runs)
    for n, psi, anchor in ((100, 0.05, 0.003), (500, 0.2, None), (500, 0.5, 0.033)):
        hits = sum(gather_evidence(signs(rng, n, psi, 0.0).tolist()).stopped for _ in range(n_runs))
        yield rate_row(f"e-process: size, n={n}, psi={psi}", anchor, hits, n_runs, 3)
    found = [gather_evidence(signs(rng, 500, 0.2, 0.1).tolist()) for _ in range(n_runs)]
    hits = sum(item.stopped for item in found)
    yield rate_row("e-process: power, n=500, psi=.2, +10 pt", 0.99, hits, n_runs)
    yield mean_row("e-process: cases until it stops", 137, [i.n_cases for i in found], 0)
    hits = sum(gather_evidence(signs(rng, 100, 0.2, 0.1).tolist()).stopped for _ in range(n_runs))
    yield rate_row("e-process: power, n=100", 0.46, hits, n_runs)
    rows = draw_changes(rng, n_runs, 100, 0.2, 0.1)
    hits = sum(midp(*row) <= 0.10 and row[0] > row[1] for row in rows)
    yield rate_row("mid-p, one-sided, at the fixed n=100: power", 0.74, hits, n_runs)


# Halving and racing


@dataclass(frozen=True)
class Policy:
    """How calls are spread over candidates; the anchor gives calls, share of best, regret."""

    name: str
    ask: Callable[[ScoresSoFar], NextCases]
    anchor: tuple[float | None, float | None, float | None]
    ties: bool = False

    def run(self, scores: Floats) -> tuple[int, int]:
        """Run candidates as told; return the winner (the first where some tie) and the calls."""
        rows = {str(index): row for index, row in enumerate(scores.tolist())}
        seen: dict[str, list[float]] = {name: [] for name in rows}
        while not (step := self.ask(seen)).done:
            for name in step.candidates:
                seen[name] = rows[name][: step.n_cases]
        return int(step.candidates[0]), sum(map(len, seen.values()))


def all_on(n_cases: int) -> Callable[[ScoresSoFar], NextCases]:
    return lambda seen: next_race(seen, n_cases, z_behind=math.inf)


def allocation(runs: float) -> Iterator[Row]:
    rng, n_runs = np.random.default_rng(57), int(4_000 * runs)
    schedule = halving_schedule(16, 200, n_first=25)
    halve = partial(next_halving, schedule=schedule)
    policies = (
        Policy("full grid", all_on(200), (3200, 0.54, 1.05)),
        Policy("nested halving", halve, (1250, 0.50, 1.23)),
        Policy("uniform, 78 cases each", all_on(78), (None, 0.40, 1.99)),
        Policy("paired racing", lambda seen: next_race(seen, 200), (948, 0.45, 1.59)),
        Policy("nested halving, ties kept", halve, (None, None, None), ties=True),
    )
    results: dict[str, list[tuple[int, bool, float]]] = {policy.name: [] for policy in policies}
    for _ in range(n_runs):
        ability = rng.normal(1.4, 0.35, (16, 1))
        rates = 1.0 / (1.0 + np.exp(-ability - rng.normal(0.0, 1.5, (1, 200))))
        drawn = (rng.random(rates.shape) < rates).astype(np.float64)
        jitter = 1e-7 * rng.random((16, 1))  # breaks ties: the anchor's calls leave no room for any
        truth = rates.mean(axis=1)
        for policy in policies:
            winner, calls = policy.run(drawn if policy.ties else drawn + jitter)
            regret = 100 * float(truth.max() - truth[winner])
            results[policy.name].append((calls, regret == 0.0, regret))
    for policy in policies:
        calls, best, regret = zip(*results[policy.name], strict=True)
        yield mean_row(f"{policy.name}: calls", policy.anchor[0], calls, 0)
        yield rate_row(f"{policy.name}: finds the best of 16", policy.anchor[1], sum(best), n_runs)
        yield mean_row(f"{policy.name}: regret (pt)", policy.anchor[2], regret, 2)


# The failure slice


def failure_slice(runs: float) -> Iterator[Row]:
    rng, n_runs, n = np.random.default_rng(58), int(1_000 * runs), 200
    worlds: tuple[tuple[str, float, float, float | None, float | None], ...] = (
        ("mean .79, sd 2.5", 2.46, 2.5, 0.45, 0.12),
        ("mean .79, sd .5", 1.39, 0.5, 0.76, 0.20),
        ("mean .73, sd 2.5", 1.87, 2.5, None, None),
        ("mean .73, sd .5", 1.05, 0.5, None, None),
    )
    for name, centre, spread, cured, broken in worlds:
        again, breaks, stored, fresh = [0, 0], [0, 0], 0, 0
        for _ in range(n_runs):
            rates = 1.0 / (1.0 + np.exp(-rng.normal(centre, spread, n)))
            first, second, third = (rng.random(n) < rates for _ in range(3))
            failed = ~first
            again = [again[0] + int((second & failed).sum()), again[1] + int(failed.sum())]
            breaks = [breaks[0] + int((~second & first).sum()), breaks[1] + int(first.sum())]
            stored += midp(int((second & failed).sum()), 0) <= 0.05
            slices = second[failed], third[failed]
            better, worse = (slices[1] & ~slices[0]).sum(), (~slices[1] & slices[0]).sum()
            fresh += midp(int(better), int(worse)) <= 0.05
        yield rate_row(f"the same prompt cures of its own failures, {name}", cured, *again)
        yield rate_row(f"the same prompt breaks of what it passed, {name}", broken, *breaks)
        if spread == 0.5:
            yield rate_row(f"called better than its stored run there, {name}", None, stored, n_runs)
            yield rate_row(f"called different from a fresh run, {name}", None, fresh, n_runs, 3)


PARTS = (
    judges, mcnemar, bootstrap, detectable, margins, winners_curse, peeking, e_process, allocation,
    failure_slice,
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=float, default=1.0, help="factor on the number of runs")
    runs: float = parser.parse_args().runs
    print(HEAD)
    for part in PARTS:
        for row in part(runs):
            print(row.line(), flush=True)


if __name__ == "__main__":
    main()
