"""JSON lines: one case a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from promptyard.errors import EvalSetError
from promptyard.evalset.strict_json import JsonFault, parse_json
from promptyard.evalset.text_lines import read_lines
from promptyard.records.base import Json, as_object


class JsonLines:
    """Reads one JSON object a line. Streams; blank lines are skipped."""

    name = "jsonl"

    def read(self, path: Path) -> Iterator[tuple[int, Mapping[str, Json]]]:
        """Yield (line number, row).

        Raises EvalSetError naming file and line for a line that is not one JSON object, is longer
        than 1 MiB, is not UTF-8, has a key twice or a number that is not finite.
        """
        for number, line in read_lines(path):
            if not line.strip():
                continue
            try:
                value = parse_json(line.rstrip("\r\n"))
            except JsonFault as fault:
                raise EvalSetError(f"{path}:{number}: {fault}") from None
            row = as_object(value)
            if row is None:
                raise EvalSetError(
                    f"{path}:{number}: expected an object with the key 'input', "
                    f"got {type(value).__name__}"
                )
            yield number, row
