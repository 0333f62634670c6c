"""The `promptyard` command: its subcommands, and how errors end it.

Exit codes: 0 done (whatever was found), 1 gate failed, 2 error, 3 gate inconclusive, 130 Ctrl-C,
141 the reader of the output has gone (`| head`).
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated

import typer
from typer.exceptions import TyperException

from promptyard.cli import (
    canary,
    check,
    demo,
    evalset,
    evaluate,
    gate,
    init,
    judge,
    keys,
    monitor,
    optimize,
    prompts,
    runs,
    serve,
    traces,
)
from promptyard.cli.misuse import misuse_text
from promptyard.errors import PromptyardError

READER_GONE = 141  # 128 + SIGPIPE: what a shell says of `cat` in `cat file | head`
MAX_SHOWN = 10

app = typer.Typer(
    name="promptyard",
    help="The production line for prompts: measure, improve, prove, register, roll back.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help: importing rich for it costs more than all the rest
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.command)
app.command("init")(init.command)
app.command("check")(check.command)
app.command("eval")(evaluate.command)
app.command("optimize")(optimize.command)
app.command("gate")(gate.command)
app.command("serve")(serve.command)
app.add_typer(canary.app, name="canary")
app.add_typer(evalset.app, name="evalset")
app.add_typer(judge.app, name="judge")
app.add_typer(keys.app, name="keys")
app.add_typer(monitor.app, name="monitor")
app.add_typer(prompts.app, name="prompts")
app.add_typer(runs.app, name="runs")
app.add_typer(traces.app, name="traces")


def show_version(value: bool) -> None:
    """Print the version and stop, when asked for."""
    if value:
        from promptyard import __version__

        typer.echo(f"promptyard {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=show_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """The production line for prompts: measure, improve, prove, register, roll back."""
    del version


def main() -> None:
    """Run the command line and leave with its exit code. Each mistake is one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may not know every sign
    # Records form no cycles, and the collector would look through all of them again and again:
    # at 20,000 cases that took 40 % of an eval's CPU and found a few hundred objects.
    gc.set_threshold(1_000_000, 20, 50)
    try:
        # standalone, typer would word errors its own way
        code = app(prog_name="promptyard", standalone_mode=False)
        sys.stdout.flush()
    except PromptyardError as error:
        code = _fail(error.lines)
    except TyperException as error:
        code = _misused(error)
    except (BrokenPipeError, SystemExit) as stopped:
        # typer turns the former into an exit with 1, which here says that a gate failed
        if not any(isinstance(e, BrokenPipeError) for e in (stopped, stopped.__context__)):
            raise
        _drop_output()
        code = READER_GONE
    finally:
        gc.freeze()  # the end of the process frees everything; nobody need look through it first
    sys.exit(code)


def _fail(mistakes: Sequence[str]) -> int:
    lines = [" ".join(line.split()) for line in mistakes[:MAX_SHOWN]]
    if len(mistakes) > MAX_SHOWN:
        lines.append(f"and {len(mistakes) - MAX_SHOWN} more")
    sys.stderr.write("".join(f"error: {line}\n" for line in lines))
    return 2


def _misused(error: TyperException) -> int:
    context = getattr(error, "ctx", None)
    if context is None:
        return _fail([f"{error.format_message().rstrip('.')}; see `promptyard --help`"])
    if error.message == context.get_help():  # a group that was given no command shows its help
        typer.echo(error.message, err=True)
        return error.exit_code
    return _fail([f"{misuse_text(error)}; see `{context.command_path} --help`"])


def _drop_output() -> None:
    """Let what is still to be written go nowhere: the flush at the end would fail once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
