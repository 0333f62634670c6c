"""The served curve as a drawing: the lead of what was served, over task calls. Geometry only.

A point is the lead over the baseline on unseen train cases when it was measured; between points
the prompt that was served last stays. Leads of small checks are rough: the decision is the
estimate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from promptyard.records.runs import Run
from promptyard.reports.figures import change, count, counted

TOP = 26.0
BOTTOM = 46.0
LEFT = 64.0
RIGHT = 18.0
MIN_TOP = 0.1
"""The axis reaches at least 10 points, so that noise does not look like a climb."""


@dataclass(frozen=True)
class ServedMark:
    """A prompt that was served: where it stands, and what was measured of it."""

    x: float
    y: float
    title: str
    text: str


@dataclass(frozen=True)
class Tick:
    """A place on an axis with its label."""

    at: float
    text: str


@dataclass(frozen=True)
class ServedCurve:
    """All of the drawing, in units of its view box; `path` is the curve as SVG path data."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    zero: float
    path: str
    marks: tuple[ServedMark, ...]
    rows: tuple[Tick, ...]
    columns: tuple[Tick, ...]
    description: str


def served_curve(run: Run, *, width: float, height: float) -> ServedCurve | None:
    """Lay out the served curve; None where nothing was ever served."""
    points = sorted(run.served, key=lambda point: point.calls_so_far)
    if not points:
        return None
    left, right, top, bottom = LEFT, width - RIGHT, TOP, height - BOTTOM
    end = max(run.search_task_calls, points[-1].calls_so_far, 1)
    leads = [point.difference for point in points]
    step = _step(max(MIN_TOP, *leads) - min(0.0, *leads))
    low = math.floor(min(0.0, *leads) / step + 1e-9) * step
    high = math.ceil(max(MIN_TOP, *leads) / step - 1e-9) * step

    def x_of(calls: float) -> float:
        return round(left + calls / end * (right - left), 1)

    def y_of(lead: float) -> float:
        return round(bottom - (lead - low) / (high - low) * (bottom - top), 1)

    path = f"M{x_of(0)} {y_of(0)}"
    for point in points:
        path += f"H{x_of(point.calls_so_far)}V{y_of(point.difference)}"
    path += f"H{x_of(end)}"
    marks = tuple(
        ServedMark(
            x=x_of(point.calls_so_far),
            y=y_of(point.difference),
            title=(
                f"{point.program.id[:8]}: {change('score', point.difference)} on "
                f"{counted(point.n_cases, 'unseen case')}, after "
                f"{counted(point.calls_so_far, 'task call')}"
            ),
            text=change("score", point.difference).removesuffix(" points"),
        )
        for point in points
    )
    n_rows = round((high - low) / step)
    return ServedCurve(
        width=width,
        height=height,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        zero=y_of(0),
        path=path,
        marks=marks,
        rows=tuple(
            Tick(y_of(low + index * step), f"{100 * (low + index * step):+.0f}")
            for index in range(n_rows + 1)
        ),
        columns=tuple(
            Tick(x_of(end * part / 4), count(round(end * part / 4))) for part in range(5)
        ),
        description=served_text(run),
    )


def served_text(run: Run) -> str:
    """Say the curve in words; empty where nothing was served."""
    points = sorted(run.served, key=lambda point: point.calls_so_far)
    told = [
        f"{change('score', point.difference)} after {count(point.calls_so_far)}"
        for point in points[:1] + points[-1:][: len(points) - 1]
    ]
    if not told:
        return ""
    between = f", {counted(len(points) - 2, 'step')} between" if len(points) > 2 else ""
    return f"{' and '.join(told)} task calls, over the baseline on unseen train cases{between}"


def _step(span: float) -> float:
    return next((step for step in (0.02, 0.05, 0.1, 0.2) if span / step <= 6), 0.5)
