"""`promptyard prompts`: versions, pointers, differences, promotion and rollback."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from promptyard.cli import prompts_files, prompts_log, prompts_moves
from promptyard.cli.draw import console, print_json, table
from promptyard.cli.options import AsJson, StoreUrl
from promptyard.reports.visible import visible

app = typer.Typer(no_args_is_help=True, help="Versions, pointers, promotion and rollback.")
app.command("list")(prompts_log.list_command)
app.command("log")(prompts_log.log_command)
app.command("lineage")(prompts_log.lineage_command)

Name = Annotated[str, typer.Argument(help="The prompt's name (the task's).", show_default=False)]
Reference = Annotated[str, typer.Argument(help="A version number, a pointer, or `latest`.")]


@app.command("show")
def show_command(
    name: Name, reference: Reference = "latest", store: StoreUrl = None, as_json: AsJson = False
) -> None:
    """Print a version's prompt, byte for byte; with --json the whole record."""
    from promptyard.line.prompt_log import show_version
    from promptyard.line.sync import run_sync

    version = run_sync(show_version(store, name, reference))
    if as_json:
        print_json(version.model_dump(mode="json", by_alias=True))
        return
    several = len(version.program.steps) > 1
    for step in version.program.steps:
        if several:
            sys.stdout.buffer.write(f"=== step {step.name}\n".encode())
        sys.stdout.buffer.write(step.prompt.text.encode("utf-8", "surrogatepass"))
    sys.stdout.buffer.flush()


@app.command("diff")
def diff_command(
    name: Name,
    old: Annotated[str, typer.Argument(help="Version number or pointer.")],
    new: Reference = "latest",
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show what changed between two versions: texts, contract, parameters, tools, files."""
    from promptyard.line.prompt_log import diff_versions
    from promptyard.line.sync import run_sync

    found = run_sync(diff_versions(store, name, old, new))
    if as_json:
        print_json(
            {
                "old": found.old.number,
                "new": found.new.number,
                "diff": found.text,
                "changes": [change.model_dump(mode="json") for change in found.changes],
            }
        )
        return
    out = console()
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in found.text.split("\n") if found.text else ["the two versions are equal"]:
        out.print(visible(line), style=styles.get(line[:1]), markup=False, soft_wrap=True)
    several = len({change.step for change in found.changes}) > 1
    for change in found.changes:
        step = f"{change.step}: " if several and change.step else ""
        out.print(visible(f"{step}{change.sentence}"), markup=False, soft_wrap=True)


@app.command("blame")
def blame_command(
    name: Name,
    version: Annotated[
        str, typer.Option("--version", help="A version number, a pointer, or `latest`.")
    ] = "latest",
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Say of each line of a prompt who put it there, why, and with what effect."""
    from promptyard.line.query import blame_version
    from promptyard.line.sync import run_sync

    found = run_sync(blame_version(store, name, version))
    if as_json:
        from promptyard.reports.plain import sayable

        print_json(sayable(found.model_dump(mode="json")))
        return
    from promptyard.cli.blame import draw_blame

    draw_blame(console(), found)


@app.command("meta")
def meta_command(
    name: Annotated[str | None, typer.Argument(help="A meta-prompt; without one, all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print a request to the optimizer model as its template; without a name, list them.

    A file of this name in the task's folder `meta_prompts` takes its place.
    """
    from promptyard.line.meta_prompts import meta_prompt, meta_prompts

    if name is None:
        found = meta_prompts()
        if as_json:
            print_json([item.model_dump(mode="json") for item in found])
            return
        rows = [(item.name, " ".join(item.slots)) for item in found]
        console().print(table("Meta-prompts", ("name", "slots"), rows))
        return
    shown = meta_prompt(name)
    if as_json:
        print_json(shown.model_dump(mode="json"))
        return
    sys.stdout.buffer.write(shown.text.encode("utf-8"))
    sys.stdout.buffer.flush()


app.command("promote")(prompts_moves.promote_command)
app.command("rollback")(prompts_moves.rollback_command)
app.command("protect")(prompts_moves.protect_command)
app.command("unprotect")(prompts_moves.unprotect_command)
app.command("request")(prompts_moves.request_command)
app.command("approve")(prompts_moves.approve_command)
app.command("requests")(prompts_moves.requests_command)
app.command("publish")(prompts_moves.publish_command)
app.command("export")(prompts_files.export_command)
app.command("import")(prompts_files.import_command)
