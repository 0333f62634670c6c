"""Turns the metadata of a foreign case into tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from promptyard.evalset.foreign.checks import Notes
from promptyard.evalset.wording import one_line
from promptyard.records.base import Json, as_list

MAX_TAG_CHARS = 120


def tags_of(metadata: Mapping[str, Json], notes: Notes) -> list[str]:
    """Write metadata as tags: `key:value`, one for each value of a list, `key` for true.

    What is no short single value is left out, and said.
    """
    tags: list[str] = []
    for key, value in metadata.items():
        several = as_list(value)
        for item in [value] if several is None else several:
            tags += _tag(key, item, notes)
    return list(dict.fromkeys(tags))


def _tag(key: str, value: Json, notes: Notes) -> Iterator[str]:
    if value is None or value is False or value == "":
        return
    if value is True:
        yield key
    elif isinstance(value, str | int | float) and len(str(value)) <= MAX_TAG_CHARS:
        yield f"{key}:{value}"
    else:
        notes.add(f"the metadata '{one_line(key)}' is no short value; left out")
