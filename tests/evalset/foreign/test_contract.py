"""Runs the contract suite over the whole table of foreign importers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from promptyard.evalset.foreign import FOREIGN_IMPORTERS, recognised_formats
from promptyard.protocols import ForeignImporter
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

EXAMPLES: Mapping[str, ForeignExample] = {
    "promptfoo": ForeignExample("config.yaml", PROMPTFOO.encode(), n_cases=2, n_skips=2),
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
