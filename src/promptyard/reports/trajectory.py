"""The score trajectory as a drawing: where each mark stands. Geometry only, no markup.

Scores of different stages are of different cases, so they are never joined by a line. A stage is
a band; within it each candidate stands over or under the baseline on the same cases.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TypeAlias

from promptyard.records.cases import SPLITS
from promptyard.records.runs import HistoryEntry, Run, StageRow
from promptyard.reports.figures import count, counted, percent
from promptyard.reports.visible import one_line

TOP = 52.0
BOTTOM = 44.0
LEFT = 56.0
NARROW_LEFT = 44.0
NARROW = 600.0
"""Below this width the texts are smaller, and so is the room for them."""
RIGHT = 8.0
EVEN_SHARE = 0.75
"""Share of the width that all bands get alike; the rest goes by calls, so that none vanishes."""
CHAR_WIDTH = 6.0
MARK_SIZE = 5.0
MAX_BANDS = 7
"""With more stages in turn than this, those on train become one band."""
MIN_SPAN = 0.2
"""The axis shows at least this much, so that noise does not look like a climb."""

YOf: TypeAlias = Callable[[float], float]
"""Maps a score to its height in the drawing."""


@dataclass(frozen=True)
class Mark:
    """A candidate (or the baseline alone): its place, and the baseline's on the same cases.

    `kind` is the split (`other` for one that is none), or `baseline`. `score_text` stands beside
    it where there is room.
    """

    x: float
    y: float
    baseline_y: float | None
    kind: str
    kept: bool
    title: str
    score_text: str = ""
    baseline_text: str = ""


@dataclass(frozen=True)
class Band:
    """A stage: its stretch of the axis, and what was measured in it.

    `mark_size` is half the width of a mark: smaller where many stand side by side.
    """

    left: float
    width: float
    stage: str
    split: str
    kind: str
    calls_text: str
    marks: tuple[Mark, ...]
    baseline_y: float | None
    mark_size: float


@dataclass(frozen=True)
class Grid:
    """A horizontal line with its label."""

    y: float
    text: str


@dataclass(frozen=True)
class Trajectory:
    """All of the drawing, in units of its view box."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    bands: tuple[Band, ...]
    grid: tuple[Grid, ...]
    description: str

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of marks that occur, for the legend; the baseline apart."""
        kinds = dict.fromkeys(mark.kind for band in self.bands for mark in band.marks)
        return tuple(kind for kind in kinds if kind != "baseline")


@dataclass(frozen=True)
class _Point:
    entry: HistoryEntry
    row: StageRow | None
    split: str
    joined: bool = False


def trajectory(run: Run, *, width: float, height: float) -> Trajectory | None:
    """Lay out the score history; None where nothing was scored."""
    groups = _groups(run)
    scale = _scale([point for group in groups for point in group])
    if scale is None:
        return None
    low, high, step = scale
    top, bottom, right = TOP, height - BOTTOM, width - RIGHT

    def y_of(score: float) -> float:
        return round(bottom - (score - low) / (high - low) * (bottom - top), 1)

    bands: list[Band] = []
    start = left = LEFT if width >= NARROW else NARROW_LEFT
    for group, share in zip(groups, _shares(groups), strict=True):
        band_width = share * (right - start)
        bands.append(_band(group, left, band_width, y_of, run))
        left += band_width
    n_steps = round((high - low) / step)
    values = [low + index * step for index in range(n_steps + 1)]
    return Trajectory(
        width=width,
        height=height,
        left=start,
        right=right,
        top=top,
        bottom=bottom,
        bands=tuple(bands),
        grid=tuple(Grid(y_of(value), f"{100 * value:.0f} %") for value in values),
        description=_description(groups),
    )


def _groups(run: Run) -> list[list[_Point]]:
    """Group the history by stage in order, each entry with its row of the stage's summary."""
    rows: dict[tuple[str, str], deque[tuple[StageRow, str]]] = {}
    splits: dict[str, str] = {}
    for stage in run.stages:
        splits[stage.stage] = stage.split
        for row in stage.rows:
            found = rows.setdefault((stage.stage, row.candidate_id), deque())
            found.append((row, stage.split))
    groups: list[list[_Point]] = []
    for stage, entries in groupby(run.history, key=lambda entry: entry.stage):
        points: list[_Point] = []
        for entry in entries:
            found = rows.get((stage, entry.candidate_id))
            row, split = found.popleft() if found else (None, splits.get(stage, "train"))
            if entry.score is not None:
                points.append(_Point(entry, row, split))
        if points:
            groups.append(points)
    return groups if len(groups) <= MAX_BANDS else _joined(groups)


