"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

TaskPath: TypeAlias = Annotated[
    Path, typer.Argument(help="The task's folder or its task.yaml.", show_default=False)
]
StoreUrl: TypeAlias = Annotated[
    str | None,
    typer.Option("--store", help="Path or URL of the store; default: the project's own."),
]
AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON object and nothing else.")
]
Model: TypeAlias = Annotated[
    str | None,
    typer.Option("--model", help="Task model (provider/model) instead of the task's own."),
]
OptimizerModel: TypeAlias = Annotated[
    str | None, typer.Option("--optimizer-model", help="Model that proposes edits.")
]
JudgeModel: TypeAlias = Annotated[
    str | None,
    typer.Option("--judge-model", help="Model that grades (provider/model), where a check asks."),
]
BaseUrl: TypeAlias = Annotated[
    str | None, typer.Option("--base-url", help="Address of an OpenAI-compatible server.")
]
Force: TypeAlias = Annotated[
    bool,
    typer.Option("--force", help="Look at the holdout even where it is worn out (20 looks)."),
]
