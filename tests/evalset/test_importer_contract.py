"""Runs the contract suite over the whole table of importers."""

from __future__ import annotations

import importlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from promptyard.evalset import IMPORTERS
from promptyard.protocols import Importer
from promptyard.records.base import Json
from promptyard.testing.importer_contract import ImporterContract

ROWS: Sequence[Mapping[str, Json]] = (
    {"id": "c1", "input": {"text": "première"}, "expected": {"a": [1, 2]}, "tags": ["x", "y"]},
    {"id": "c2", "input": {"text": "two, 日本語"}, "expected": "no", "tags": ["z"]},
)

JSON_LINES = """\
{"id": "c1", "input": {"text": "première"}, "expected": {"a": [1, 2]}, "tags": ["x", "y"]}

{"id": "c2", "input": {"text": "two, 日本語"}, "expected": "no", "tags": ["z"]}
"""

JSON_ARRAY = """\
{"name": "example", "cases": [
  {"id": "c1", "input": {"text": "première"},
   "expected": {"a": [1, 2]}, "tags": ["x", "y"]},
  {"id": "c2", "input": {"text": "two, 日本語"}, "expected": "no", "tags": ["z"]}
]}
"""

COMMAS = """\
id,text,expected,tags
c1,première,"{""a"": [1, 2]}",x; y
c2,"two, 日本語",no,"[""z""]"
"""


def parquet(columns: Mapping[str, Sequence[Json]]) -> bytes:
    """The bytes of a Parquet file with these columns."""
    arrow: Any = importlib.import_module("pyarrow")
    file = io.BytesIO()
    importlib.import_module("pyarrow.parquet").write_table(arrow.table(dict(columns)), file)
    return file.getvalue()


EXAMPLES: Mapping[str, bytes] = {
    ".jsonl": JSON_LINES.encode(),
    ".ndjson": JSON_LINES.encode(),
    ".json": JSON_ARRAY.encode(),
    ".csv": COMMAS.encode(),
    ".tsv": (
        'id\ttext\texpected\ttags\nc1\tpremière\t"{""a"": [1, 2]}"\tx; y\nc2\ttwo, 日本語\tno\tz\n'
    ).encode(),
    ".parquet": parquet(
        {
            "id": ["c1", "c2"],
            "text": ["première", "two, 日本語"],
            "expected": ['{"a": [1, 2]}', "no"],
            "tags": [["x", "y"], ["z"]],
        }
    ),
}


def test_every_registered_importer_has_an_example() -> None:
    assert set(EXAMPLES) == set(IMPORTERS), "add an example so that the contract is tested"


class TestEveryImporter(ImporterContract):
    @pytest.fixture(autouse=True, params=sorted(IMPORTERS))
    def _suffix(self, request: pytest.FixtureRequest) -> None:
        self.suffix = str(request.param)
        self.is_text = self.suffix != ".parquet"

    def importer(self) -> Importer:
        return IMPORTERS[self.suffix]()

    def example(self) -> tuple[bytes, Sequence[Mapping[str, Json]]]:
        return EXAMPLES[self.suffix], ROWS
