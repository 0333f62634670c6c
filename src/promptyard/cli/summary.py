"""Draws the result of a run so that a newcomer understands it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from promptyard.cli.draw import table
from promptyard.cli.spark import spark
from promptyard.records.evidence import ConfusionPair
from promptyard.records.runs import Run
from promptyard.records.verdicts import Comparison
from promptyard.reports.aggregate import bucket_table
from promptyard.reports.credits import credit_table
from promptyard.reports.diff import prompt_diff
from promptyard.reports.figures import amount, change, change_range
from promptyard.reports.holdout import rests_on, verdict_place
from promptyard.reports.judges import marked
from promptyard.reports.origins import with_origins
from promptyard.reports.served_curve import served_text
from promptyard.reports.visible import visible

if TYPE_CHECKING:
    from rich.console import Console

MAX_CREDITS = 12
MAX_DIFF_LINES = 30
LINE_CHARS = 118
MARKS = {"pass": "better", "fail": "worse", "inconclusive": "not shown"}


def draw_run(out: Console, run: Run, *, report_path: str | None, next_steps: list[str]) -> None:
    """Draw verdict, dimensions, buckets, prompt diff, funnel, spending and what to do next."""
    _draw_dimensions(out, run)
    _draw_buckets(out, run)
    _draw_diff(out, run)
    _draw_search(out, run)
    _draw_funnel(out, run)
    _draw_spending(out, run)
    for note in run.notes:
        out.print(f"Note: {note}", markup=False)
    colour = {"pass": "green", "fail": "red", "inconclusive": "yellow"}[run.verdict.status]
    out.print()
    out.print(f"Verdict: {run.verdict.status}", style=f"bold {colour}")
    out.print(run.verdict.sentence, markup=False)
    out.print(rests_on(run), markup=False)
    if run.version is not None:
        kept = "the winner" if run.best.id != run.baseline.id else "the baseline, which stays"
        out.print(f"Registered: {run.header.task} version {run.version} ({kept})", markup=False)
    if report_path:
        out.print(f"Report: {report_path}", markup=False, soft_wrap=True)
    if next_steps:
        out.print("\nWhat to do next:", style="bold")
        for step in next_steps:
            out.print(f"  {step}", markup=False, soft_wrap=True)


def _draw_dimensions(out: Console, run: Run) -> None:
    comparisons = run.verdict.comparisons
    if comparisons:
        n_cases = comparisons[0].n_cases
        where = verdict_place(run)
        title = f"{where[0].upper()}{where[1:]} ({n_cases} cases, the same for both)"
        draw_comparisons(out, comparisons, title=title, names=("baseline", "finalist"))


def draw_comparisons(
    out: Console, comparisons: Sequence[Comparison], *, title: str, names: tuple[str, str]
) -> None:
    """Draw every dimension of a verdict: both means, the change with its interval, the finding."""
    rows = [
        (
            marked(item.dimension, uncalibrated=item.uncalibrated),
            amount(item.dimension, item.baseline_mean),
            amount(item.dimension, item.candidate_mean),
            change(item.dimension, item.difference).removesuffix(" points"),
            change_range(item.dimension, item.interval),
            _said(item),
        )
        for item in comparisons
    ]
    columns = ("dimension", *names, "change", "95 % interval", "finding")
    out.print(table(title, columns, rows, right=(1, 2, 3, 4)))


def _said(item: Comparison) -> str:
    if item.rule == "report":
        return "reported"
    if item.rule == "non_inferiority" and item.margin is not None:
        word = {"pass": "not worse", "fail": "worse", "inconclusive": "cannot rule out worse"}
        return f"{word[item.status]} by {100 * item.margin:g} points"
    return MARKS[item.status]


def _draw_buckets(out: Console, run: Run) -> None:
    rows = [
        (row.tag, row.field or "", str(row.before), str(row.after))
        for row in bucket_table(run.buckets_before, run.buckets_after)
    ]
    after = run.decision is not None
    if rows:
        where = (run.verdict_split or "holdout") if after else "train"
        out.print(
            table(
                f"Failure buckets ({where} cases, each in the first of its failures)",
                ("tag", "field", "before", "after"),
                [row if after else (*row[:3], "–") for row in rows[:12]],
                right=(2, 3),
            )
        )
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    for pair in (*run.confusions_before, *run.confusions_after):
        key = (pair.expected, pair.got)
        counts[key] = (_n_cases(run.confusions_before, key), _n_cases(run.confusions_after, key))
    # By the larger of both counts: what got worse must not be hidden by what got better.
    ranked = sorted(counts, key=lambda key: (-max(counts[key]), key))[:8]
    pairs = [(*key, str(counts[key][0]), str(counts[key][1])) for key in ranked]
    if pairs:
        out.print(
            table(
                "Most confused labels",
                ("expected", "answered", "before", "after"),
                [row if after else (*row[:3], "–") for row in pairs],
                right=(2, 3),
            )
        )


def _n_cases(pairs: Sequence[ConfusionPair], key: tuple[str, str]) -> int:
    return next((pair.n_cases for pair in pairs if (pair.expected, pair.got) == key), 0)


def _draw_diff(out: Console, run: Run) -> None:
    if run.finalist is None:
        return
    lines = with_origins(prompt_diff(run.baseline, run.finalist), run.origins)
    n_changed = sum(line.count for line in lines if line.kind in ("added", "removed"))
    out.print(f"\nPrompt diff ({n_changed} changed lines)", style="bold")
    styles = {"added": "green", "removed": "red"}
    for line in lines[:MAX_DIFF_LINES]:
        mark = {"added": "+", "removed": "-"}.get(line.kind, " ")
        text = f"  {mark} {line.text}"
        if len(text) > LINE_CHARS:
            text = text[: LINE_CHARS - 1] + "…"
        out.print(text, style=styles.get(line.kind, "dim"), markup=False)
        if line.why:
            out.print(f"      {line.why}", style="dim", markup=False)
    if len(lines) > MAX_DIFF_LINES:
        out.print(f"    … {len(lines) - MAX_DIFF_LINES} more lines in the report", style="dim")


def _draw_search(out: Console, run: Run) -> None:
    """Draw credits, traps and the served curve; nothing for a search that has none."""
    rows = [
        (
            row.bucket,
            "mended" if row.moved else "not moved",
            f"{row.n_failing_before} → {row.n_failing_after}",
            str(row.n_cases),
            str(row.n_attempts),
        )
        for row in credit_table(run.credits)
    ]
    if rows:
        columns = ("bucket", "outcome", "failing", "cases", "attempts")
        out.print()
        out.print(table("Failures answered", columns, rows[:MAX_CREDITS], right=(2, 3, 4)))
        if len(rows) > MAX_CREDITS:
            out.print(f"  … {len(rows) - MAX_CREDITS} more buckets in the report", style="dim")
    for trap in run.traps:
        out.print(f"Trap found and taken out: {visible(trap)}", markup=False)
    if curve := served_text(run):
        picture = spark([0.0, *(point.difference for point in run.served)])
        out.print(f"Served: {curve} {picture}".rstrip(), markup=False)


def _draw_funnel(out: Console, run: Run) -> None:
    rows = [
        (
            stage.stage,
            stage.split,
            str(stage.n_tried),
            str(stage.n_kept),
            f"{stage.calls:,}",
            f"{stage.cached_calls:,}",
        )
        for stage in run.stages
    ]
    if rows:
        columns = ("stage", "split", "tried", "kept", "calls", "from the store")
        out.print()
        out.print(table("The funnel", columns, rows, right=(2, 3, 4, 5)))


def _draw_spending(out: Console, run: Run) -> None:
    spent = run.spent
    if run.naive_task_calls:
        share = 100 * run.search_task_calls / run.naive_task_calls
        out.print(
            f"Search: {run.search_task_calls:,} task calls on train and dev. Running all "
            f"{run.n_candidates} candidates on all of it would have taken "
            f"{run.naive_task_calls:,}: {share:.0f} % of that.",
            markup=False,
        )
    price = f", ${spent.usd:.4f}" if spent.usd else ""
    out.print(
        f"Spent: {spent.task_calls:,} task calls, {spent.optimizer_calls:,} optimizer calls, "
        f"{spent.cached_calls:,} answered from the store, {spent.tokens:,} tokens{price}, "
        f"{spent.seconds:.0f} s.",
        markup=False,
    )
    if spent.failures:
        failed = ", ".join(f"{n} × {kind}" for kind, n in spent.failures.items())
        out.print(f"Failed attempts: {failed}.", markup=False)
