"""Station 1, the eval set: load, check and split the cases.

An importer is one file and one line in `IMPORTERS`; it reads rows out of a file and knows nothing
of cases. `load.py` turns rows into cases, `split.py` gives each its split and the set its version,
`check.py` says what is wrong with a set and what it can show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from promptyard.evalset.csv_rows import CsvRows
from promptyard.evalset.json_array import JsonArray
from promptyard.evalset.jsonl import JsonLines
from promptyard.evalset.parquet_rows import ParquetRows
from promptyard.protocols import Importer

IMPORTERS: Mapping[str, Callable[[], Importer]] = {
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".json": JsonArray,
    ".csv": CsvRows,
    ".tsv": CsvRows,
    ".parquet": ParquetRows,
}
"""The built-in importers by the suffix of the files that they read."""

__all__ = ["IMPORTERS"]
