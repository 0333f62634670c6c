"""What every importer of a foreign format must do, as tests: subclass, give an example file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from promptyard.errors import EvalSetError
from promptyard.protocols import ForeignImporter
from promptyard.records.base import Json, as_list, as_object
from promptyard.records.imported import SKIP, ImportedSet
from promptyard.testing.importer_contract import UNUSUAL_CONTENTS


class ForeignExample(NamedTuple):
    """A file of the format: its name, its bytes, and how many cases and skips it gives."""

    file_name: str
    content: bytes
    n_cases: int
    n_skips: int = 0


class ForeignImporterContract:
    """The contract of the seam `ForeignImporter`; a subclass named Test... is a suite.

    class TestMyFormat(ForeignImporterContract):
        def importer(self) -> ForeignImporter:
            return MyFormat()

        def example(self) -> ForeignExample:
            return ForeignExample("export.json", b"...", n_cases=2, n_skips=1)
    """

    def importer(self) -> ForeignImporter:
        """Return a new importer."""
        raise NotImplementedError("a ForeignImporterContract suite says how to make its importer")

    def example(self) -> ForeignExample:
        """Return a file of the format."""
        raise NotImplementedError("a ForeignImporterContract suite gives a file")

    def test_it_recognises_its_own_file_by_its_beginning(self, tmp_path: Path) -> None:
        """The name of the format is that of the importer."""
        importer, example = self.importer(), self.example()
        path = tmp_path / example.file_name
        assert importer.name == importer.name.strip() != ""
        assert importer.recognises(path, example.content)
        assert not importer.recognises(path.with_suffix(".unknown"), b"")

    def test_every_case_arrives_and_what_cannot_be_run_is_counted(self, tmp_path: Path) -> None:
        """Nothing is dropped without a word."""
        found = self._read(tmp_path, self.example().content)
        assert found.format == self.importer().name
        assert len(found.rows) == self.example().n_cases
        assert sum(found.skip_counts().values()) == self.example().n_skips
        assert all(sentence and "\n" not in sentence for sentence in found.notes)

    def test_rows_are_plain_data_with_an_input_and_a_place(self, tmp_path: Path) -> None:
        """They are written as JSON lines, and an error must find them in their file."""
        found = self._read(tmp_path, self.example().content)
        for item in found.rows:
            assert json.loads(json.dumps(dict(item.row), allow_nan=False)) == item.row
            assert item.row["input"]
            assert str(tmp_path) in item.at

    def test_checks_have_a_type_and_skips_say_why_and_keep_their_source(
        self, tmp_path: Path
    ) -> None:
        """A skip without its source cannot be mended by hand."""
        for check in self._checks(self._read(tmp_path, self.example().content)):
            assert isinstance(check["type"], str)
            if check["type"] == SKIP:
                assert check["reason"].startswith("unsupported: ")
                assert check["source"] is not None

    def test_windows_line_ends_and_a_byte_order_mark_change_nothing(self, tmp_path: Path) -> None:
        """Editors write both."""
        content = self.example().content
        marked = b"\xef\xbb\xbf" + content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        assert self._read(tmp_path, marked) == self._read(tmp_path, content)

    @pytest.mark.parametrize("number", range(len(UNUSUAL_CONTENTS)))
    def test_an_unusual_file_is_read_or_refused(self, number: int, tmp_path: Path) -> None:
        """A refusal is one line that names the file; nothing else may be raised."""
        content = UNUSUAL_CONTENTS[number]
        path = tmp_path / self.example().file_name
        assert self.importer().recognises(path, content) in (True, False)
        try:
            found = self._read(tmp_path, content)
        except EvalSetError as error:
            assert str(path) in str(error)  # noqa: PT017 (either outcome is right)
            assert "\n" not in str(error)  # noqa: PT017 (either outcome is right)
        else:
            assert found.rows

    def _read(self, folder: Path, content: bytes) -> ImportedSet:
        path = folder / self.example().file_name
        path.write_bytes(content)
        return self.importer().read(path)

    def _checks(self, found: ImportedSet) -> Iterator[Mapping[str, Json]]:
        pending: list[Json] = [*found.checks]
        for item in found.rows:
            pending += item.row.get("checks", ())
        while pending:
            check = as_object(pending.pop())
            assert check is not None
            pending += as_list(check.get("checks")) or ()
            yield check
