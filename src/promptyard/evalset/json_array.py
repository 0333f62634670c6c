"""JSON: an array of cases, or an object that has it under `cases`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from promptyard.errors import EvalSetError
from promptyard.evalset.strict_json import JsonFault, decode_at, skip_blanks, syntax_fault
from promptyard.evalset.wording import nearest, one_line
from promptyard.records.base import Json, as_object

MAX_FILE_BYTES = 64 << 20
_TOP_KEYS = ("cases", "name", "version", "retired", "$schema")


class JsonArray:
    """Reads `[{...}, ...]` or `{"cases": [{...}, ...]}`; a written EvalSet is the latter.

    An array cannot be streamed: the file is read whole and may have 64 MiB. Its rows are parsed one
    by one, so that each knows its line.
    """

    name = "json"

    def read(self, path: Path) -> Iterator[tuple[int, Mapping[str, Json]]]:
        """Yield (line number, row). Raises EvalSetError naming file and line."""
        return array_rows(path, under=("cases",), known=_TOP_KEYS)


def array_rows(
    path: Path, *, under: Sequence[str], known: Sequence[str] | None = None
) -> Iterator[tuple[int, Mapping[str, Json]]]:
    """Yield (line number, row) of an array of objects, or of the first one named in `under`.

    `known` are the keys that an object around the array may have; None allows any. Raises
    EvalSetError naming file and line.
    """
    text = _read_text(path)
    start = skip_blanks(text, 0)
    if start == len(text):
        return
    lines = _LineCounter(text)
    try:
        if text[start] == "{":
            start = _find_array(text, start, under, known)
        for position, row in _rows(text, start):
            yield lines.at(position), row
    except JsonFault as fault:
        line = lines.at(fault.position or 0)
        raise EvalSetError(f"{path}:{line}: {fault}") from None


class _LineCounter:
    """Line numbers of offsets, for offsets that mostly grow."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._offset = 0
        self._line = 1

    def at(self, offset: int) -> int:
        """Return the line (from 1) of an offset."""
        if offset < self._offset:
            return self._text.count("\n", 0, offset) + 1
        self._line += self._text.count("\n", self._offset, offset)
        self._offset = offset
        return self._line


def _read_text(path: Path) -> str:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise EvalSetError(
            f"{path}:1: the file is larger than 64 MiB; write it as JSON lines (.jsonl), which are "
            "streamed"
        )
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # Counted in what was handed to the decoder, which may have dropped a byte order mark.
        line = error.object[: error.start].count(b"\n") + 1
        raise EvalSetError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None


def _find_array(text: str, start: int, under: Sequence[str], known: Sequence[str] | None) -> int:
    """Return the offset of the value under the first key of `under` that is there."""
    found: dict[str, int] = {}
    index = skip_blanks(text, start + 1)
    seen: set[str] = set()
    while text[index : index + 1] != "}":
        if seen:
            index = skip_blanks(text, _expect(text, index, ","))
        at = index
        key, index = _decode(text, index)
        if not isinstance(key, str):
            raise syntax_fault("expected a key in double quotes", text, at)
        if known is not None and key not in known:
            raise JsonFault(f"{one_line(key)}: unknown key{nearest(key, known)}", position=at)
        if key in seen:
            raise JsonFault(f"the key '{key}' stands twice in one object; keep one", position=at)
        seen.add(key)
        value_at = skip_blanks(text, _expect(text, skip_blanks(text, index), ":"))
        found[key] = value_at
        _, index = _decode(text, value_at)
        index = skip_blanks(text, index)
    _expect_end(text, index + 1)
    offset = next((found[key] for key in under if key in found), None)
    if offset is None:
        others = f", or one of {', '.join(under[1:])}" if under[1:] else ""
        raise JsonFault(f"{under[0]}: required key is missing{others}", position=start)
    return offset


def _rows(text: str, start: int) -> Iterator[tuple[int, Mapping[str, Json]]]:
    """Yield (offset, row) for each element of the array at `start`."""
    index = skip_blanks(text, _expect(text, start, "["))
    first = True
    while text[index : index + 1] != "]":
        if not first:
            index = skip_blanks(text, _expect(text, index, ","))
        first = False
        value, end = _decode(text, index)
        row = as_object(value)
        if row is None:
            raise JsonFault(
                f"expected an object with the key 'input', got {type(value).__name__}",
                position=index,
            )
        yield index, row
        index = skip_blanks(text, end)
    if text[skip_blanks(text, 0)] == "[":
        _expect_end(text, index + 1)


def _decode(text: str, index: int) -> tuple[Json, int]:
    try:
        return decode_at(text, index)
    except JsonFault as fault:
        if fault.position is None:
            raise JsonFault(str(fault), position=index) from None
        raise


def _expect(text: str, index: int, mark: str) -> int:
    if text[index : index + 1] != mark:
        got = repr(text[index]) if index < len(text) else "the end of the file"
        wanted = "an array of cases ('[')" if mark == "[" else f"'{mark}'"
        raise syntax_fault(f"expected {wanted}, got {got}", text, index)
    return index + 1


def _expect_end(text: str, index: int) -> None:
    rest = skip_blanks(text, index)
    if rest < len(text):
        raise syntax_fault("more text behind the value", text, rest)
