"""The files of labelling: the journal of a session, append-only, and the labels that last."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from pydantic import ValidationError

from promptyard.errors import EvalSetError
from promptyard.evalset.case_file import Draft, read_bytes
from promptyard.evalset.strict_json import JsonFault, parse_json
from promptyard.evalset.wording import one_line
from promptyard.records.base import Json
from promptyard.records.labels import Answer, Label


def journal_path(folder: Path, task: str) -> Path:
    """Return where the journal of a task's labelling is: beside its cases, out of git's way."""
    return folder / ".promptyard" / "labels" / f"{quote(task, safe=' ')}.jsonl"


class LabelJournal:
    """The answers of labelling sessions, oldest first; an answer is durable when `append` returns.

    A process that dies while it writes leaves half a line at most, which nobody was told is saved;
    it is cut off when the journal is opened. Raises EvalSetError where the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            content = path.read_bytes() if path.exists() else b""
            whole = content[: content.rfind(b"\n") + 1]
            self.answers = [
                _answer(f"{path}:{number}", line)
                for number, line in enumerate(whole.splitlines(), 1)
            ]
            self._file = path.open("ab")
            if len(whole) < len(content):
                self._file.truncate(len(whole))
        except OSError as error:
            raise EvalSetError(f"{path}: the journal cannot be used: {error.strerror}") from None

    def append(self, answer: Answer) -> None:
        """Write an answer down, durably."""
        row = answer.model_dump(mode="json", exclude_defaults=True)
        try:
            self._file.write(json.dumps(row).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise EvalSetError(f"{self.path}: cannot be written: {error.strerror}") from None
        self.answers.append(answer)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def merge_labels(path: Path, labels: Sequence[Label]) -> None:
    """Put labels into a file: each replaces the one of its key, the others are appended.

    Other lines stay to the byte, also those that were written by hand. Raises EvalSetError where
    the file cannot be used.
    """
    latest = {label.key: label for label in labels}
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        except OSError as error:
            raise EvalSetError(f"{path}: cannot be written: {error.strerror}") from None
    before = read_bytes(path)
    lines = [line for line in before.split(b"\n") if line.strip()]
    kept = [line for line in lines if _key(line) not in latest]
    written = [
        json.dumps(label.model_dump(mode="json"), ensure_ascii=False) for label in latest.values()
    ]
    # A lone surrogate is no UTF-8; what replaces it is just its JSON escape.
    rows = [*kept, *(row.encode("utf-8", "backslashreplace") for row in written)]
    with Draft(path, before, b"".join(row + b"\n" for row in rows)) as draft:
        draft.publish()


def _key(line: bytes) -> tuple[str, str | None, str | None, str] | None:
    """Return what a label of our own stands for, None for any other line."""
    try:
        # pydantic's own parser knows no lone surrogates, which models do write
        return Label.model_validate(parse_json(line.decode("utf-8"))).key
    except (JsonFault, UnicodeDecodeError, ValidationError):
        return None


def _answer(position: str, line: bytes) -> Answer:
    try:
        row: Json = parse_json(line.decode("utf-8"))
        return Answer.model_validate(row)
    except (JsonFault, UnicodeDecodeError) as error:
        raise EvalSetError(f"{position}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the row"
        raise EvalSetError(f"{position}: {one_line(key)}: {first['msg'].lower()}") from None
