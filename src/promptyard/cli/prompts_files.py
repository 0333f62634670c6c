"""`promptyard prompts export` and `import`: prompts as plain files, and out of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptyard.cli.draw import console, print_json
from promptyard.cli.options import AsJson, StoreUrl
from promptyard.cli.person import Actor, acting
from promptyard.cli.prompts_moves import warn_of
from promptyard.errors import ConfigError
from promptyard.reports.visible import visible

if TYPE_CHECKING:
    from promptyard.line.exchange import Imported, ImportedPrompt

MAX_NUMBERS = 8


def export_command(
    first: Annotated[
        str,
        typer.Argument(
            help="The prompt to write; with --all the folder, as no prompt is named.",
            metavar="NAME",
            show_default=False,
        ),
    ],
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="The folder to write to; each prompt gets one in it.",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Write all prompts: `prompts export --all FOLDER`.")
    ] = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Write prompts as plain files: every version byte for byte, with pointers and moves."""
    from promptyard.line.exchange import export_prompts
    from promptyard.line.sync import run_sync

    if everything == (folder is not None):
        raise ConfigError(
            "write `prompts export NAME FOLDER` for one prompt, or `prompts export --all FOLDER`"
        )
    target = Path(first) if folder is None else folder
    written = run_sync(export_prompts(store, None if everything else [first], target))
    if as_json:
        print_json([str(path) for path in written])
        return
    out = console()
    for path in written:
        out.print(f"wrote {visible(str(path))}", markup=False, soft_wrap=True)
    if not written:
        out.print("no prompt is registered yet", markup=False)


def import_command(
    source: Annotated[
        Path, typer.Argument(help="A file, or a folder of an export.", show_default=False)
    ],
    *,
    format_name: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="promptyard, langfuse, mlflow, prompty or dotprompt; else it is recognised.",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What to call the prompt.")] = None,
    syntax: Annotated[
        str,
        typer.Option("--template", help="Variables in JSON: double, single, jinja2 or mustache."),
    ] = "double",
    pointers: Annotated[
        bool, typer.Option("--pointers", help="Move pointers to where labels or aliases are.")
    ] = False,
    skip_refused: Annotated[
        bool, typer.Option("--skip-refused", help="Import the rest where some cannot be had.")
    ] = False,
    actor: Actor = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Bring prompts in: exports of ours, Langfuse, MLflow, Prompty, Dotprompt, a prompt file."""
    from promptyard.line.exchange import ImportWishes, import_prompts
    from promptyard.line.sync import run_sync

    wishes = ImportWishes(
        format_name=format_name,
        name=name,
        syntax=syntax,
        pointers=pointers,
        skip_refused=skip_refused,
    )
    imported = run_sync(import_prompts(store, source, wishes, actor=acting(actor)))
    if as_json:
        print_json(imported.model_dump(mode="json"))
    else:
        _draw(imported)
    if imported.publication is not None:
        warn_of(imported.publication)


def _draw(imported: Imported) -> None:
    out = console()
    for prompt in imported.prompts:
        out.print(visible(_sentence(prompt)), markup=False, soft_wrap=True)
    for note in imported.notes:
        out.print(f"note: {visible(note)}", style="yellow", markup=False, soft_wrap=True)
    for line in imported.refused:
        out.print(f"left out: {visible(line)}", style="red", markup=False, soft_wrap=True)


def _sentence(prompt: ImportedPrompt) -> str:
    changed = [(there, here) for there, here in prompt.numbers.items() if there not in (0, here)]
    shown = [f"{there} is v{here}" for there, here in changed[:MAX_NUMBERS]]
    if len(changed) > MAX_NUMBERS:
        shown.append(f"and {len(changed) - MAX_NUMBERS} more")
    n_versions = _counted(len(prompt.numbers), "version")
    said = f"{prompt.name}: {n_versions}, {prompt.n_new:,} of them new"
    if shown:
        said += f" (version {', '.join(shown)} here)"
    if prompt.n_moves:
        said += f", {_counted(prompt.n_moves, 'move')}"
    for pointer, number in prompt.pointers.items():
        said += f", {pointer} at v{number}"
    return said


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
