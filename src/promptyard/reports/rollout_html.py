"""Writes the page of a rollout: one HTML file with its plots, that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from promptyard.records.rollouts import Decision, GuardReading, RolloutRecord
from promptyard.reports.figures import count, duration, moment
from promptyard.reports.page_template import page_template
from promptyard.reports.rollout import (
    GuardRow,
    age_text,
    bounds_text,
    guard_amount,
    guard_name,
    guard_rows,
    means_text,
    outcome_words,
    rollout_paragraph,
    share_words,
    state_words,
    thinned,
)
from promptyard.reports.verdict_view import KeyFigure

MOST_POINTS = 300
MOST_ROWS = 200
WIDTH, HEIGHT = 520.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 66.0, 12.0, 22.0, 40.0
_MARKED = {"advance": "", "promote": "promoted", "roll_back": "rolled back", "abort": "aborted"}
MARK_CHARS = 6.5
"""Width of a character of a mark, in units of the plot."""
WORST, BEST = 3.0, -2.0
"""Ends of the axis of the guards, in margins towards harm."""


@dataclass(frozen=True)
class Bar:
    """The interval of a guard as lengths in percent of its cell; None ends at the border."""

    low: float
    high: float
    middle: float | None
    zero: float
    margin: float


@dataclass(frozen=True)
class ShownGuard:
    """A row of the table of guards."""

    row: GuardRow
    means: str
    subjects: str
    style: str
    bar: Bar | None


@dataclass(frozen=True)
class Tick:
    """A place on an axis with its label."""

    at: float
    text: str


@dataclass(frozen=True)
class Curve:
    """One guard over the subjects so far: the difference, its bounds, zero and the margin.

    `marks` are the decisions that changed something, with what they led to.
    """

    name: str
    description: str
    path: str
    band: str
    zero: float
    margin: float
    rows: tuple[Tick, ...]
    columns: tuple[Tick, ...]
    marks: tuple[Tick, ...]


@dataclass(frozen=True)
class ShownDecision:
    """A row of the log."""

    seq: str
    at: str
    actor: str
    action: str
    share: str
    sentence: str
    reasons: Sequence[str]


def rollout_html(record: RolloutRecord, *, now: str) -> str:
    """Write a rollout, with all its decisions, as one self-contained page.

    The same rollout at the same time gives the same page, byte for byte. What came from people or
    prompts is escaped. Costs no calls.
    """
    last = record.last
    shown = thinned(record.decisions, MOST_ROWS)
    return page_template("rollout.html").render(
        record=record,
        rollout=record.rollout,
        last=last,
        status=last.verdict if last.is_final and last.verdict != "inconclusive" else _status(last),
        words=state_words(record),
        paragraph=rollout_paragraph(record, now=now),
        key_figures=_key_figures(record, now),
        guards=[
            _guard(row, reading) for row, reading in zip(guard_rows(last), last.guards, strict=True)
        ],
        curves=_curves(record),
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
        plan=_plan(record),
        decisions=[_decision(item) for item in reversed(shown)],
        n_decisions=len(record.decisions),
    )


def _status(last: Decision) -> str:
    return {"promoted": "pass", "rolled_back": "fail"}.get(last.state, "inconclusive")


def _key_figures(record: RolloutRecord, now: str) -> list[KeyFigure]:
    rollout, last = record.rollout, record.last
    end = last.at if last.is_final else now
    figures = [
        KeyFigure("State", outcome_words(last.state, record.left), f"since {moment(last.at)}"),
        _share_figure(record),
        KeyFigure(
            "Age", _age(rollout.started_at, end), f"at most {age_text(rollout.plan.max_age_s)}"
        ),
    ]
    if last.ratio is not None:
        figures.append(
            KeyFigure(
                "Subjects, new and old",
                f"{count(last.ratio.n_treatment)} / {count(last.ratio.n_control)}",
                f"{count(last.ratio.n_both)} met both",
            )
        )
    figures.append(
        KeyFigure(
            "Events not usable", count(last.rejected), "duplicated, foreign or without exposure"
        )
    )
    return figures


def _share_figure(record: RolloutRecord) -> KeyFigure:
    rollout, last = record.rollout, record.last
    share = share_words(last.state, last.enrolled, record.left)
    step = f"step {last.step + 1} of {len(rollout.plan.steps)}"
    if last.is_final:
        return KeyFigure(f"Traffic with v{rollout.treatment}", share, f"ended at {step}")
    return KeyFigure("Subjects that take part", share, step)


def _age(start: str, end: str) -> str:
    try:
        passed = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    except (ValueError, TypeError):
        return "–"
    return age_text(max(0.0, passed.total_seconds()))


def _guard(row: GuardRow, reading: GuardReading) -> ShownGuard:
    styles = {"unharmed": "pass", "harmed": "fail"}
    return ShownGuard(
        row=row,
        means=means_text(reading),
        subjects=f"{count(reading.n_treatment)} / {count(reading.n_control)}",
        style=styles.get(row.status, "inconclusive"),
        bar=_bar(row),
    )


def _bar(row: GuardRow) -> Bar | None:
    if row.low is None and row.high is None:
        return None
    return Bar(
        low=_place(row.low, BEST),
        high=_place(row.high, WORST),
        middle=None if row.middle is None else _place(row.middle, 0.0),
        zero=_place(0.0, 0.0),
        margin=_place(1.0, 1.0),
    )


def _place(value: float | None, border: float) -> float:
    """Return where a value lies between the ends of the axis, in percent."""
    clipped = min(max(border if value is None else value, BEST), WORST)
    return round(100 * (clipped - BEST) / (WORST - BEST), 2)


def _curves(record: RolloutRecord) -> list[Curve]:
    measured = [item for item in thinned(record.decisions, MOST_POINTS) if item.guards]
    curves: list[Curve] = []
    for guard in record.last.guards or (measured[-1].guards if measured else ()):
        points = [
            (item, reading)
            for item in measured
            for reading in item.guards
            if reading.dimension == guard.dimension and reading.difference is not None
        ]
        if len(points) > 1:
            curves.append(_curve(guard, points))
    return curves


def _curve(guard: GuardReading, looks: Sequence[tuple[Decision, GuardReading]]) -> Curve:
    """Lay one guard out; the axis ends at three margins, or beyond the last difference."""
    points = [reading for _, reading in looks]
    last = points[-1]
    most = max(3 * guard.margin, 1.25 * abs(last.difference or 0.0))
    end = max(item.n_control + item.n_treatment for item in points)

    def x_of(item: GuardReading) -> float:
        share = (item.n_control + item.n_treatment) / max(end, 1)
        return round(LEFT + share * (WIDTH - RIGHT - LEFT), 1)

    def y_of(value: float | None, border: float) -> float:
        clipped = min(max(border if value is None else value, -most), most)
        share = (clipped + most) / (2 * most)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP), 1)

    middle = [f"{x_of(item)} {y_of(item.difference, 0.0)}" for item in points]
    upper = [f"{x_of(item)} {y_of(item.high, most)}" for item in points]
    lower = [f"{x_of(item)} {y_of(item.low, -most)}" for item in points]
    dimension = guard.dimension
    ends = (-most, -guard.margin, 0.0, guard.margin, most)
    if most > 6 * guard.margin:  # the margins are too close to zero for labels of their own
        ends = (-most, 0.0, most)
    return Curve(
        name=guard_name(dimension),
        description=(
            f"{guard_amount(dimension, last.difference)} ({bounds_text(last)}) after "
            f"{count(last.n_control + last.n_treatment)} subjects"
        ),
        path="M" + "L".join(middle),
        band="M" + "L".join([*upper, *reversed(lower)]) + "Z",
        zero=y_of(0.0, 0.0),
        margin=y_of(guard.worse * guard.margin, 0.0),
        rows=tuple(Tick(y_of(value, 0.0), _tick(dimension, value)) for value in ends),
        columns=tuple(
            Tick(round(LEFT + part / 4 * (WIDTH - RIGHT - LEFT), 1), count(round(end * part / 4)))
            for part in range(5)
        ),
        marks=_marks([(x_of(reading), decision) for decision, reading in looks]),
    )


def _marks(looks: Sequence[tuple[float, Decision]]) -> tuple[Tick, ...]:
    """Mark what changed something; where two are close, the text of the earlier one gives way."""
    marks: list[Tick] = []
    free_from = math.inf
    for x, item in reversed([look for look in looks if look[1].action in _MARKED]):
        text = _MARKED[item.action] or f"{100 * item.enrolled:g} %"
        shown = text if x <= free_from else ""
        marks.append(Tick(x, shown))
        if shown:
            free_from = x - MARK_CHARS * (len(shown) + 1)
    return tuple(reversed(marks))


def _tick(dimension: str, value: float) -> str:
    shown = math.expm1(value) if dimension == "cost" else value
    return f"{100 * shown:+.1f}" if shown else "0"


def _plan(record: RolloutRecord) -> list[tuple[str, str]]:
    plan = record.rollout.plan
    return [
        ("Mode", plan.mode),
        ("Steps", ", ".join(f"{step:g} %" for step in plan.steps)),
        (
            "At each step",
            f"{count(plan.min_subjects)} subjects an arm, {age_text(plan.min_step_s)}",
        ),
        ("Maximum age", age_text(plan.max_age_s)),
        ("Level", f"alpha {plan.alpha:g}"),
        ("An outcome is missing after", duration(plan.outcome_window_s)),
        ("Versions", f"v{record.rollout.treatment} {record.rollout.treatment_digest[:12]}"),
        ("", f"v{record.rollout.control} {record.rollout.control_digest[:12]}"),
    ]


def _decision(item: Decision) -> ShownDecision:
    return ShownDecision(
        seq=count(item.seq),
        at=moment(item.at),
        actor=item.actor,
        action=item.action.replace("_", " "),
        share=share_words(item.state, item.enrolled),
        sentence=item.sentence,
        reasons=item.reasons if item.action != "hold" else (),
    )
