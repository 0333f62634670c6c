"""The commands of `promptyard evalset` about versions: log, diff, history, add, retire."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptyard.cli.draw import console, print_json, table
from promptyard.cli.options import AsJson, StoreUrl
from promptyard.cli.spark import spark
from promptyard.reports.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptyard.line.case_files import Change
    from promptyard.line.history import History, HistoryRow
    from promptyard.records.cases import EvalSet
    from promptyard.records.differences import EvalSetDiff

Subject = Annotated[
    str, typer.Argument(help="The task's folder, or the name of its eval set.", metavar="TASK|NAME")
]
RequiredTask = Annotated[
    Path, typer.Argument(help="The task's folder or its task.yaml.", show_default=False)
]
MAX_BUCKETS = 12
SHOWN_RUNS = 3
SHOWN_COUNTS = 20


def log_command(subject: Subject = ".", store: StoreUrl = None, as_json: AsJson = False) -> None:
    """List the versions of an eval set: where each came from, its size, the runs that used it."""
    from promptyard.line.eval_sets import eval_set_log, find_eval_set
    from promptyard.line.sync import run_sync

    log = run_sync(eval_set_log(find_eval_set(subject, store)))
    if as_json:
        print_json(log.model_dump(mode="json"))
        return
    rows = [
        (
            f"@{item.number}" + (" *" if item.is_working else ""),
            item.about.version[:8],
            "–" if item.parent_number is None else f"@{item.parent_number}",
            f"{item.about.n_cases:,}",
            " / ".join(f"{item.about.n_by_split.get(s, 0):,}" for s in ("train", "dev", "holdout")),
            item.about.created_at[:10],
            f"{len(item.runs):,}",
            item.about.change,
        )
        for item in log.versions
    ]
    columns = ("", "version", "parent", "cases", "train / dev / holdout", "since", "runs", "change")
    out = console()
    out.print(table(log.name, columns, rows, right=(3, 6)))
    for item in log.versions:
        if item.runs:
            out.print(f"@{item.number} was used by {_runs(item.runs)}", markup=False)
    if any(item.is_working for item in log.versions):
        out.print("* the files as they are now", markup=False)
    elif log.unrecorded is not None:
        out.print(
            f"The files are no version yet: {log.unrecorded} since @{len(log.versions)}.",
            markup=False,
        )


def diff_command(
    subject: Subject,
    old: Annotated[str, typer.Argument(help="A version: @2, a unique beginning, `working`.")],
    new: Annotated[str, typer.Argument(help="Another one.")] = "working",
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show which cases two versions do not share: added, retired, changed, moved."""
    from promptyard.line.eval_sets import eval_set_diff, find_eval_set
    from promptyard.line.sync import run_sync

    before, after, found = run_sync(eval_set_diff(find_eval_set(subject, store), old, new))
    if as_json:
        print_json(found.model_dump(mode="json") | {"sentence": found.sentence})
        return
    out = console()
    out.print(
        f"{before.version[:8]} ({len(before.cases):,} cases) → {after.version[:8]} "
        f"({len(after.cases):,}): {found.sentence}, {found.n_same:,} the same",
        markup=False,
    )
    for line, style in _diff_lines(found, before, after):
        out.print(visible(line), style=style, markup=False, soft_wrap=True)


