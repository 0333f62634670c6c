"""`promptyard evalset`: eval sets of other tools in, ours out."""

from __future__ import annotations

import typer

from promptyard.cli import evalset_files

app = typer.Typer(no_args_is_help=True, help="Eval sets: import, export.")
app.command("import")(evalset_files.import_command)
app.command("export")(evalset_files.export_command)
