"""`promptyard evalset`: versions of the cases, people's labels, and other tools' formats."""

from __future__ import annotations

import typer

from promptyard.cli import evalset_files, evalset_label, evalset_versions

app = typer.Typer(no_args_is_help=True, help="Versions of the cases, labels, import and export.")
app.command("log")(evalset_versions.log_command)
app.command("diff")(evalset_versions.diff_command)
app.command("history")(evalset_versions.history_command)
app.command("add")(evalset_versions.add_command)
app.command("retire")(evalset_versions.retire_command)
app.command("label")(evalset_label.command)
app.command("import")(evalset_files.import_command)
app.command("export")(evalset_files.export_command)
