"""Draws an evaluation in the terminal so that a newcomer understands it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptyard.cli.draw import table
from promptyard.cli.summary import draw_comparisons
from promptyard.reports.evaluation import EvaluationView
from promptyard.reports.figures import amount, counted, percent
from promptyard.reports.judges import judge_notes, marked
from promptyard.reports.visible import visible

if TYPE_CHECKING:
    from rich.console import Console

    from promptyard.records.evidence import Bucket
    from promptyard.records.scores import Interval, Summary

MOST_SLICES = 12
MOST_BUCKETS = 12
MOST_FLIPS = 12
MOST_CONFUSIONS = 8
BAR_CELLS = 20


def draw_evaluation(
    out: Console, view: EvaluationView, *, report_path: str | None, junit_path: str | None = None
) -> None:
    """Draw score and coverage, dimensions, checks, slices, failures, changes and power."""
    _draw_score(out, view)
    _draw_rates(out, view)
    _draw_checks(out, view)
    _draw_slices(out, view)
    _draw_failures(out, view)
    _draw_comparison(out, view)
    _draw_closing(out, view)
    for name, path in (("JUnit XML", junit_path), ("Report", report_path)):
        if path:
            out.print(f"{name}: {path}", markup=False, soft_wrap=True)


def _draw_score(out: Console, view: EvaluationView) -> None:
    report, evaluation = view.report, view.evaluation
    repeats = "" if evaluation.n_repeats == 1 else f" × {evaluation.n_repeats} replicates"
    title = f"{view.part}{repeats}, coverage "
    rows = [
        (
            marked(item.name, uncalibrated=item.name in report.uncalibrated),
            amount(item.name, item.mean),
            _bar(item),
            _spread(item),
            f"{item.n_cases:,}",
        )
        for item in report.summaries
    ]
    columns = ("dimension", "mean", "", "95 % interval, or percentiles", "cases")
    out.print(table(title + percent(report.coverage), columns, rows, right=(1, 3, 4)))
    if view.not_run:
        out.print(view.not_run, markup=False)


def _bar(item: Summary) -> str:
    """Draw a mean in [0, 1] as a bar of 20 cells."""
    if item.interval is None:
        return ""
    filled = round(BAR_CELLS * min(1.0, max(0.0, item.mean)))
    return "█" * filled + "░" * (BAR_CELLS - filled)


def _spread(item: Summary) -> str:
    if item.interval is not None:
        return _range(item.interval)
    if item.p50 is None:
        return ""
    found = (("p50", item.p50), ("p95", item.p95), ("p99", item.p99))
    return ", ".join(f"{name} {amount(item.name, value)}" for name, value in found)


def _range(interval: Interval | None) -> str:
    return "–" if interval is None else f"{percent(interval.low)} to {percent(interval.high)}"


def _draw_rates(out: Console, view: EvaluationView) -> None:
    found = view.rates
    parts = [
        f"truncated {percent(found.share(found.n_truncated))}",
        f"refused {percent(found.share(found.n_refused))}",
        f"errors {percent(found.share(found.n_errors))}",
        f"unscored {percent(found.share(found.n_unscored))}",
    ]
    if found.n_judged_twice:
        n_twice = counted(found.n_judged_twice, "verdict")
        parts.append(f"judge contradicts itself {percent(found.judge_flip_rate)} of {n_twice}")
    out.print("Beside the score: " + ", ".join(parts) + ".", markup=False)
    if found.errors:
        said = ", ".join(f"{n} × {kind}" for kind, n in found.errors)
        out.print(f"Not scored (counted, never zero): {said}.", markup=False)
    if found.n_skipped:
        said = ", ".join(f"{n} × {reason}" for reason, n in found.skips)
        out.print(f"Checks skipped, neither passed nor failed: {said}.", style="yellow")
    if found.too_many_truncated:
        out.print(
            "Warning: more than 1 % of the answers were cut at max_tokens; raise it before blaming "
            "the wording.",
            style="yellow",
        )


def _draw_checks(out: Console, view: EvaluationView) -> None:
    checks = view.report.checks
    if len(checks) < 2 and not any(item.judge or item.n_errors for item in checks):
        return
    rows: list[tuple[str, ...]] = []
    for item in checks:
        notes = judge_notes(item)
        if item.n_errors:
            notes.append(f"{item.n_errors} broke")
        if item.n_skipped:
            notes.append(f"{item.n_skipped} skipped")
        mean = "–" if item.mean is None else percent(item.mean)
        kind = f"{item.severity}, {item.dimension}"
        rows.append(
            (item.metric, kind, mean, _range(item.interval), f"{item.n_cases:,}", "; ".join(notes))
        )
    columns = ("check", "kind", "mean", "95 % interval", "cases", "note")
    out.print(table("Checks", columns, rows, right=(2, 3, 4)))


def _draw_slices(out: Console, view: EvaluationView) -> None:
    lowest = sorted(view.slices, key=lambda item: (item.mean, item.name))[:MOST_SLICES]
    if not lowest:
        return
    rows = [
        (
            item.name,
            f"{item.n_cases:,}",
            percent(item.mean),
            _range(item.interval),
            "–" if item.ratio is None else f"{item.ratio:.1f} ×",
            "–" if item.p_value is None else f"{item.p_value:.2g}",
        )
        for item in lowest
    ]
    more = len(view.slices) - len(lowest)
    title = "Slices, lowest score first" + (f" ({more} more in the report)" if more > 0 else "")
    columns = ("slice", "cases", "mean", "95 % interval", "fails as often as others", "p (a hint)")
    out.print(table(title, columns, rows, right=(1, 2, 3, 4, 5)))


def _draw_failures(out: Console, view: EvaluationView) -> None:
    if view.buckets:
        rows = [
            (bucket.name, *_counts(bucket), bucket.severity)
            for bucket in view.buckets[:MOST_BUCKETS]
        ]
        columns = ("bucket", "cases", "first", "severity")
        title = "Failure buckets (first: no worse failure in the case)"
        out.print(table(title, columns, rows, right=(1, 2)))
        for bucket in view.buckets[:MOST_BUCKETS]:
            if bucket.shapes:
                said = "; ".join(f"{n} × {visible(text)}" for text, n in bucket.shapes)
                out.print(f"{bucket.name}: {said}", style="dim", markup=False)
    if view.confusions:
        pairs = [
            (pair.expected, pair.got, str(pair.n_cases))
            for pair in view.confusions[:MOST_CONFUSIONS]
        ]
        columns = ("expected", "answered", "cases")
        out.print(table("Most confused labels", columns, pairs, right=(2,)))
    suite = view.report.suite
    if "macro_f1" in suite:
        named = (("accuracy", "accuracy"), ("macro-F1", "macro_f1"), ("micro-F1", "micro_f1"))
        known = [(name, key) for name, key in named if suite.get(key) is not None]
        parts = [f"{name} {percent(suite[key])}" for name, key in known]
        for name, key in (("MCC", "mcc"), ("kappa", "kappa")):
            if suite.get(key) is not None:
                parts.append(f"{name} {suite[key]:.3f}")
        out.print("Labels: " + ", ".join(parts) + ".", markup=False)


def _counts(bucket: Bucket) -> tuple[str, str]:
    return f"{len(bucket.case_ids):,}", f"{len(bucket.primary_ids):,}"


def _draw_comparison(out: Console, view: EvaluationView) -> None:
    evaluation = view.evaluation
    verdict = evaluation.verdict
    if verdict is None:
        return
    title = f"Against {evaluation.compared_with}, on the same cases"
    draw_comparisons(out, verdict.comparisons, title=title, names=("baseline", "this"))
    n_broken = sum(flip.kind == "broken" for flip in evaluation.flips)
    n_fixed = len(evaluation.flips) - n_broken
    out.print(f"Cases that flipped: {n_fixed} fixed, {n_broken} broken.", markup=False)
    for kind in ("broken", "fixed"):
        ids = [flip.case_id for flip in evaluation.flips if flip.kind == kind]
        if ids:
            more = f" and {len(ids) - MOST_FLIPS} more" if len(ids) > MOST_FLIPS else ""
            out.print(f"  {kind}: {', '.join(ids[:MOST_FLIPS])}{more}", markup=False)
    if view.answers:
        out.print(view.answers, markup=False)
    colour = {"pass": "green", "fail": "red", "inconclusive": "yellow"}[verdict.status]
    out.print(f"Verdict: {verdict.status}", style=f"bold {colour}")
    out.print(verdict.sentence, markup=False)


def _draw_closing(out: Console, view: EvaluationView) -> None:
    evaluation = view.evaluation
    if evaluation.unstable:
        n_cases = counted(len(evaluation.unstable), "case")
        out.print(f"{n_cases} passed in some replicates and failed in others.", markup=False)
    out.print(view.can_show.sentence, markup=False)
    for note in evaluation.notes:
        out.print(f"Note: {note}", markup=False)
    spent = evaluation.spent
    price = f", ${spent.usd:.4f}" if spent.usd else ""
    judged = f", {spent.judge_calls:,} judge calls" if spent.judge_calls else ""
    out.print(
        f"Spent: {spent.task_calls:,} task calls{judged}, {spent.cached_calls:,} answered from the "
        f"store, {spent.tokens:,} tokens{price}, {spent.seconds:.1f} s.",
        markup=False,
    )
    out.print(f"Run: {evaluation.run_id}", markup=False)