def _joined(groups: Sequence[list[_Point]]) -> list[list[_Point]]:
    """Join neighbouring stages on train, so many that none could be read, into one band."""
    joined: list[list[_Point]] = []
    for group in groups:
        on_train = group[0].split == "train" and group[0].entry.stage != "baseline"
        if on_train and joined and joined[-1][0].joined:
            joined[-1] += [replace(point, joined=True) for point in group]
        else:
            joined.append([replace(point, joined=on_train) for point in group])
    return joined


def _scale(points: Sequence[_Point]) -> tuple[float, float, float] | None:
    """Return lowest and highest score of the axis and the step between its lines."""
    scores = [point.entry.score for point in points if point.entry.score is not None]
    scores += [
        point.row.baseline_score
        for point in points
        if point.row is not None and point.row.baseline_score is not None
    ]
    if not scores:
        return None
    low, high = min(scores), max(scores)
    missing = MIN_SPAN - (high - low)
    if missing > 0:
        low, high = max(0.0, low - missing / 2), min(1.0, high + missing / 2)
    step = 0.2 if high - low > 0.5 else 0.1 if high - low > 0.25 else 0.05
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return first * step, last * step, step


def _shares(groups: Sequence[Sequence[_Point]]) -> list[float]:
    ends = [group[-1].entry.calls_so_far for group in groups]
    calls = [max(0, end - start) for start, end in zip([0, *ends], ends, strict=False)]
    total = sum(calls)
    if not total:
        return [1 / len(groups)] * len(groups)
    return [EVEN_SHARE / len(groups) + (1 - EVEN_SHARE) * n / total for n in calls]


def _band(group: Sequence[_Point], left: float, width: float, y_of: YOf, run: Run) -> Band:
    first = group[0]
    max_chars = max(3, round(width / CHAR_WIDTH))
    baselines = {round(score, 6) for point in group if (score := _baseline(point, run)) is not None}
    return Band(
        left=round(left, 1),
        width=round(width, 1),
        stage=one_line("search" if first.joined else first.entry.stage, max_chars),
        split=one_line(first.split, max_chars),
        kind=_kind(first.split),
        calls_text=count(group[-1].entry.calls_so_far),
        marks=tuple(
            _mark(point, round(left + (index + 0.5) / len(group) * width, 1), y_of, run, len(group))
            for index, point in enumerate(group)
        ),
        baseline_y=y_of(baselines.pop()) if len(baselines) == 1 else None,
        mark_size=round(min(MARK_SIZE, max(1.5, 0.45 * width / len(group))), 1),
    )


def _kind(split: str) -> str:
    return split if split in SPLITS else "other"


def _baseline(point: _Point, run: Run) -> float | None:
    """Return the baseline's score on the point's cases; its own where it is the baseline."""
    if point.row is not None:
        return point.row.baseline_score
    return point.entry.score if point.entry.candidate_id == run.baseline.id else None


def _mark(point: _Point, x: float, y_of: YOf, run: Run, n_marks: int) -> Mark:
    entry, row = point.entry, point.row
    score, baseline = entry.score or 0.0, _baseline(point, run)
    is_baseline = row is None and entry.candidate_id == run.baseline.id
    kept = row is None or row.status == "kept"
    name = "baseline" if is_baseline else f"{entry.generator} {entry.candidate_id[:8]}"
    against = f" against {percent(baseline)}" if baseline is not None and not is_baseline else ""
    on = f" on {counted(entry.n_cases, f'{point.split} case')}"
    went = "" if row is None else f", {row.status}"
    return Mark(
        x=x,
        y=y_of(score),
        baseline_y=None if baseline is None else y_of(baseline),
        kind="baseline" if is_baseline else _kind(point.split),
        kept=kept,
        title=f"{name}: {percent(score)}{against}{on}{went}",
        score_text=percent(score) if n_marks == 1 else "",
        baseline_text=percent(baseline) if n_marks == 1 and against else "",
    )


def _description(groups: Sequence[Sequence[_Point]]) -> str:
    parts: list[str] = []
    for group in groups:
        best = max(group, key=lambda point: point.entry.score or 0.0)
        row = best.row
        against = (
            f" against {percent(row.baseline_score)} of the baseline"
            if row is not None and row.baseline_score is not None
            else ""
        )
        stage = "search" if best.joined else best.entry.stage
        parts.append(
            f"{stage} ({best.split}): {counted(len(group), 'score')}, "
            f"best {percent(best.entry.score)}{against}"
        )
    return "; ".join(parts) + "."
