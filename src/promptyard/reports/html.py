"""Writes the page of a run: one HTML file that needs nothing else, not even scripts."""

from __future__ import annotations

from typing import Any

from promptyard.records.runs import Run
from promptyard.reports.account_view import facts, spending
from promptyard.reports.aggregate import bucket_table, label_table, pair_table, rejection_table
from promptyard.reports.credits import credit_table
from promptyard.reports.diff import DiffLine, prompt_diff
from promptyard.reports.figures import moment, percent
from promptyard.reports.funnel_view import naive_view, stage_views
from promptyard.reports.holdout import rests_on, verdict_place
from promptyard.reports.origins import with_origins
from promptyard.reports.page_template import page_template
from promptyard.reports.served_curve import ServedCurve, served_curve
from promptyard.reports.trajectory import trajectory
from promptyard.reports.verdict_view import (
    banner,
    dimension_rows,
    interval_level,
    key_figures,
)
from promptyard.reports.visible import one_line, visible

EMBEDDED_MODEL = "embedded/lexical"
HYPOTHESIS_CHARS = 320
TOP_LABELS = 10
TOP_PAIRS = 10
TOP_REJECTIONS = 20


def run_html(run: Run) -> str:
    """Write the report of a run as one self-contained page.

    The same run gives the same page, byte for byte. Everything that came from prompts, cases or
    models is escaped, and hidden characters in it are written out. Costs no calls.
    """
    comparisons = run.verdict.comparisons
    before, after = run.buckets_before, run.buckets_after
    rejections = rejection_table(run.rejections)
    return page_template("run.html").render(
        run=run,
        banner=banner(run),
        embedded=run.header.task_model.startswith(EMBEDDED_MODEL),
        embedded_model=EMBEDDED_MODEL,
        key_figures=key_figures(run),
        dimensions=dimension_rows(comparisons),
        level=f"{100 * interval_level(comparisons):g} %",
        coverage=None if run.verdict.coverage is None else percent(run.verdict.coverage),
        drawings=_drawings(run),
        served=_curves(run),
        credits=credit_table(run.credits),
        traps=[visible(trap) for trap in run.traps],
        place=verdict_place(run),
        rests_on=rests_on(run),
        stages=stage_views(run),
        naive=naive_view(run),
        buckets=bucket_table(before, after),
        labels=label_table(before, after, limit=TOP_LABELS),
        pairs=pair_table(run.confusions_before, run.confusions_after, limit=TOP_PAIRS),
        measured_after=run.decision is not None,
        diff=_diff(run),
        hypothesis=_hypothesis(run),
        spending=spending(run),
        rejections=rejections[:TOP_REJECTIONS],
        n_rejection_rows=len(rejections),
        facts=facts(run),
        started=moment(run.header.started_at),
        failure_slices=any(stage.stage == "screen" for stage in run.stages),
    )


def _drawings(run: Run) -> list[tuple[str, Any]]:
    """Lay the trajectory out twice: a phone shows the narrow one."""
    wide, narrow = trajectory(run, width=1000, height=340), trajectory(run, width=370, height=340)
    return [("wide", wide), ("narrow", narrow)] if wide and narrow else []


def _curves(run: Run) -> list[tuple[str, ServedCurve]]:
    wide, narrow = (
        served_curve(run, width=1000, height=260),
        served_curve(run, width=370, height=260),
    )
    return [("wide", wide), ("narrow", narrow)] if wide and narrow else []


def _diff(run: Run) -> tuple[DiffLine, ...]:
    if run.finalist is None:
        return ()
    return with_origins(prompt_diff(run.baseline, run.finalist), run.origins)


def _hypothesis(run: Run) -> str:
    if run.finalist is None:
        return ""
    finalist = run.finalist.id
    whole = next((e.hypothesis for e in run.history if e.candidate_id == finalist), "")
    return one_line(whole, HYPOTHESIS_CHARS)
