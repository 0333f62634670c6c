"""Draws quality over task calls as SVG, and writes the page of the search benchmark.

    python benchmarks/search_plots.py benchmarks/data/search_calls.jsonl --docs docs/explanation

Two plots a world: `auto` beside other optimizers, and the strategies beside each other. Each shows
the mean over seeds of the true score of what a method would return after so many task calls, with a
band that is its 95 % interval. The page shows the plots and their tables.
"""

from __future__ import annotations

import argparse
import html
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from search_summary import (
    SearchRun,
    grouped,
    mean_and_half_width,
    of_largest_budget,
    read_runs,
    seed_means,
    summary_table,
)

PAGE = "search-benchmark.md"
PAGE_FRAME = Path(__file__).with_name("search_benchmark_page.md")
PLOTS = "search-benchmark"
RESULTS = "benchmarks/data/search_calls.jsonl"
OWN, AUTO = "promptyard:", "promptyard:auto"
WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 52, 168, 34, 44
N_STEPS = 120
COLOURS = ("#0f6fde", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#be123c", "#0e7490", "#475569")
"""Ordered so that neighbours differ in lightness as well as in hue."""
DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "1 2", "12 4", "6 2 1 2")
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2937; }
.title { font-size: 14px; font-weight: 600; }
.grid { stroke: #d1d5db; stroke-width: 1; }
.best { stroke: #6b7280; stroke-width: 1; stroke-dasharray: 3 4; }
.paper { fill: #ffffff; }
"""


@dataclass(frozen=True)
class Curve:
    """A method's line: (calls, mean, low, high); low and high are the mean where one seed ran."""

    method: str
    points: tuple[tuple[float, float, float, float], ...]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("results", type=Path, help="JSON lines of search_calls.py")
    parser.add_argument("--docs", type=Path, required=True, help="folder for the page and plots")
    given = parser.parse_args()
    runs = read_runs(given.results)
    if not runs:
        print(f"error: {given.results} holds no runs", file=sys.stderr)
        return 2
    (given.docs / PLOTS).mkdir(parents=True, exist_ok=True)
    for name, text in plots(runs).items():
        (given.docs / PLOTS / name).write_text(text, encoding="utf-8")
    (given.docs / PAGE).write_text(page(runs), encoding="utf-8")
    return 0


def plots(runs: Sequence[SearchRun]) -> dict[str, str]:
    """The plots as SVG text by file name; strategies have some where there are others than auto."""
    return {
        plot_name(world, kind): plot(world, [run for run in some if run.world == world])
        for kind, some in (("", beside_others(runs)), ("strategies", strategies(runs)))
        for world in dict.fromkeys(run.world for run in some)
    }


def beside_others(runs: Sequence[SearchRun]) -> list[SearchRun]:
    """The runs of other optimizers and of auto, which comes first."""
    some = [run for run in runs if run.method == AUTO or not run.method.startswith(OWN)]
    return sorted(some, key=lambda run: run.method != AUTO)


def strategies(runs: Sequence[SearchRun]) -> list[SearchRun]:
    """The runs of our strategies, auto first; none where there is only auto."""
    some = [run for run in runs if run.method.startswith(OWN)]
    if all(run.method == AUTO for run in some):
        return []
    return sorted(some, key=lambda run: run.method != AUTO)


def plot_name(world: str, kind: str = "") -> str:
    """The file name of a world's plot; `kind` is told apart by its end."""
    return "-".join(filter(None, (re.sub(r"[^\w-]+", "-", world), kind))) + ".svg"


def plot(world: str, runs: Sequence[SearchRun]) -> str:
    """Draw one world."""
    curves = [curve(method, group) for (_, method), group in grouped(runs).items()]
    most_calls = max(point[0] for item in curves for point in item.points)
    best = sum(run.oracle for run in runs) / len(runs)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{html.escape(f"Score over task calls in {world}")}">',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="title" x="{LEFT}" y="20">{html.escape(world)}</text>',
        *_axes(most_calls),
        _line(0, most_calls, best, "best", most_calls),
        f'<text x="{LEFT + 4}" y="{_y(best) + 14:.1f}">best known prompt</text>',
    ]
    for number, item in enumerate(curves):
        parts += _drawn(item, number, most_calls)
    return "\n".join((*parts, "</svg>", ""))


def curve(method: str, group: Sequence[SearchRun]) -> Curve:
    """The mean over seeds after each number of calls, with its interval."""
    runs = of_largest_budget(group)
    most = max(max(run.budget, run.task_calls) for run in runs)
    points: list[tuple[float, float, float, float]] = []
    for step in range(N_STEPS + 1):
        calls = most * step / N_STEPS
        mean, half = mean_and_half_width(seed_means(runs, calls))
        spread = half or 0.0
        points.append((calls, mean, max(0.0, mean - spread), min(1.0, mean + spread)))
    return Curve(method, tuple(points))


def _axes(most_calls: float) -> list[str]:
    parts: list[str] = []
    for tenths in range(0, 11, 2):
        score = tenths / 10
        parts.append(_line(0, most_calls, score, "grid", most_calls))
        label = f'<text x="{LEFT - 8}" y="{_y(score) + 4:.1f}" text-anchor="end">{score:.1f}</text>'
        parts.append(label)
    for calls in range(0, int(most_calls) + 1, _tick(most_calls)):
        x = _x(calls, most_calls)
        text = f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{calls}</text>'
        parts.append(text)
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">task-model calls</text>'
    )
    return parts


def _tick(most_calls: float) -> int:
    """The distance of labels: the largest round one that leaves at least five of them."""
    return next((size for size in (500, 200, 100, 50, 20) if most_calls / size >= 5), 10)


def _drawn(item: Curve, number: int, most_calls: float) -> list[str]:
    colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
    upper = [f"{_x(calls, most_calls):.1f},{_y(high):.1f}" for calls, _, _, high in item.points]
    lower = [f"{_x(calls, most_calls):.1f},{_y(low):.1f}" for calls, _, low, _ in item.points]
    path = [f"{_x(calls, most_calls):.1f},{_y(mean):.1f}" for calls, mean, _, _ in item.points]
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    y, x = TOP + 14 + 22 * number, WIDTH - RIGHT + 14
    stroke = f'stroke="{colour}" stroke-width="2"{dashed}'
    return [
        f'<polygon points="{" ".join(upper + lower[::-1])}" fill="{colour}" fill-opacity="0.13"/>',
        f'<polyline points="{" ".join(path)}" fill="none" {stroke}/>',
        f'<line x1="{x}" x2="{x + 26}" y1="{y - 4}" y2="{y - 4}" {stroke}/>',
        f'<text x="{x + 32}" y="{y}">{html.escape(item.method)}</text>',
    ]


def _line(x1: float, x2: float, score: float, kind: str, most_calls: float) -> str:
    ends = f'x1="{_x(x1, most_calls):.1f}" x2="{_x(x2, most_calls):.1f}"'
    return f'<line class="{kind}" {ends} y1="{_y(score):.1f}" y2="{_y(score):.1f}"/>'


def _x(calls: float, most_calls: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * calls / most_calls


def _y(score: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * score


def page(runs: Sequence[SearchRun]) -> str:
    """The page with plots and tables."""
    worlds = list(dict.fromkeys(run.world for run in runs))
    seeds = sorted({run.seed for run in runs})
    others, own = beside_others(runs), strategies(runs)
    command = " \\\n    ".join(
        (
            f"python benchmarks/search_calls.py --out {RESULTS} --peers FOLDER",
            "--methods " + " ".join(dict.fromkeys(run.method for run in runs)),
            "--worlds " + " ".join(worlds),
            "--seeds " + " ".join(map(str, seeds)),
            "--budgets " + " ".join(map(str, sorted({run.budget for run in runs}))),
        )
    )
    values = {
        "command": command,
        "plots": shown(others, ""),
        "table": summary_table(others),
        "strategy_plots": shown(own, "strategies"),
        "strategy_table": summary_table([run for run in own if run.method != AUTO]),
        "n_runs": str(len(runs)),
        "n_seeds": str(len(seeds)),
    }
    frame = PAGE_FRAME.read_text(encoding="utf-8")
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], frame)


def shown(runs: Sequence[SearchRun], kind: str) -> str:
    """The links to the plots of these runs."""
    worlds = dict.fromkeys(run.world for run in runs)
    said = f"Score of {kind} over calls" if kind else "Score over calls"
    return "\n\n".join(f"![{said} in {x}]({PLOTS}/{plot_name(x, kind)})" for x in worlds)


if __name__ == "__main__":
    sys.exit(main())
