"""What the runs of search_calls.py come to: scores over calls, and calls to a level.

Pure: reads the JSON lines, computes with `promptyard.stats`, writes Markdown.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptyard.stats.intervals import mean_interval

SHOWN_CALLS = (150, 300, 600, 1000)
LEVELS = (0.80, 0.90, 0.95)


@dataclass(frozen=True)
class SearchRun:
    """One run of a method. `points` are (task calls, true score) of what it would return by then.

    `oracle` is the true score of the best prompt that the world knows, `start` that of the seed;
    `audit` is the score of the result on test by calls that are not counted.
    """

    method: str
    world: str
    seed: int
    budget: int
    start: float
    oracle: float
    points: tuple[tuple[int, float], ...]
    audit: float
    task_calls: int
    optimizer_calls: int
    optimizer_tokens: int
    prompt_tokens: int

    def score_after(self, calls: float) -> float:
        """The true score of what the method would have returned after so many task calls."""
        reached = [score for at, score in self.points if at <= calls]
        return reached[-1] if reached else self.start

    def calls_to(self, share: float) -> float:
        """Task calls until the result first has this share of the best prompt's score; or inf."""
        level = share * self.oracle
        return next((float(at) for at, score in self.points if score >= level), math.inf)


@dataclass(frozen=True)
class Level:
    """Calls to a level: the median over all runs (inf where most never got there), and how many."""

    median: float
    n_reached: int
    n_runs: int

    def __str__(self) -> str:
        """As in `134 (4/5)`."""
        shown = "–" if math.isinf(self.median) else f"{self.median:.0f}"
        return f"{shown} ({self.n_reached}/{self.n_runs})"


def read_runs(path: Path) -> list[SearchRun]:
    """Read the lines of a results file. Raises ValueError naming the line that cannot be read."""
    runs: list[SearchRun] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            runs.append(run_of(json.loads(line)))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}, line {number}: no result of a run ({error!r})") from error
    return runs


def run_of(row: dict[str, Any]) -> SearchRun:
    """One result. Raises ValueError where the method has called test cases."""
    if row["splits"].get("test"):
        raise ValueError(f"{row['method']} called {row['splits']['test']} test cases")
    return SearchRun(
        method=row["method"],
        world=row["world"],
        seed=int(row["seed"]),
        budget=int(row["budget"]),
        start=float(row["start"]),
        oracle=float(row["oracle"]),
        points=tuple((int(calls), float(score)) for calls, score in row["points"]),
        audit=float(row["audit"]),
        task_calls=int(row["task_calls"]),
        optimizer_calls=int(row["optimizer_calls"]),
        optimizer_tokens=int(row["optimizer_tokens"]),
        prompt_tokens=int(row["prompt_tokens"]),
    )


def of_largest_budget(runs: Sequence[SearchRun]) -> list[SearchRun]:
    """The runs that show the whole curve: those of the largest budget that a method was given."""
    largest = max(run.budget for run in runs)
    return [run for run in runs if run.budget == largest]


def mean_and_half_width(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean with half of its 95 % interval (Student's t over seeds); None below two values."""
    interval = mean_interval(values, bounded=False)
    mean = statistics.fmean(values)
    return mean, None if interval is None else (interval.high - interval.low) / 2


def seed_means(runs: Iterable[SearchRun], calls: float) -> list[float]:
    """The score after so many calls, one value a seed."""
    by_seed: dict[int, list[float]] = {}
    for run in runs:
        by_seed.setdefault(run.seed, []).append(run.score_after(calls))
    return [statistics.fmean(values) for _, values in sorted(by_seed.items())]


def level(runs: Sequence[SearchRun], share: float) -> Level:
    """Calls to a share of the best prompt's score, over all runs."""
    calls = [run.calls_to(share) for run in runs]
    n_reached = sum(not math.isinf(value) for value in calls)
    return Level(statistics.median_high(calls), n_reached, len(calls))


def score_cell(runs: Sequence[SearchRun], calls: int) -> str:
    """Mean ± half an interval after so many calls; in brackets where it is read off a longer run.

    A method that is told its budget spends it differently, so a run of its own comes first.
    """
    own = [run for run in runs if run.budget == calls]
    if own:  # peers overdraw their budget a little: what they return in the end counts
        mean, half = mean_and_half_width(seed_means(own, math.inf))
    else:
        mean, half = mean_and_half_width(seed_means(of_largest_budget(runs), calls))
    cell = f"{mean:.3f}" if half is None else f"{mean:.3f} ± {half:.3f}"
    return cell if own else f"({cell})"


def summary_table(runs: Sequence[SearchRun]) -> str:
    """The Markdown table: one row for each world and method, in the order of the runs."""
    head = (
        "world",
        "method",
        "seeds",
        *(f"{calls} calls" for calls in SHOWN_CALLS),
        *(f"to {share:.0%}" for share in LEVELS),
        "optimizer calls",
        "ktok",
        "prompt tok",
    )
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * 2 + " ---: |" * (len(head) - 2)]
    lines += [
        "| " + " | ".join(_cells(world, method, group)) + " |"
        for (world, method), group in grouped(runs).items()
    ]
    return "\n".join(lines)


def grouped(runs: Sequence[SearchRun]) -> dict[tuple[str, str], list[SearchRun]]:
    """The runs by world and method, worlds together."""
    worlds = list(dict.fromkeys(run.world for run in runs))
    methods = list(dict.fromkeys(run.method for run in runs))
    found = {
        (world, method): [run for run in runs if (run.world, run.method) == (world, method)]
        for world in worlds
        for method in methods
    }
    return {key: group for key, group in found.items() if group}


def _cells(world: str, method: str, group: Sequence[SearchRun]) -> Sequence[str]:
    longest = of_largest_budget(group)
    return (
        world,
        method,
        str(len({run.seed for run in longest})),
        *(score_cell(group, calls) for calls in SHOWN_CALLS),
        *(str(level(longest, share)) for share in LEVELS),
        f"{statistics.fmean(run.optimizer_calls for run in longest):.0f}",
        f"{statistics.fmean(run.optimizer_tokens for run in longest) / 1000:.0f}",
        f"{statistics.fmean(run.prompt_tokens for run in longest):.0f}",
    )
