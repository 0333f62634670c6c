"""Arguments that the commands of `promptyard canary` share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Name: TypeAlias = Annotated[
    str, typer.Argument(help="The prompt's name (the task's).", show_default=False)
]
RolloutName: TypeAlias = Annotated[
    str, typer.Argument(help="The prompt's name, or a rollout's id.", show_default=False)
]
PointerName: TypeAlias = Annotated[
    str | None,
    typer.Option("--pointer", help="The pointer, where rollouts are behind several."),
]
Reason: TypeAlias = Annotated[str, typer.Option("--reason", "-m", help="Why; goes into the log.")]
Spool: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--spool", help="Collect this folder first: the client's `record_to`.", show_default=False
    ),
]
AsExitCode: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--exit-code",
        help="End with 0 when promoted, 1 when rolled back or aborted, 3 while it goes on.",
    ),
]


@dataclass(frozen=True)
class Anywhere:
    """Which rollout of which store a command is about."""

    store: str | None
    name: str
    pointer: str | None
