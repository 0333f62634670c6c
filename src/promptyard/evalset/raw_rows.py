"""Reads the rows of any table file as they are: what the columns mean is for importers to say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from promptyard.errors import EvalSetError
from promptyard.evalset.csv_records import read_records
from promptyard.evalset.json_array import array_rows
from promptyard.evalset.jsonl import JsonLines
from promptyard.evalset.parquet_rows import parquet_records
from promptyard.evalset.wording import nearest, one_line
from promptyard.records.base import Json

ARRAY_KEYS = (
    "cases", "data", "items", "examples", "rows", "records", "samples", "goldens", "test_cases",
    "tests",
)  # fmt: skip
"""Keys under which JSON files of tables hold their rows; the first that is there counts."""

SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")


def raw_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Json]]]:
    """Yield (line or row number, values by column). Cells of CSV are texts.

    Raises EvalSetError with file and line for what cannot be read, and for a column that has no
    name or is there twice.
    """
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        return _named(path, read_records(path, str.isidentifier))
    if suffix in (".jsonl", ".ndjson"):
        return JsonLines().read(path)
    if suffix == ".json":
        return array_rows(path, under=ARRAY_KEYS)
    if suffix == ".parquet":
        return _named(path, parquet_records(path))
    raise EvalSetError(f"{path}:1: no reader for '{suffix}' files{nearest(suffix, SUFFIXES)}")


def _named(
    path: Path, records: Iterator[tuple[int, Sequence[Json]]]
) -> Iterator[tuple[int, Mapping[str, Json]]]:
    first = next(records, None)
    if first is None:
        return
    line = max(first[0], 1)
    names = [str(name).strip() for name in first[1]]
    for number, name in enumerate(names, 1):
        if not name:
            raise EvalSetError(f"{path}:{line}: column {number} has no name; name it or remove it")
        if name in names[: number - 1]:
            raise EvalSetError(f"{path}:{line}: the column '{one_line(name)}' is there twice")
    for number, cells in records:
        yield number, dict(zip(names, cells, strict=True))
