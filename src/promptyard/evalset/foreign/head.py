"""What the beginning of a file shows: its top keys and the keys of its first row."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from promptyard.evalset.csv_records import likely_delimiter
from promptyard.evalset.raw_rows import ARRAY_KEYS
from promptyard.records.base import Json, as_list, as_object

HEAD_BYTES = 1 << 16
_KEY = r"""["']?(\$?[A-Za-z_][\w.$-]*)["']?[ \t]*:"""
_TOP_YAML = re.compile(rf"^{_KEY}(?:[ \t]|$)", re.MULTILINE)
_ITEM_YAML = re.compile(rf"^[ \t]*-[ \t]+{_KEY}(?:[ \t]|$)", re.MULTILINE)
_LIST_YAML = re.compile(r"^-[ \t]", re.MULTILINE)
_KEY_JSON = re.compile(r'"((?:[^"\\]|\\.)*)"\s*:')


@dataclass(frozen=True)
class Head:
    """Keys of the object around everything, and keys of the first row inside it."""

    top: frozenset[str] = frozenset()
    row: frozenset[str] = frozenset()
    values: Mapping[str, Json] | None = None  # of the first row, where it could be read


def read_head(path: Path, head: bytes) -> Head:
    """Read what can be read of the beginning of a file; never raises.

    The file may go on behind `head`, so that a part of a value may be all that is there.
    """
    text = head.decode("utf-8-sig", errors="replace")
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        return _table(text, suffix)
    if suffix in (".jsonl", ".ndjson"):
        return _row(next((line for line in text.splitlines() if line.strip()), ""))
    if suffix == ".json":
        return _json(text)
    if suffix in (".yaml", ".yml"):
        return _yaml(text)
    return Head()


def _table(text: str, suffix: str) -> Head:
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = "\t" if suffix == ".tsv" else likely_delimiter(first, str.isidentifier)
    try:
        names = next(csv.reader([first], delimiter=delimiter), list[str]())
    except csv.Error:
        return Head()
    return Head(row=frozenset(name.strip() for name in names))


def _row(text: str) -> Head:
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        return Head(row=frozenset(cast("list[str]", _KEY_JSON.findall(text))))
    found = as_object(value)
    return Head() if found is None else Head(row=frozenset(found), values=found)


def _json(text: str) -> Head:
    """Read a whole document, or, where it goes on, what its beginning shows."""
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        start = text.find("{")
        if text.lstrip().startswith("["):
            return _first_object(text, start)
        top = frozenset(cast("list[str]", _KEY_JSON.findall(text)))
        return Head(top=top, row=_first_object(text, text.find("{", start + 1)).row)
    items = as_list(value)
    top = as_object(value)
    if top is not None:
        items = next((as_list(top[key]) for key in ARRAY_KEYS if key in top), None)
    first = as_object(items[0]) if items else None
    return Head(
        top=frozenset() if top is None else frozenset(top),
        row=frozenset() if first is None else frozenset(first),
        values=first,
    )


def _first_object(text: str, start: int) -> Head:
    if start < 0:
        return Head()
    try:
        value, _ = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return Head(row=frozenset(cast("list[str]", _KEY_JSON.findall(text, start))))
    found = as_object(value)
    return Head() if found is None else Head(row=frozenset(found), values=found)


def _yaml(text: str) -> Head:
    """Read keys off their lines: a document that goes on cannot be parsed."""
    top = cast("list[str]", _TOP_YAML.findall(text))
    first = _ITEM_YAML.search(text)
    row: list[str] = []
    if first is not None:
        indent = first.start(1) - (text.rfind("\n", 0, first.start(1)) + 1)
        own = re.compile(rf"^[ ]{{{indent}}}{_KEY}(?:[ \t]|$)", re.MULTILINE)
        block = text[first.start() :]
        following = re.search(rf"\n[ ]{{0,{max(indent - 1, 0)}}}\S", block[1:])
        block = block if following is None else block[: following.start() + 1]
        row = [first[1], *cast("list[str]", own.findall(block))]
    is_list = bool(_LIST_YAML.match(text.lstrip()))
    return Head(top=frozenset() if is_list else frozenset(top), row=frozenset(row))