def history_command(
    subject: Subject = ".",
    bucket: Annotated[str | None, typer.Option(help="Follow one failure bucket.")] = None,
    metric: Annotated[str, typer.Option(help="score, a dimension, or a check.")] = "score",
    version: Annotated[int | None, typer.Option(min=1, help="Only this prompt version.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Only runs on train, dev, holdout or all.")
    ] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show how score and failure buckets developed over prompt and eval set versions."""
    from promptyard.line.eval_sets import find_eval_set
    from promptyard.line.history import eval_set_history
    from promptyard.line.sync import run_sync

    named = find_eval_set(subject, store)
    history = run_sync(
        eval_set_history(
            named.store, named.name, metric=metric, bucket=bucket, version=version, split=split
        )
    )
    if as_json:
        print_json(history.model_dump(mode="json"))
        return
    for name, rows in history.rows.items():
        _draw_history(history, name, rows)


def add_command(
    task: RequiredTask,
    source: Annotated[
        str, typer.Argument(help="A file of rows, or - for JSON lines on stdin.", metavar="FILE|-")
    ],
    split: Annotated[
        str | None, typer.Option(help="Split of rows that give none: train, dev or holdout.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag for every row.")] = None,
    into: Annotated[str | None, typer.Option(help="Which of several case files.")] = None,
    force: Annotated[bool, typer.Option(help="Add inputs that are there already.")] = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Append cases to the task's case file, as a new version.

    All rows are checked first; with one that cannot be added, nothing is.
    """
    from promptyard.line.growth import add_cases
    from promptyard.line.sync import run_sync

    rows = sys.stdin.buffer if source == "-" else Path(source)
    change = run_sync(
        add_cases(task, rows, split=split, tags=tag or (), into=into, force=force, store=store)
    )
    _draw_change(change, as_json=as_json)


def retire_command(
    task: RequiredTask,
    case_ids: Annotated[list[str], typer.Argument(help="Ids of cases.", metavar="ID...")],
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why; stays in the row.")],
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Take cases out of use, as a new version. Their rows stay, with the reason."""
    from promptyard.line.growth import retire_cases
    from promptyard.line.sync import run_sync

    change = run_sync(retire_cases(task, case_ids, reason=reason, store=store))
    _draw_change(change, as_json=as_json)


def _runs(run_ids: Sequence[str]) -> str:
    more = f" and {len(run_ids) - SHOWN_RUNS:,} before" if len(run_ids) > SHOWN_RUNS else ""
    return ", ".join(run_ids[:SHOWN_RUNS]) + more


def _diff_lines(
    found: EvalSetDiff, before: EvalSet, after: EvalSet
) -> list[tuple[str, str | None]]:
    splits = {case.id: case.split for case in (*before.cases, *after.cases)}
    lines: list[tuple[str, str | None]] = []
    lines += [(f"+ {name} ({splits[name]})", "green") for name in found.added]
    lines += [
        (f"- {name} ({splits[name]}) retired: {reason}", "red")
        for name, reason in found.retired.items()
    ]
    lines += [(f"- {name} ({splits[name]}) removed", "red") for name in found.removed]
    lines += [(f"~ {item.case_id}: {', '.join(item.keys)}", "yellow") for item in found.changed]
    lines += [(f"> {item.case_id}: {item.old} → {item.new}", "cyan") for item in found.moved]
    return lines


def _draw_history(history: History, split: str, rows: Sequence[HistoryRow]) -> None:
    from promptyard.line.history import bucket_names
    from promptyard.reports.figures import amount, percent

    out = console()
    cells = [
        [
            row.measurement.measured_at[:16].replace("T", " "),
            _prompt(row),
            "–" if row.number is None else f"@{row.number}",
            row.measurement.purpose,
            f"{row.measurement.n_cases:,}",
            percent(row.measurement.coverage),
            amount(history.metric, row.value),
            _step(history.metric, row),
            *(() if row.bucket is None else (str(row.bucket),)),
        ]
        for row in rows
    ]
    columns = ["when", "prompt", "set", "stage", "cases", "coverage", history.metric]
    columns += ["against the row before", *((history.bucket,) if history.bucket else ())]
    title = f"{history.task}: {split} {spark([row.value for row in rows])}"
    out.print(table(title, columns, cells, right=(4, 5, 6, 8)))
    names = [history.bucket] if history.bucket else bucket_names(rows)[:MAX_BUCKETS]
    counts = {name: [row.measurement.buckets.get(name, 0) for row in rows] for name in names}
    shares = {
        name: [n / row.measurement.n_cases for n, row in zip(counts[name], rows, strict=True)]
        for name in names
    }
    drawn = [
        (name, spark(shares[name]), " ".join(map(str, counts[name][-SHOWN_COUNTS:])))
        for name in names
    ]
    if drawn and len(rows) > 1:
        out.print(table("Failing cases by bucket, oldest first", ("bucket", "", "cases"), drawn))


def _prompt(row: HistoryRow) -> str:
    number = "" if row.version is None else f"v{row.version} "
    return f"{number}{row.measurement.program_id[:7]}"


def _step(metric: str, row: HistoryRow) -> str:
    from promptyard.reports.figures import change

    step = row.step
    if step is None:
        return ""
    if step.comparable == "no":
        return f"not comparable: {step.reason}"
    said = change(metric, step.difference)
    if step.comparable == "yes":
        return said
    shared = f"{step.n_shared:,} of {row.measurement.n_cases:,} cases"
    if step.difference is None:
        return f"not comparable: only {shared} shared"
    return f"{said} on {shared} (shared)"


def _draw_change(change: Change, *, as_json: bool) -> None:
    if as_json:
        print_json(change.model_dump(mode="json"))
        return
    out = console()
    for warning in change.warnings:
        out.print(f"warning: {visible(warning)}", style="yellow", markup=False, soft_wrap=True)
    out.print(
        f"{change.task}: {visible(change.change)}; now @{change.number} ({change.version[:8]})",
        markup=False,
        soft_wrap=True,
    )
