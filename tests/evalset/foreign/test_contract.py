"""Runs the contract suite over the whole table of foreign importers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from promptyard.evalset.foreign import FOREIGN_IMPORTERS, recognised_formats
from promptyard.protocols import ForeignImporter
from promptyard.records.base import Json
from promptyard.testing.foreign_importer_contract import ForeignExample, ForeignImporterContract

PROMPTFOO = """\
prompts: ['Translate: {{text}}']
defaultTest:
  assert:
    - {type: not-contains, value: sorry}
tests:
  - vars: {text: Hello}
    assert:
      - {type: equals, value: Bonjour}
      - {type: javascript, value: output.length > 3}
  - vars: {text: Bye}
    assert:
      - {type: similar, value: Au revoir}
"""

PYDANTIC = """\
name: greetings
cases:
- name: first
  inputs: hello
  expected_output: HELLO
- name: second
  inputs: bye
  evaluators:
  - Contains: BYE
evaluators:
- EqualsExpected
- HasMatchingSpan: {query: {name_equals: x}}
"""


def lines(*rows: Mapping[str, Json]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


EXAMPLES: Mapping[str, ForeignExample] = {
    "promptfoo": ForeignExample("config.yaml", PROMPTFOO.encode(), n_cases=2, n_skips=2),
    "pydantic_evals": ForeignExample("set.yaml", PYDANTIC.encode(), n_cases=2, n_skips=2),
    "openai_evals": ForeignExample(
        "samples.jsonl",
        lines({"input": "2+2=", "ideal": "4"}, {"input": "3+3=", "ideal": []}),
        n_cases=2,
        n_skips=1,
    ),
    "langfuse": ForeignExample(
        "items.json",
        json.dumps(
            {
                "data": [
                    {"id": "a", "input": "q", "expectedOutput": "x", "datasetId": "d"},
                    {"id": "b", "input": "r", "datasetId": "d", "status": "ARCHIVED"},
                ]
            }
        ).encode(),
        n_cases=1,
    ),
    "mlflow": ForeignExample(
        "records.jsonl",
        lines(
            {"inputs": {"q": "a"}, "expectations": {"guidelines": ["Be short."]}},
            {"inputs": {"q": "b"}, "expectations": {"expected_retrieved_context": [{"d": 1}]}},
        ),
        n_cases=2,
        n_skips=1,
    ),
    "deepeval": ForeignExample(
        "goldens.csv",
        b"input,actual_output,expected_output,context\nq,,x,a|b\nr,,y,\n",
        n_cases=2,
    ),
    "braintrust": ForeignExample(
        "rows.jsonl",
        lines({"input": "q", "expected": "x", "_xact_id": "1", "root_span_id": "r"}),
        n_cases=1,
    ),
    "inspect": ForeignExample(
        "samples.json",
        json.dumps([{"input": "q", "target": "x"}, {"input": "r", "target": ["y", "z"]}]).encode(),
        n_cases=2,
    ),
}


def test_every_registered_importer_has_an_example() -> None:
    assert set(EXAMPLES) == set(FOREIGN_IMPORTERS), "add an example so that the contract is tested"


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_first_format_that_recognises_a_file_is_its_own(name: str, tmp_path: Path) -> None:
    example = EXAMPLES[name]
    path = tmp_path / example.file_name
    path.write_bytes(example.content)
    assert recognised_formats(path)[0] == name


class TestEveryForeignImporter(ForeignImporterContract):
    @pytest.fixture(autouse=True, params=sorted(FOREIGN_IMPORTERS))
    def _format(self, request: pytest.FixtureRequest) -> None:
        self.name = str(request.param)

    def importer(self) -> ForeignImporter:
        return FOREIGN_IMPORTERS[self.name]()

    def example(self) -> ForeignExample:
        return EXAMPLES[self.name]
