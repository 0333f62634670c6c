"""Where the parts of a task stand in its files, for errors about them.

Nothing is kept for it: the files are read again, and only once something is wrong.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from promptyard.config import location_text, place_in_task
from promptyard.errors import ConfigError, EvalSetError
from promptyard.evalset.load import read_cases
from promptyard.records.base import Json

Place: TypeAlias = Callable[[tuple[int | str, ...]], str]


@dataclass(frozen=True)
class TaskSource:
    """The files that a task was read from; `prompts` are those of its steps, by name."""

    file: Path
    case_files: tuple[Path, ...] = ()
    cluster_key: str | None = None
    prompts: Mapping[str, Path] = field(default_factory=dict[str, Path])

    def place(self, location: tuple[int | str, ...], value: Json = None) -> str | None:
        """Return where a key stands (`task.yaml:7: checks[1]`), None where it is not written.

        With a `value`, None as well where the file does not give it (but, say, the command line).
        """
        return place_in_task(self.file, location, value)

    def check_place(self, key: tuple[int | str, ...]) -> str:
        """Return where something of a check stands; `key` begins with the check's number."""
        return self.place(("checks", *key)) or location_text(("checks", *key))

    def case_place(self, case_id: str) -> str | None:
        """Return where a case stands (`cases.jsonl:12`)."""
        return self._positions.get(case_id)

    @cached_property
    def _positions(self) -> Mapping[str, str]:
        try:
            return read_cases(self.case_files, cluster_key=self.cluster_key).positions
        except EvalSetError:  # they were changed meanwhile
            return {}


def case_check_place(source: TaskSource | None, case_id: str, key: tuple[int | str, ...]) -> str:
    """Return where something of a check that a case has for itself stands."""
    position = (source.case_place(case_id) if source else None) or f"case '{case_id}'"
    shown = key[:-1] if key[-1:] == ("type",) else key
    return f"{position}: {location_text(('checks', *shown))}"


@contextlib.contextmanager
def placed(source: TaskSource | None, value: str, *location: int | str) -> Generator[None]:
    """Begin the errors about the value of one key of a task with where it stands."""
    try:
        yield
    except ConfigError as error:
        where = source.place(location, value) if source else None
        raise (ConfigError(f"{where}: {error}") if where else error) from None
