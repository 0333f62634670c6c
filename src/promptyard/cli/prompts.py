"""`promptyard prompts`: versions, pointers, differences, promotion and rollback."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from promptyard.cli import prompts_add
from promptyard.cli.draw import console, print_json, table
from promptyard.cli.options import AsJson, StoreUrl
from promptyard.cli.person import present_user

if TYPE_CHECKING:
    from promptyard.records.versions import Move

app = typer.Typer(no_args_is_help=True, help="Versions, pointers, promotion and rollback.")
app.command("add")(prompts_add.command)

Name = Annotated[str, typer.Argument(help="The prompt's name (the task's).", show_default=False)]
Reference = Annotated[str, typer.Argument(help="A version number, a pointer, or `latest`.")]
PointerName = Annotated[str, typer.Option("--to", help="The pointer to move.")]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Why; goes into the log.")]


@app.command("log")
def log_command(
    name: Annotated[str | None, typer.Argument(help="The prompt's name.")] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """List versions and moves of a prompt; without a name, the registered prompts."""
    from promptyard.line.query import list_prompts, prompt_log
    from promptyard.line.sync import run_sync
    from promptyard.reports.figures import percent

    if name is None:
        names = run_sync(list_prompts(store))
        if as_json:
            print_json(list(names))
        else:
            console().print("\n".join(names) or "no prompt is registered yet", markup=False)
        return
    log = run_sync(prompt_log(store, name))
    if as_json:
        print_json(
            {
                "versions": [v.model_dump(mode="json", exclude={"program"}) for v in log.versions],
                "pointers": [p.model_dump(mode="json") for p in log.pointers],
                "moves": [m.model_dump(mode="json") for m in log.moves],
            }
        )
        return
    at = {
        number: ", ".join(p.pointer for p in log.pointers if p.number == number)
        for number in {p.number for p in log.pointers}
    }
    rows = [
        (
            f"v{version.number}",
            version.status,
            percent(version.scores.get("holdout")),
            version.author,
            version.created_at[:10],
            version.digest[:7],
            at.get(version.number, ""),
        )
        for version in log.versions
    ]
    columns = ("version", "status", "holdout", "author", "created", "digest", "pointers")
    out = console()
    out.print(table(name, columns, rows, right=(2,)))
    if log.moves:
        moves = [
            (
                move.moved_at[:16].replace("T", " "),
                move.kind,
                move.pointer,
                f"{_number(move.from_number)} → v{move.to_number}",
                move.actor,
                move.reason,
            )
            for move in log.moves
        ]
        out.print(table("Moves", ("when", "kind", "pointer", "from → to", "who", "why"), moves))


@app.command("show")
def show_command(
    name: Name, reference: Reference = "latest", store: StoreUrl = None, as_json: AsJson = False
) -> None:
    """Print a version's prompt, byte for byte; with --json the whole record."""
    from promptyard.line.query import show_version
    from promptyard.line.sync import run_sync

    version = run_sync(show_version(store, name, reference))
    if as_json:
        print_json(version.model_dump(mode="json", by_alias=True))
        return
    several = len(version.program.steps) > 1
    for step in version.program.steps:
        if several:
            sys.stdout.buffer.write(f"=== step {step.name}\n".encode())
        sys.stdout.buffer.write(step.prompt.text.encode("utf-8"))
    sys.stdout.buffer.flush()


@app.command("diff")
def diff_command(
    name: Name,
    old: Annotated[str, typer.Argument(help="Version number or pointer.")],
    new: Reference = "latest",
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show what changed between two versions."""
    from promptyard.line.query import diff_versions
    from promptyard.line.sync import run_sync

    first, second, text = run_sync(diff_versions(store, name, old, new))
    if as_json:
        print_json({"old": first.number, "new": second.number, "diff": text})
        return
    out = console()
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in text.splitlines() or ["the two versions are equal"]:
        out.print(line, style=styles.get(line[:1]), markup=False, soft_wrap=True)


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


@app.command("promote")
def promote_command(
    name: Name,
    reference: Reference,
    pointer: PointerName = "production",
    reason: Reason = "promoted by hand",
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Point a pointer (default: production) at a version. The move is logged."""
    from promptyard.line.ship import promote_version
    from promptyard.line.sync import run_sync

    move = run_sync(
        promote_version(
            store, name, reference, pointer=pointer, actor=present_user(), reason=reason
        )
    )
    _show_move(move, as_json=as_json)


@app.command("rollback")
def rollback_command(
    name: Name,
    pointer: PointerName = "production",
    reason: Reason = "rolled back by hand",
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Point a pointer back at the version before; the exact bytes return."""
    from promptyard.line.ship import roll_back
    from promptyard.line.sync import run_sync

    move = run_sync(roll_back(store, name, pointer=pointer, actor=present_user(), reason=reason))
    _show_move(move, as_json=as_json)


def _number(number: int | None) -> str:
    return "–" if number is None else f"v{number}"


def _show_move(move: Move, *, as_json: bool) -> None:
    if as_json:
        print_json(move.model_dump(mode="json"))
        return
    if move.from_number == move.to_number:
        said = f"is at v{move.to_number} already; nothing moved"
    else:
        before = "nothing" if move.from_number is None else f"v{move.from_number}"
        said = f"moved from {before} to v{move.to_number}"
    console().print(f"{move.prompt}: {move.pointer} {said}", markup=False)
