"""Reads CSV and TSV as records of cells; what the columns mean is for others to say."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from promptyard.errors import EvalSetError
from promptyard.evalset.text_lines import MAX_LINE_BYTES, read_lines


def read_records(path: Path, known: Callable[[str], bool]) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield (number of the first line, cells) of every record that is not a blank line. Streams.

    The delimiter is the one of `,` `;` and tab under which most names of the first record are
    `known`, else the one that gives most names; in a .tsv file it is tab. Cells may be quoted with
    `"` and then hold delimiters and line ends.

    Raises EvalSetError naming file and line for a quote that is not closed, a cell of more than
    1 MiB, bytes that are not UTF-8, and a record with more or fewer cells than the first one.
    """
    # The limit belongs to the process; it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
    lines = (line for _, line in read_lines(path))
    n_blank = 0
    first = next(lines, "")
    while first and not first.strip():
        n_blank += 1
        first = next(lines, "")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else likely_delimiter(first, known)
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    start = n_blank + 1
    width = 0
    try:
        for cells in reader:
            width = width or len(cells)
            if len(cells) not in (0, width):
                raise EvalSetError(
                    f"{path}:{start}: {len(cells)} cells, but the header has {width} columns; "
                    "quote cells that hold the delimiter"
                )
            if cells:
                yield start, cells
            start = n_blank + reader.line_num + 1
    except csv.Error as error:
        raise EvalSetError(
            f"{path}:{start}: not CSV: {error}; a quote in this row may not be closed or doubled"
        ) from None


def likely_delimiter(header: str, known: Callable[[str], bool]) -> str:
    """Return the delimiter under which a header makes most sense."""

    def sense(delimiter: str) -> tuple[int, int]:
        names = next(csv.reader([header], delimiter=delimiter), list[str]())
        return sum(known(name) for name in names), len(names)

    return max((",", ";", "\t"), key=sense)
