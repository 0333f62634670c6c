"""Changes a file of JSON lines: rows are edited in place or appended, nothing else is touched."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from promptyard.errors import EvalSetError
from promptyard.evalset.row_edit import with_values
from promptyard.evalset.strict_json import JsonFault
from promptyard.records.base import Json

EDITABLE = (".jsonl", ".ndjson")
"""Suffixes of the files whose rows can be edited: one case a line."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class FileEdit:
    """What is to become of a file: new values by line number, and rows to be appended.

    A row whose id is in `ids`, by line number, gets it written down where it has none: its content,
    which its id is made of, changes.
    """

    values: Mapping[int, Mapping[str, Json]] = field(default_factory=dict[int, Mapping[str, Json]])
    ids: Mapping[int, str] = field(default_factory=dict[int, str])
    rows: Sequence[str] = ()


def require_editable(path: Path) -> None:
    """Raise EvalSetError, saying what to do, for a file that is no JSON lines."""
    if path.suffix.lower() not in EDITABLE:
        raise EvalSetError(
            f"{path}: only JSON lines ({EDITABLE[0]}) can be changed row by row; convert the file "
            "with `promptyard evalset export`, then name the new one under `cases` in task.yaml"
        )


def edited(path: Path, content: bytes, edit: FileEdit) -> bytes:
    """Return the content of a file after an edit.

    Lines that are not edited are the same to the byte; appended rows get the file's line ends.
    Raises EvalSetError for a line that is no JSON object.
    """
    lines = content.split(b"\n")  # as `text_lines` counts them
    end = "\r" if len(lines) > 1 and lines[0].endswith(b"\r") else ""
    for number, values in edit.values.items():
        named = {"id": edit.ids[number]} if number in edit.ids else {}
        lines[number - 1] = _edited_line(f"{path}:{number}", lines[number - 1], values, named)
    if edit.rows:
        if lines[-1]:  # the last line has no end
            lines[-1] += end.encode()
            lines.append(b"")
        appended = [f"{row}{end}".encode() for row in edit.rows]
        lines = [*lines[:-1], *appended, lines[-1]]
    return b"\n".join(lines)


def read_bytes(path: Path) -> bytes:
    """Read a file whole. Raises EvalSetError in one line."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise EvalSetError(f"{path}: the case file cannot be read: {error.strerror}") from None


class Draft:
    """The new content of a file, written durably beside it; `publish` puts it in its place.

    A draft that was not published is removed at the end. Until the rename the file is as it was,
    after it the file is new: there is nothing between.
    """

    def __init__(self, path: Path, before: bytes, content: bytes) -> None:
        self.path = path
        self._before = before
        target = path.resolve()  # a link stays a link
        self._target = target
        try:
            handle, name = tempfile.mkstemp(
                dir=target.parent, prefix=f".{target.stem}-", suffix=target.suffix
            )
            self.draft = Path(name)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            shutil.copymode(target, self.draft)
        except OSError as error:
            raise EvalSetError(
                f"{path}: a new version cannot be written beside it: {error.strerror}"
            ) from None

    def __enter__(self) -> Draft:
        return self

    def __exit__(self, *_: object) -> None:
        self.draft.unlink(missing_ok=True)

    def publish(self) -> None:
        """Replace the file. Raises EvalSetError where somebody has changed it meanwhile."""
        if read_bytes(self.path) != self._before:
            raise EvalSetError(f"{self.path}: the file was changed meanwhile; do it again")
        try:
            self.draft.replace(self._target)
            folder = os.open(self._target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise EvalSetError(f"{self.path}: cannot be replaced: {error.strerror}") from None


def _edited_line(
    position: str, line: bytes, values: Mapping[str, Json], named: Mapping[str, Json]
) -> bytes:
    mark = _BYTE_ORDER_MARK if line.startswith(_BYTE_ORDER_MARK) else b""
    try:
        text = line.removeprefix(mark).decode("utf-8")
        return mark + with_values(text, values, named).encode("utf-8")
    except (JsonFault, UnicodeDecodeError) as fault:
        raise EvalSetError(f"{position}: {fault}") from None
