"""Reads prompt files, with the schema files that they name."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Generator
from pathlib import Path

from promptyard.errors import PromptError
from promptyard.records.base import Json, as_object
from promptyard.records.prompts import Prompt

_IN_LINE = re.compile(r"line (\d+): ")


def read_prompt(path: Path) -> Prompt:
    """Read a prompt file byte for byte, with the schema file that it names.

    Raises PromptError naming file and line.
    """
    text = _text_of(path)
    with _placed(path):
        output = as_object(Prompt(text=text).front_matter.get("output")) or {}
    schema = output.get("schema")
    files: dict[str, Json] = {}
    if isinstance(schema, str) and (path.parent / schema).is_file():
        files[schema] = _read_schema(path.parent / schema)
    with _placed(path):
        return Prompt.from_text(text, files)


@contextlib.contextmanager
def _placed(path: Path) -> Generator[None]:
    """Begin the errors about a prompt with its file, and with the line that they give."""
    try:
        yield
    except PromptError as error:
        line = _IN_LINE.match(str(error))
        where = f"{path}:{line[1]}: {str(error)[line.end() :]}" if line else f"{path}: {error}"
        raise PromptError(where) from None


def _text_of(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise PromptError(f"{path}: the prompt file does not exist; write it") from None
    except OSError as error:
        raise PromptError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise PromptError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None


def _read_schema(path: Path) -> Json:
    try:
        return json.loads(_text_of(path))
    except json.JSONDecodeError as error:
        raise PromptError(
            f"{path}:{error.lineno}: not JSON: {error.msg} (column {error.colno}); check quotes, "
            "commas and brackets"
        ) from None
    except (RecursionError, ValueError) as error:  # too deep; a number of thousands of digits
        raise PromptError(f"{path}:1: the schema cannot be read: {error}") from None
