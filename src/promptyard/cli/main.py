"""The `promptyard` command: its subcommands, and how errors end it.

Exit codes: 0 done (whatever was found), 1 gate failed, 2 error, 3 gate inconclusive, 130 Ctrl-C.
"""

from __future__ import annotations

import gc
import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from promptyard.cli import check, demo, evalset, evaluate, init, judge, optimize, prompts, runs
from promptyard.errors import PromptyardError

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
app.add_typer(evalset.app, name="evalset")
app.add_typer(judge.app, name="judge")
app.add_typer(prompts.app, name="prompts")
app.add_typer(runs.app, name="runs")


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
    """Run the command line and leave with its exit code. Errors are one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may not know every sign
    # Records form no cycles, and the collector would look through all of them again and again:
    # at 20,000 cases that took 40 % of an eval's CPU and found a few hundred objects.
    gc.set_threshold(1_000_000, 20, 50)
    try:
        app()
    except PromptyardError as error:
        _fail(str(error))
    except BrokenPipeError:
        sys.exit(0)
    finally:
        gc.freeze()  # the end of the process frees everything; nobody need look through it first


def _fail(message: str) -> None:
    line = " ".join(message.split())
    sys.stderr.write(f"error: {line}\n")
    sys.exit(2)
