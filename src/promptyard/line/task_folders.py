"""The tasks of a service: folders side by side, found by listing, never by a path in a request."""

from __future__ import annotations

import difflib
from pathlib import Path

from promptyard.config import TASK_FILE
from promptyard.errors import ConfigError, NotFound
from promptyard.evalset.wording import one_line, some


def list_task_folders(tasks: str | None) -> dict[str, Path]:
    """Return the folders with a task.yaml in the folder `tasks`, by name and sorted.

    Raises ConfigError where no folder is set or it cannot be read.
    """
    if tasks is None:
        raise ConfigError(
            "this service has no tasks; whoever runs it names their folder under service.tasks in "
            "promptyard.yaml, or when it is started"
        )
    try:
        found = sorted(Path(tasks).expanduser().iterdir())
    except OSError as error:
        raise ConfigError(
            f"service.tasks: the folder {tasks} cannot be read: {error.strerror}"
        ) from None
    return {path.name: path for path in found if (path / TASK_FILE).is_file()}


def task_folder_named(tasks: str | None, name: str) -> Path:
    """Return the folder of a task. Raises NotFound naming those that there are, ConfigError."""
    folders = list_task_folders(tasks)
    if name in folders:
        return folders[name]
    close = difflib.get_close_matches(name, folders, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"there are: {some(list(folders)) or 'none'}"
    raise NotFound(f"there is no task '{one_line(name)}'; {hint}")
