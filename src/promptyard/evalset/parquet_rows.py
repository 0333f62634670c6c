"""Parquet: one case a row, one column a variable; needs the extra `parquet`."""

from __future__ import annotations

import datetime
import decimal
import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from promptyard.errors import EvalSetError
from promptyard.evalset.table_columns import columns_of, row_of
from promptyard.evalset.text_lines import MAX_LINE_BYTES
from promptyard.evalset.wording import one_line
from promptyard.records.base import Json, as_object

BATCH_ROWS = 512


class ParquetRows:
    """Reads a Parquet file row by row; the columns mean what they mean in CSV.

    Values keep their types: structs, lists, numbers and booleans are what JSON has of them, dates
    and times become ISO 8601 texts, decimals numbers. Null is not given.
    """

    name = "parquet"

    def read(self, path: Path) -> Iterator[tuple[int, Mapping[str, Json]]]:
        """Yield (row number from 1, row).

        Raises EvalSetError naming file and row for a file that is no Parquet, a value that is no
        data of JSON, a text of more than 1 MiB, and where the extra is not installed.
        """
        records = parquet_records(path)
        names = next(records)[1]
        if not names:
            return
        columns = columns_of([str(name) for name in names], f"{path}:1")
        for number, cells in records:
            yield number, row_of(columns, cells, f"{path}:{number}")


def parquet_records(path: Path) -> Iterator[tuple[int, Sequence[Json]]]:
    """Yield (0, the column names), then (row number, values) of every row. Streams.

    Raises EvalSetError as `ParquetRows.read`.
    """
    pyarrow, parquet = _libraries(path)
    path.stat()  # a file that is not there is the caller's FileNotFoundError
    try:
        with parquet.ParquetFile(path) as file:
            names: list[str] = list(file.schema_arrow.names)
            yield 0, names
            number = 0
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    where = f"{path}:{number}"
                    yield (
                        number,
                        [_plain(row[name], f"{where}: {one_line(name)}") for name in names],
                    )
    except (pyarrow.ArrowException, OSError) as error:
        reason = one_line(" ".join(str(error).split()))
        raise EvalSetError(f"{path}:1: not Parquet that can be read: {reason}") from None


def _libraries(path: Path) -> tuple[Any, Any]:
    """Import the reader, which ships no types."""
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise EvalSetError(
            f"{path}:1: reading Parquet needs a library; install it with "
            "`pip install 'promptyard[parquet]'`, or save the file as .jsonl"
        ) from None


def _plain(value: object, where: str) -> Json:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        if len(value) > MAX_LINE_BYTES:
            raise EvalSetError(f"{where}: a text of more than 1 MiB; keep large inputs in files")
        return value
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, list):
        return [_plain(item, where) for item in cast("list[object]", value)]
    found = as_object(value)
    if found is not None:
        return {str(key): _plain(item, where) for key, item in found.items()}
    raise EvalSetError(f"{where}: {type(value).__name__} is no data of JSON; write it as text")
