"""`promptyard evalset import` and `export`: what a file would give is shown, then written."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptyard.cli.draw import LOG_WIDTH, console, print_json, table
from promptyard.cli.options import AsJson, TaskPath
from promptyard.errors import ConfigError

if TYPE_CHECKING:
    from promptyard.records.base import Json

Format = Annotated[
    str | None,
    typer.Option("--from", help="The format; by default it is recognised.", show_default=False),
]
Target = Annotated[
    Path | None,
    typer.Option(help="A folder, or a file that ends with .jsonl; without it nothing is written."),
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--map", help="COLUMN=FIELD of a table; FIELD - leaves out. Repeatable."),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the file of cases.")]


def import_command(
    file: Annotated[Path, typer.Argument(help="A file of another tool, or a table.")],
    format_name: Format = None,
    to: Target = None,
    columns: Columns = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="What was guessed is right.")] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Read an eval set of another tool into cases of ours.

    Shows what was recognised, three cases and every check that cannot be run here, then asks.
    """
    from promptyard.line.convert import import_summary, plan_import, write_import

    plan = plan_import(file, format_name=format_name, mapping=column_mapping(columns or ()))
    summary = import_summary(plan, target=to)
    if not as_json:
        draw_import(summary)
    written: Sequence[Path] = ()
    unsure = guess_of(summary) if plan.guessed and not yes else None
    if to is not None and confirmed(unsure, quiet=as_json):
        written = write_import(plan, to, force=force)
    if as_json:
        print_json({**summary, "written": [str(path) for path in written]})
    else:
        draw_written(written, asked=to is not None, has_checks=bool(summary["checks"]))


def export_command(
    task: TaskPath = Path(),
    to_format: Annotated[str, typer.Option("--as", help="jsonl, csv or promptfoo.")] = "jsonl",
    out: Annotated[Path | None, typer.Option(help="The file; by default standard output.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a task's eval set as JSON lines, CSV or a promptfoo configuration."""
    from promptyard.line.convert import export_task, write_export
    from promptyard.line.task import load_task

    loaded = load_task(task)
    exported = export_task(loaded, to_format)
    if out is not None:
        write_export(exported, out, force=force)
    n_cases = len(loaded.eval_set.cases)
    if as_json:
        shown: dict[str, Json] = {"n_cases": n_cases, "notes": list(exported.notes)}
        where = {"text": exported.text} if out is None else {"written": str(out)}
        print_json({**shown, **where})
        return
    if out is None:
        sys.stdout.write(exported.text)
    for note in exported.notes:
        console(stderr=True).print(f"note: {note}", style="yellow", markup=False)
    if out is not None:
        console().print(f"{out}: {n_cases:,} cases", markup=False)


def column_mapping(given: Sequence[str]) -> dict[str, str]:
    """Read `COLUMN=FIELD` pairs; a column's name may have `=` in it, a field's has none."""
    mapping: dict[str, str] = {}
    for pair in given:
        name, sign, field = pair.rpartition("=")
        if not sign or not name or not field.strip():
            raise ConfigError(f"--map: expected COLUMN=FIELD, got '{pair}'")
        mapping[name] = field.strip()
    return mapping


def guess_of(summary: Mapping[str, Json]) -> str:
    """Say what was guessed about a file and how to say it instead."""
    if summary["format"] == "table":
        return "what each column is, is a guess; confirm it with --yes, or say it with --map"
    name = summary["format"]
    return f"the format {name} is a guess; confirm it with --yes, or say it with --from {name}"


def confirmed(unsure: str | None, *, quiet: bool) -> bool:
    """Ask whether a guess is right; without a terminal it must have been said before."""
    if unsure is None:
        return True
    if quiet or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError(f"{unsure} (nothing was written)")
    return typer.confirm("Is this right?", default=False)


def draw_import(summary: Mapping[str, Json]) -> None:
    """Draw what a file would give."""
    out = console()
    also = ", ".join(summary["could_also_be"])
    verb = "looks like" if summary["guessed"] else "read as"
    name = "a table" if summary["format"] == "table" else summary["format"]
    how = f"{verb} {name}" + (f" (could also be: {also})" if also else "")
    out.print(f"{summary['file']}: {how}", style="bold", markup=False)
    fields = [(str(name), str(field)) for name, field in summary["mapping"].items()]
    out.print(table("Fields", ("there", "here"), fields))
    out.print(f"The first of {summary['n_cases']:,} cases", style="bold", markup=False)
    for row in summary["sample"]:
        line = json.dumps(row, ensure_ascii=False)
        most = 3 * LOG_WIDTH
        out.print(line if len(line) <= most else f"{line[:most]}…", markup=False)
    checks = [(name, f"{n:,}") for name, n in summary["checks"].items()]
    if checks:
        columns = ("type", "count over all cases")
        out.print(table("Checks", columns, checks, right=(1,)))
    if summary["n_without_checks"]:
        n, of_all = summary["n_without_checks"], summary["n_cases"]
        said = f"{n:,} of {of_all:,} cases have no check; add some to task.yaml"
        out.print(said, style="yellow", markup=False)
    if summary["n_skipped"]:
        n_checks = sum(summary["checks"].values())
        out.print(
            f"NOT RUN HERE: {summary['n_skipped']:,} of {n_checks:,} checks. They become `skip`, "
            "which never passes and is counted in every report:",
            style="bold red",
            markup=False,
        )
        reasons = [(reason, f"{n:,}") for reason, n in summary["skipped"].items()]
        out.print(table("", ("reason", "checks"), reasons, right=(1,)))
    for note in summary["notes"]:
        out.print(f"note: {note}", style="yellow", markup=False)


def draw_written(written: Sequence[Path], *, asked: bool, has_checks: bool) -> None:
    """Say which files were written and what comes next."""
    out = console()
    if not written:
        said = "Nothing was written." if asked else "Nothing was written; add --to DIR to do so."
        out.print(said, markup=False)
        return
    for path in written:
        out.print(f"wrote {path}", markup=False)
    task = next((path for path in written if path.name == "task.yaml"), None)
    if task is not None:
        first = "" if has_checks else f"add a check to {task}, which proposes one, then "
        command = f"promptyard check {shlex.quote(str(task.parent))}"
        out.print(f"Next: {first}{command}", markup=False, soft_wrap=True)
