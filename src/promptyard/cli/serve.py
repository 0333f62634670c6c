"""`promptyard serve`: prompts, traces and releases over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptyard.cli.optimize import INTERRUPTED
from promptyard.cli.options import StoreUrl

Host = Annotated[str | None, typer.Option(help="Address to listen at; by default 127.0.0.1.")]
Port = Annotated[
    int | None, typer.Option(min=0, max=65_535, help="Port; by default 8700, 0 takes a free one.")
]
Tasks = Annotated[
    str | None, typer.Option(help="Folder of the tasks that jobs may run, a folder each.")
]


def command(
    host: Host = None, port: Port = None, tasks: Tasks = None, store: StoreUrl = None
) -> None:
    """Serve prompts, take traces and watch releases, until Ctrl-C or SIGTERM.

    While there are no keys it listens on loopback only; `promptyard keys create` makes one.
    Requests under way are answered before it ends. Exit codes: 0 after SIGTERM, 130 after Ctrl-C,
    2 error.
    """
    from promptyard.errors import ConfigError
    from promptyard.line.wiring import build_store, project_config, store_address

    try:
        from promptyard.service.server import serve
    except ImportError as error:
        raise ConfigError(
            f"serving needs more than is installed ({error.name}): pip install 'promptyard[server]'"
        ) from None
    given = {"host": host, "port": port, "tasks": tasks}
    changes = {name: value for name, value in given.items() if value is not None}
    settings = project_config().service.model_copy(update=changes)
    if settings.tasks is not None and not Path(settings.tasks).is_dir():
        raise ConfigError(f"service.tasks: there is no folder {settings.tasks}; name that of tasks")
    address = store_address(store)

    def say(url: str) -> None:
        typer.echo(f"Serving {build_store(address).url} at {url} (Ctrl-C ends it)")

    try:
        serve(build_store(address), settings, on_listening=say)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
