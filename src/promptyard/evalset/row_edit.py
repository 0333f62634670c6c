"""Changes single values in the text of a JSON row; all else stays as it was written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from promptyard.evalset.strict_json import JsonFault, decode_at, skip_blanks
from promptyard.records.base import Json


class _Member(NamedTuple):
    """Where the key and the value of one member of an object begin and end."""

    key_start: int
    key_end: int
    start: int
    end: int


class _Style(NamedTuple):
    """How a row is written: what parts members, what parts key and value, escapes or letters."""

    between: str
    colon: str
    ascii_only: bool

    def text(self, value: Json) -> str:
        """Write a value in this style."""
        separators = (", " if self.between.endswith(" ") else ",", self.colon)
        return json.dumps(value, ensure_ascii=self.ascii_only, separators=separators)


def with_values(
    row: str, values: Mapping[str, Json], defaults: Mapping[str, Json] | None = None
) -> str:
    """Return the text of a JSON object with these values: replaced in place, new ones at its end.

    `defaults` are written only where the object has nothing under their keys. White space, order
    and spelling of everything else are kept. Raises JsonFault where `row` is not one JSON object.
    """
    members, closing = _members(row)
    missing = {
        key: value
        for key, value in (defaults or {}).items()
        if key not in members or row[members[key].start : members[key].end] == "null"
    }
    values = {**missing, **values}
    style = _style(row, members)
    last = max((member.end for member in members.values()), default=closing)
    added = [
        f"{style.text(key)}{style.colon}{style.text(value)}"
        for key, value in values.items()
        if key not in members
    ]
    if added:
        lead = style.between if members else ""
        row = row[:last] + lead + style.between.join(added) + row[last:]
    present = sorted((members[key], value) for key, value in values.items() if key in members)
    for member, value in reversed(present):
        row = row[: member.start] + style.text(value) + row[member.end :]
    return row


def _members(row: str) -> tuple[dict[str, _Member], int]:
    """Find the members of the object and the offset of its closing brace."""
    index = skip_blanks(row, 0)
    value, end = decode_at(row, index)
    if not isinstance(value, dict) or skip_blanks(row, end) != len(row):
        raise JsonFault("expected one JSON object")
    members: dict[str, _Member] = {}
    index = skip_blanks(row, index + 1)
    while row[index] != "}":
        key, key_end = decode_at(row, index)
        start = skip_blanks(row, skip_blanks(row, key_end) + 1)
        _, value_end = decode_at(row, start)
        members[key] = _Member(index, key_end, start, value_end)
        index = skip_blanks(row, value_end)
        if row[index] == ",":
            index = skip_blanks(row, index + 1)
    return members, index


def _style(row: str, members: Mapping[str, _Member]) -> _Style:
    ascii_only = "\\u" in row and row.isascii()
    if not members:
        return _Style(", ", ": ", ascii_only)
    first, *others = members.values()
    colon = row[first.key_end : first.start]
    between = row[first.end : others[0].key_start] if others else ", " if " " in colon else ","
    return _Style(between, colon, ascii_only)
