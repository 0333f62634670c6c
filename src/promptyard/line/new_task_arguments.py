"""Reads what a user says of a new task on the command line, before anything is shown or written."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from promptyard.errors import ConfigError
from promptyard.evalset.wording import one_line
from promptyard.line.wiring import metric_table
from promptyard.metrics.build import known_type
from promptyard.records.cases import CheckSpec

MAX_NAME = 256
_FILE_NAME = re.compile(r"\S+\.[A-Za-z]{1,10}")
"""One word with a suffix: a sentence has blanks, so this names a file."""


def read_prompt_text(given: str) -> str:
    """Return the text of a prompt that was given as a text or as the name of a file.

    Raises ConfigError in one line for a file that is not there or cannot be read.
    """
    path = Path(given)
    is_short = "\n" not in given and len(given) < MAX_NAME
    if not is_short or not (_FILE_NAME.fullmatch(given) or path.is_file()):
        return given
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"--prompt: {one_line(given)}: there is no such file{near_file(path)}"
        ) from None
    except OSError as error:
        raise ConfigError(f"--prompt: {path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"--prompt: {path}: is not UTF-8; save it as UTF-8") from None


def require_check_types(names: Sequence[str]) -> None:
    """Refuse a type of check that nobody offers. Raises ConfigError with the nearest one."""
    for name in names:
        try:
            known_type(name, metric_table([CheckSpec(type=name)]))
        except ConfigError as error:
            raise ConfigError(f"--check: {error}") from None


def near_file(path: Path) -> str:
    """Write how an error about a missing file ends: the file beside it with the nearest name."""
    try:
        names = [item.name for item in path.parent.iterdir() if item.is_file()]
    except OSError:
        return ""
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean '{one_line(str(path.parent / close[0]))}'?" if close else ""
