"""Draws progress and results. On a terminal with rich, elsewhere as plain lines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from promptyard.cli.tables import ShownTable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn

    from promptyard.protocols import ProgressSink
    from promptyard.records.base import Json
    from promptyard.records.runs import Progress


LOG_WIDTH = 110
"""Columns where the output is no terminal: a log file or a pipe."""
ROOM_FOR_BAR = 116
"""Columns from which a bar and the time so far fit beside what is spent and left."""


def console(*, stderr: bool = False) -> Console:
    """Return a console; it uses no colour where the output is no terminal."""
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not made.is_terminal:
        made.width = LOG_WIDTH
    return made


def print_json(value: Mapping[str, Json] | Sequence[Json]) -> None:
    """Print one JSON document on standard output."""
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(value, ensure_ascii=not is_utf8, indent=2, allow_nan=False)
    sys.stdout.write(text + "\n")


@contextmanager
def progress_sink(*, quiet: bool) -> Generator[ProgressSink]:
    """Yield a sink that draws progress on stderr: a live line on a terminal, else messages only."""
    if quiet:
        yield lambda progress: None
        return
    out = console(stderr=True)
    if not out.is_terminal:
        yield _plain_sink()
        return
    from rich.progress import Progress as Bars

    with Bars(
        *progress_columns(out.width),
        console=out,
        transient=True,
    ) as bars:
        row = bars.add_task("start", total=None, spent="")
        phase = ""

        def draw(progress: Progress) -> None:
            nonlocal phase, row
            if progress.message:
                bars.console.print(f"  {progress.message}", markup=False)
                return
            if progress.phase != phase:
                bars.remove_task(row)
                phase = progress.phase
                row = bars.add_task(phase, total=progress.total or None, spent="")
            bars.update(
                row,
                completed=progress.done,
                total=progress.total or None,
                spent=spending(progress),
            )

        yield draw


def progress_columns(width: int) -> tuple[ProgressColumn, ...]:
    """Return what the live line shows: on a narrow terminal no bar, and only the time left."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    phase = TextColumn("[bold]{task.description:<9}")
    done, spent = MofNCompleteColumn(), TextColumn("{task.fields[spent]}")
    left = (TimeRemainingColumn(compact=True), TextColumn("left"))
    if width < ROOM_FOR_BAR:
        return (phase, done, spent, *left)
    return (phase, BarColumn(bar_width=24), done, spent, TimeElapsedColumn(), *left)


def _plain_sink() -> ProgressSink:
    """Return a sink for logs: every message, and at most one line in five seconds beside them."""
    last_s = time.monotonic()

    def draw(progress: Progress) -> None:
        nonlocal last_s
        if progress.message:
            sys.stderr.write(f"  {progress.message}\n")
        elif time.monotonic() - last_s >= 5:
            last_s = time.monotonic()
            sys.stderr.write(
                f"  {progress.phase} {progress.done}/{progress.total}, {spending(progress)}\n"
            )

    return draw


def spending(progress: Progress) -> str:
    """Say what has been spent, what is left, and the best score so far."""
    spent = progress.spent
    n_calls = spent.task_calls + spent.optimizer_calls + spent.judge_calls
    parts = [f"{n_calls:,} calls"]
    if progress.calls_left is not None:
        parts.append(f"{progress.calls_left:,} left")
    if spent.usd:
        parts.append(f"${spent.usd:.2f}")
    if progress.best_score is not None:
        parts.append(f"best {100 * progress.best_score:.1f} %")
    return " · ".join(parts)


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()
) -> ShownTable:
    """Make a table of plain texts for a console; `right` are the columns to be aligned right.

    Cells may come from models and strangers: what would steer the terminal is made visible.
    """
    return ShownTable(title, columns, rows, right)
