"""Reads a YAML file as plain data and remembers the line of every key.

YAML 1.2, so `no` and `on` are texts. What is not plain data (dates, sets, tags of other languages,
keys that are no text) is refused, and so is a key that stands twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from promptyard.errors import ConfigError
from promptyard.records.base import Json, as_object

Location: TypeAlias = "tuple[int | str, ...]"

MAX_VALUES = 20_000  # aliases can make a small file say a great deal
MAX_DEPTH = 50
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset(_TAG + name for name in ("map", "seq", "str", "int", "bool", "null"))


class Place(NamedTuple):
    """Where something stands, for a person (`task.yaml:12: checks[1].tag`), and its line."""

    text: str
    line: int


@dataclass(frozen=True)
class YamlFile:
    """The content of a file, which is keys and values, and where each of them stands."""

    path: Path
    data: Mapping[str, Json] = field(default_factory=dict[str, Json])
    lines: Mapping[Location, int] = field(default_factory=dict[Location, int])

    def place(self, location: Location) -> Place:
        """Return where a key stands, or where the nearest key around it does."""
        around = location
        while around and around not in self.lines:
            around = around[:-1]
        return place_in(self.path, self.lines.get(around, 1), location)


def read_yaml(path: Path) -> YamlFile:
    """Read one file; an empty file has no keys.

    Raises ConfigError with file, line and key. FileNotFoundError is the caller's, who knows where
    else it looked.
    """
    text = _read_text(path)
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml: Any = YAML(typ="safe", pure=True)  # untyped library
    yaml.composer.warn_double_anchors = False
    try:
        root: Any = yaml.compose(text)
        lines = {} if root is None else _locate(path, root)
        data: Json = None if root is None else yaml.constructor.construct_document(root)
    except RecursionError:
        raise ConfigError(f"{path}:1: not YAML that can be read: nested too deeply") from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(
            f"{path}:{line}: not YAML: {problem}; check indentation, quotes and brackets"
        ) from None
    except ValueError as error:  # a number with thousands of digits
        raise ConfigError(f"{path}:1: not YAML that can be read: {error}") from None
    if data is None:
        return YamlFile(path)
    values = as_object(data)
    if values is None:
        raise ConfigError(
            f"{path}:{lines[()]}: expected keys and values (`key: value`), "
            f"got {type(data).__name__}"
        )
    return YamlFile(path, values, lines)


def location_text(location: Location) -> str:
    """Write a location as a person would: `checks[1].severity`."""
    text = ""
    for part in location:
        shown = repr(part)[1:-1] if isinstance(part, str) else f"[{part}]"
        text += f".{shown}" if text and isinstance(part, str) else shown
    return text


def place_in(path: Path, line: int, location: Location) -> Place:
    """Write a place; the location of the whole file is not written."""
    shown = f": {location_text(location)}" if location else ""
    return Place(f"{path}:{line}{shown}", line)


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None


def _locate(path: Path, root: Any) -> dict[Location, int]:
    """Map every location to its line; refuses what is not plain data."""
    lines: dict[Location, int] = {(): root.start_mark.line + 1}
    pending: list[tuple[Location, Any]] = [((), root)]
    while pending:
        location, node = pending.pop()
        line = lines[location]
        if len(location) > MAX_DEPTH or len(lines) > MAX_VALUES:
            raise ConfigError(
                f"{place_in(path, line, location[:5]).text}: more than {MAX_DEPTH} levels or "
                f"{MAX_VALUES} values; is an alias inside itself?"
            )
        if reason := _scalar_fault(node):
            raise ConfigError(f"{place_in(path, line, location).text}: {reason}")
        for part, line, value in _children(path, location, node):
            inner = (*location, part)
            if inner in lines:
                twice = place_in(path, line, inner).text
                raise ConfigError(f"{twice}: the key stands twice; keep one")
            lines[inner] = line
            pending.append((inner, value))
    return lines


def _children(path: Path, location: Location, node: Any) -> Iterator[tuple[int | str, int, Any]]:
    """Yield key or number, line and node of everything right inside a node."""
    if isinstance(node.value, str):
        return
    if str(node.tag) == f"{_TAG}seq":
        for number, value in enumerate(node.value):
            yield number, value.start_mark.line + 1, value
        return
    for key, value in node.value:
        line = key.start_mark.line + 1
        if str(key.tag) not in (f"{_TAG}str", f"{_TAG}merge"):
            shown = repr(key.value)[1:-1] if isinstance(key.value, str) else "that is no scalar"
            raise ConfigError(
                f"{place_in(path, line, location).text}: the key {shown} is no text; put it in "
                "quotes"
            )
        yield str(key.value), line, value


def _scalar_fault(node: Any) -> str | None:
    tag = str(node.tag)
    if tag == f"{_TAG}float":
        finite = _is_finite(node.value)
        return None if finite else f"non-finite number {node.value}; leave the key out"
    if tag in _PLAIN_TAGS:
        return None
    return f"{tag.removeprefix(_TAG)} is no plain value; put it in quotes"


def _is_finite(written: str) -> bool:
    try:
        return math.isfinite(float(written.replace("_", "")))
    except ValueError:  # .inf and .nan
        return False
