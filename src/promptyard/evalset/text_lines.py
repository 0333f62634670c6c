"""Reads a text file line by line: UTF-8, lines of bounded length, nothing kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from promptyard.errors import EvalSetError

MAX_LINE_BYTES = 1 << 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    r"""Yield (line number from 1, line with its line end). Lines end at \n only.

    A byte order mark is dropped. Raises EvalSetError naming file and line for bytes that are not
    UTF-8 and for a line of more than 1 MiB (its end not counted), before the line is read whole.
    """
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES + 2):
            number += 1
            if number == 1:
                line = line.removeprefix(_BYTE_ORDER_MARK)
            if len(line.rstrip(b"\r\n")) > MAX_LINE_BYTES:
                raise EvalSetError(
                    f"{path}:{number}: the line is longer than 1 MiB; keep one case a line, and "
                    "large inputs in files of their own"
                )
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise EvalSetError(
                    f"{path}:{number}: byte {error.start + 1} of the line is not UTF-8; save the "
                    "file as UTF-8"
                ) from None
            yield number, text
