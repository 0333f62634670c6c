"""What every importer must do, as tests: subclass, give an example file, run under pytest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from promptyard.errors import EvalSetError
from promptyard.protocols import Importer
from promptyard.records.base import Json

UNUSUAL_CONTENTS: tuple[bytes, ...] = (
    b"",
    b"\xef\xbb\xbf",
    b"\n\n\r\n  \n",
    b"\x00",
    b"\xff\xfe[\x00]\x00",
    b'"',
    b"{",
    b"[",
    b"}{",
    b"null",
    b"NaN",
    b'[1, "a"]',
    b'{"input": 1e999}',
    b"[" * 50_000,
    b'{"a":' * 20_000,
    b"a,a\n1,2\n",
    b'a,"b\n1,2\n',
    b"9" * 5_000,
    b"\r" * 100,
    b"input\n" + b"x" * 2_000_000 + b"\n",
)
"""Files that people have, or might: each must give rows or be refused with its name."""


class ImporterContract:
    """The contract of the seam `Importer`; a subclass whose name begins with Test is a suite.

        class TestMyImporter(ImporterContract):
            suffix = ".xyz"

            def importer(self) -> Importer:
                return MyImporter()

            def example(self) -> tuple[bytes, Sequence[Mapping[str, Json]]]:
                return b"...", [{"input": {"text": "hi"}}, {"input": {"text": "ho"}}]

    The example has at least two rows. A format that is no text sets `is_text = False`: its lines
    are row numbers, and what concerns encodings and line ends is left out.
    """

    suffix = ""
    is_text = True

    def importer(self) -> Importer:
        """Return a new importer."""
        raise NotImplementedError("an ImporterContract suite says how to make its importer")

    def example(self) -> tuple[bytes, Sequence[Mapping[str, Json]]]:
        """Return the bytes of a file and the rows that it holds."""
        raise NotImplementedError("an ImporterContract suite gives a file and its rows")

    def test_it_is_an_importer_with_a_name(self) -> None:
        """Errors and listings name it."""
        importer = self.importer()
        assert callable(importer.read)
        assert importer.name
        assert importer.name == importer.name.strip()

    def test_the_rows_of_a_file_come_in_order(self, tmp_path: Path) -> None:
        """Every row once, as plain data, nothing added."""
        content, rows = self.example()
        assert len(rows) >= 2
        assert [row for _, row in self._read(tmp_path, content)] == list(rows)

    def test_rows_know_their_lines(self, tmp_path: Path) -> None:
        """Lines count from 1, lie within the file and never go back."""
        content, _ = self.example()
        lines = [line for line, _ in self._read(tmp_path, content)]
        assert lines == sorted(lines)
        assert lines[0] >= 1
        assert lines[-1] <= (content.count(b"\n") + 1 if self.is_text else len(lines))

    def test_rows_are_plain_data(self, tmp_path: Path) -> None:
        """What JSON cannot say cannot be a case."""
        content, _ = self.example()
        for _, row in self._read(tmp_path, content):
            assert json.loads(json.dumps(row, allow_nan=False)) == row

    def test_windows_line_ends_and_a_byte_order_mark_change_nothing(self, tmp_path: Path) -> None:
        """Spreadsheets write both."""
        self._only_for_text()
        content, rows = self.example()
        marked = b"\xef\xbb\xbf" + content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        assert [row for _, row in self._read(tmp_path, marked)] == list(rows)

    def test_reading_again_gives_the_same(self, tmp_path: Path) -> None:
        """An importer keeps nothing, also when two files are read at once."""
        content, rows = self.example()
        path = self._write(tmp_path, content)
        importer = self.importer()
        pairs = list(zip(importer.read(path), importer.read(path), strict=True))
        assert [first for first, _ in pairs] == [second for _, second in pairs]
        assert [row for _, row in importer.read(path)] == list(rows)

    def test_a_reader_may_stop_early(self, tmp_path: Path) -> None:
        """Nothing stays open: the file can be removed, and no resource warning comes."""
        content, rows = self.example()
        path = self._write(tmp_path, content)
        reading = self.importer().read(path)
        assert next(reading)[1] == rows[0]
        del reading
        path.unlink()

    def test_bytes_that_are_no_text_are_refused_with_file_and_line(self, tmp_path: Path) -> None:
        """Decoding with replacement would change what is measured."""
        self._only_for_text()
        content, _ = self.example()
        broken = content.rstrip(b"\r\n")
        broken = broken[: len(broken) // 2] + b"\xff\xfe\xfa" + broken[len(broken) // 2 :]
        path = self._write(tmp_path, broken)
        line = broken[: broken.index(b"\xff")].count(b"\n") + 1
        with pytest.raises(EvalSetError) as caught:
            list(self.importer().read(path))
        assert f"{path}:{line}:" in str(caught.value)

    @pytest.mark.parametrize("number", range(len(UNUSUAL_CONTENTS)))
    def test_an_unusual_file_gives_rows_or_is_refused(self, number: int, tmp_path: Path) -> None:
        """A refusal is one line that names the file; nothing else may be raised."""
        path = self._write(tmp_path, UNUSUAL_CONTENTS[number])
        try:
            rows = [row for _, row in self.importer().read(path)]
        except EvalSetError as error:
            assert f"{path}:" in str(error)  # noqa: PT017 (either outcome is right)
            assert "\n" not in str(error)  # noqa: PT017 (either outcome is right)
        else:
            assert all(isinstance(row, dict) for row in rows)

    def _only_for_text(self) -> None:
        if not self.is_text:
            pytest.skip("the format is no text")

    def _read(self, folder: Path, content: bytes) -> list[tuple[int, Mapping[str, Json]]]:
        return list(self.importer().read(self._write(folder, content)))

    def _write(self, folder: Path, content: bytes) -> Path:
        path = folder / f"cases{self.suffix}"
        path.write_bytes(content)
        return path
