from __future__ import annotations

import datetime
import decimal
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from promptyard.errors import EvalSetError
from promptyard.evalset.load import read_cases
from promptyard.evalset.parquet_rows import ParquetRows
from promptyard.records.base import Json

from .test_importer_contract import parquet


def read(folder: Path, columns: Mapping[str, Sequence[object]]) -> list[Mapping[str, Json]]:
    path = folder / "cases.parquet"
    path.write_bytes(parquet(columns))
    return [row for _, row in ParquetRows().read(path)]


def test_a_struct_named_input_holds_all_variables_and_null_is_not_given(tmp_path: Path) -> None:
    columns = {"input": [{"text": "a", "n": None}, {"text": "b", "n": 2}], "expected": ["x", None]}
    assert read(tmp_path, columns) == [
        {"input": {"text": "a"}, "expected": "x"},
        {"input": {"text": "b", "n": 2}},
    ]


def test_checks_lose_the_options_that_other_checks_brought_into_their_type(tmp_path: Path) -> None:
    checks = [
        [{"type": "contains", "value": "a", "min": None}],
        [{"type": "word_count", "value": None, "min": 2}],
    ]
    assert [row["checks"] for row in read(tmp_path, {"text": ["a", "b"], "checks": checks})] == [
        [{"type": "contains", "value": "a"}],
        [{"type": "word_count", "min": 2}],
    ]


def test_values_become_what_json_has_of_them(tmp_path: Path) -> None:
    columns = {
        "day": [datetime.date(2026, 1, 2)],
        "price": [decimal.Decimal("1.50")],
        "units": [decimal.Decimal("3.00")],
        "flag": [True],
        "rows": [[{"a": 1}]],
    }
    assert read(tmp_path, columns) == [
        {
            "input": {
                "day": "2026-01-02",
                "price": 1.5,
                "units": 3,
                "flag": True,
                "rows": [{"a": 1}],
            }
        }
    ]


def test_many_rows_come_in_order_over_several_batches(tmp_path: Path) -> None:
    rows = read(tmp_path, {"text": [f"t{n}" for n in range(1500)]})
    assert [row["input"]["text"] for row in rows] == [f"t{n}" for n in range(1500)]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"text": [b"\x00"]}, "1: text: bytes is no data of JSON; write it as text"),
        ({"text": ["x" * (1 << 20) + "y"]}, "1: text: a text of more than 1 MiB"),
        ({"label": ["x"]}, "1: no column is an input variable"),
    ],
)
def test_what_cannot_be_a_case_is_refused_with_row_and_column(
    columns: Mapping[str, Sequence[object]], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(EvalSetError) as caught:
        read(tmp_path, columns)
    assert str(caught.value).startswith(f"{tmp_path / 'cases.parquet'}:{reason}")


def test_a_file_cut_off_in_the_middle_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "cases.parquet"
    path.write_bytes(parquet({"text": ["a"] * 1000})[:-40])
    with pytest.raises(EvalSetError, match="not Parquet that can be read") as caught:
        list(ParquetRows().read(path))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(EvalSetError, match="there is no such case file"):
        read_cases([tmp_path / "cases.parquet"])


def test_without_the_library_the_error_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cases.parquet"
    path.write_bytes(parquet({"text": ["a"]}))

    def missing(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(EvalSetError, match=r"pip install 'promptyard\[parquet\]'"):
        list(ParquetRows().read(path))


def test_a_parquet_file_is_an_eval_set(tmp_path: Path) -> None:
    path = tmp_path / "cases.parquet"
    path.write_bytes(parquet({"question": ["q1", "q2"], "answer": ["a1", "a2"]}))
    cases = read_cases([path]).cases
    assert [(case.input, case.expected) for case in cases] == [
        ({"question": "q1"}, "a1"),
        ({"question": "q2"}, "a2"),
    ]
