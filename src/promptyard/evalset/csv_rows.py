"""CSV and TSV: one case a row, one column a variable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from promptyard.evalset.csv_records import read_records
from promptyard.evalset.table_columns import case_key, columns_of, row_of
from promptyard.records.base import Json


class CsvRows:
    """Reads a table whose first row names the columns. Streams.

    Columns: `id`, `expected` (or one of `expected_output`, `ideal`, `target`, `reference`,
    `answer`, `ground_truth`, `label`), `kind`, `tags`, `checks`, `cluster`, `split`, `weight`,
    `retired`; case does not matter. `input.<name>` and every other column is an input variable. The
    column `input` is the variable `input`, or all variables where its cells hold JSON objects. The
    cells of `case.expected`, `case.rubric`, `case.critical` and `case.source` hold JSON.

    An empty cell is an empty text for a variable and nothing given for the others. `tags` are a
    JSON list or parted by `;`. A cell that holds a JSON object or array is parsed in `expected`,
    `tags`, `checks` and `input` only; everything else stays text, numbers too. `case.escaped` is a
    JSON list of the columns whose cells in this row begin with a `'` that is no part of them.

    The delimiter is the one of `,` `;` and tab under which the header makes most sense; in a .tsv
    file it is tab. Cells may be quoted with `"` and then hold delimiters and line ends.
    """

    name = "csv"

    def read(self, path: Path) -> Iterator[tuple[int, Mapping[str, Json]]]:
        """Yield (number of the row's first line, row).

        Raises EvalSetError naming file and line for a row with more or fewer cells than the header,
        a column that is there twice or has no name, a quote that is not closed, a cell of more than
        1 MiB, bytes that are not UTF-8, and JSON with a key twice or a number that is not finite.
        """
        records = read_records(path, lambda name: case_key(name) is not None)
        header = next(records, None)
        if header is None:
            return
        columns = columns_of(header[1], f"{path}:{header[0]}")
        for number, cells in records:
            yield number, row_of(columns, cells, f"{path}:{number}")
