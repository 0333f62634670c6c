"""The files that a foreign configuration refers to: read inside its folder only, never run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from promptyard.errors import EvalSetError
from promptyard.evalset.foreign.checks import Unsupported
from promptyard.evalset.raw_rows import raw_rows
from promptyard.evalset.tree_file import read_tree
from promptyard.evalset.wording import one_line
from promptyard.records.base import Json

SCHEME = "file://"
TEXT = (".txt", ".md", ".markdown", ".html", ".xml", ".sql", ".j2", ".log", "")
DATA = (".json", ".yaml", ".yml")
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
CODE = {
    ".js": "JavaScript",
    ".cjs": "JavaScript",
    ".mjs": "JavaScript",
    ".ts": "TypeScript",
    ".cts": "TypeScript",
    ".mts": "TypeScript",
    ".py": "Python",
    ".rb": "Ruby",
    ".sh": "a script",
}
MAX_TEXT_BYTES = 1 << 20
MAX_MATCHES = 1_000
MAX_REFUSALS_SHOWN = 5


class SourceFiles:
    """Reads what `file://` names, and gathers what it refuses, to be said at once."""

    def __init__(self, config: Path) -> None:
        self.folder = config.resolve().parent
        self._config = config
        self._refused: list[str] = []

    def matches(self, reference: str) -> Sequence[Path]:
        """Return the files that a reference names, in order; `*` and `**` are followed.

        Raises Unsupported for code, for what lies outside of the folder, and for nothing found.
        """
        name = reference.removeprefix(SCHEME).partition("#")[0]
        if language := code_language(name):
            raise Unsupported(f"{language} is not run")
        if "://" in name:
            raise Unsupported("nothing is fetched")
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise Unsupported("it lies outside of the folder of the configuration")
        if any(mark in name for mark in "*?["):
            found = sorted(self.folder.glob(name))[: MAX_MATCHES + 1]
        else:
            found = [self.folder / name]
        inside = [path for path in found if path.is_file()]
        if not inside:
            raise Unsupported("there is no such file")
        if len(inside) > MAX_MATCHES:
            raise Unsupported(f"more than {MAX_MATCHES:,} files")
        if not all(path.resolve().is_relative_to(self.folder) for path in inside):
            raise Unsupported("it lies outside of the folder of the configuration")
        return inside

    def value(self, path: Path) -> Json:
        """Read one file as a value: JSON and YAML as data, tables as rows, else as text."""
        suffix = path.suffix.lower()
        if suffix in DATA:
            return read_tree(path).data
        if suffix in TABLES:
            return [dict(row) for _, row in raw_rows(path)]
        if suffix not in TEXT:
            raise Unsupported(f"'{suffix}' files are not read")
        return read_text(path).strip()

    def one(self, reference: str) -> Json:
        """Read the one file that a reference names. Raises Unsupported."""
        found = self.matches(reference)
        if len(found) > 1:
            raise Unsupported(f"it names {len(found)} files")
        return self.value(found[0])

    def refuse(self, where: str, reference: str, why: Unsupported) -> None:
        """Gather a reference that cannot be followed."""
        self._refused.append(f"{where}: {one_line(reference)} ({why})")

    def raise_refusals(self) -> None:
        """Raise EvalSetError that lists what was refused, if anything was."""
        if not self._refused:
            return
        shown = "; ".join(self._refused[:MAX_REFUSALS_SHOWN])
        rest = len(self._refused) - MAX_REFUSALS_SHOWN
        more = f"; and {rest} more" if rest > 0 else ""
        raise EvalSetError(
            f"{self._config}: cannot be read from files: {shown}{more}; put text, JSON, CSV or "
            "YAML in the folder of the configuration in their place"
        )


def code_language(reference: str) -> str | None:
    """Return the language of a file of code (`check.py:get_assert`), or None."""
    name = reference.removeprefix(SCHEME)
    stem, _, function = name.rpartition(":")
    file = stem if stem and function.isidentifier() else name
    return CODE.get(PurePosixPath(file).suffix.lower())


def read_text(path: Path) -> str:
    """Read a small text file. Raises EvalSetError for one that is large or not UTF-8."""
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise EvalSetError(f"{path}:1: the file is larger than 1 MiB")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise EvalSetError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None
