"""Reads a YAML or JSON document of another tool as plain data, and remembers lines.

YAML 1.2, so `no` and `on` are texts, and nothing is constructed but plain data: dates stay the
texts that they are, tags of other languages are refused. Aliases and merge keys are followed, with
a limit on what they may add up to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, cast

from promptyard.errors import EvalSetError
from promptyard.evalset.strict_json import MAX_DEPTH, JsonFault, parse_json
from promptyard.evalset.wording import one_line
from promptyard.records.base import Json

Location: TypeAlias = "tuple[int | str, ...]"

MAX_FILE_BYTES = 64 << 20
MAX_YAML_BYTES = 8 << 20  # which a reader in Python takes half a minute for
MAX_VALUES = 500_000  # aliases can make a small file say a great deal
LINES_TO_DEPTH = 5
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Tree:
    """The content of a document, and the line of everything down to a few levels."""

    path: Path
    data: Json
    lines: Mapping[Location, int] = field(default_factory=dict[Location, int])

    def at(self, *location: int | str) -> str:
        """Write where something stands, for a person: `tests.yaml:12: tests[3].assert`."""
        around: Location = location
        while around and around not in self.lines:
            around = around[:-1]
        line = f":{self.lines[around]}" if around in self.lines else ""
        shown = ""
        for part in location:
            name = f"[{part}]" if isinstance(part, int) else f".{one_line(part)}"
            shown += name if shown else name.removeprefix(".")
        return f"{self.path}{line}: {shown}" if shown else f"{self.path}{line}"


def read_tree(path: Path) -> Tree:
    """Read a .json file strictly, any other as YAML. An empty file is null.

    Raises EvalSetError with file and line for what is no such document, a key that stands twice, a
    number that is not finite, too many bytes, values or levels. FileNotFoundError is the caller's.
    """
    as_json = path.suffix.lower() == ".json"
    limit = MAX_FILE_BYTES if as_json else MAX_YAML_BYTES
    if path.stat().st_size > limit:
        raise EvalSetError(
            f"{path}:1: the file is larger than {limit >> 20} MiB; keep the tests in a file of "
            "JSON lines (.jsonl)"
        )
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise EvalSetError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None
    return _json(path, text) if as_json else parse_yaml(path, text)


def _json(path: Path, text: str) -> Tree:
    if not text.strip():
        return Tree(path, None)
    try:
        return Tree(path, parse_json(text))
    except JsonFault as fault:
        line = text.count("\n", 0, fault.position or 0) + 1
        raise EvalSetError(f"{path}:{line}: {fault}") from None


def parse_yaml(path: Path, text: str) -> Tree:
    """Read a YAML text that stands in `path`, as `read_tree` reads a file."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml: Any = YAML(typ="safe", pure=True)  # untyped library
    yaml.composer.warn_double_anchors = False
    try:
        root: Any = yaml.compose(text)
    except RecursionError:
        raise EvalSetError(f"{path}:1: nested deeper than {MAX_DEPTH} levels") from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        line = mark.line + 1 if mark else 1
        raise EvalSetError(
            f"{path}:{line}: not YAML: {one_line(str(problem))}; check indentation, quotes and "
            "brackets"
        ) from None
    except ValueError as error:  # a character that YAML does not allow
        raise EvalSetError(f"{path}:1: not YAML: {one_line(str(error))}") from None
    if root is None:
        return Tree(path, None)
    builder = _Builder(path)
    return Tree(path, builder.build(root, (), 0), builder.lines)


class _Builder:
    """Makes plain data of composed nodes."""

    def __init__(self, path: Path) -> None:
        self.lines: dict[Location, int] = {}
        self._path = path
        self._n_values = 0

    def build(self, node: Any, location: Location, depth: int) -> Json:
        """Build one value. Raises EvalSetError."""
        line: int = node.start_mark.line + 1
        self._n_values += 1
        if depth > MAX_DEPTH or self._n_values > MAX_VALUES:
            raise EvalSetError(
                f"{self._path}:{line}: more than {MAX_DEPTH} levels or {MAX_VALUES} values; is an "
                "alias inside itself?"
            )
        if len(location) <= LINES_TO_DEPTH:
            self.lines.setdefault(location, line)
        if isinstance(node.value, str):
            return self._scalar(node, line)
        tag = str(node.tag)
        if tag == f"{_TAG}seq":
            items = enumerate(cast("list[Any]", node.value))
            return [self.build(item, (*location, n), depth + 1) for n, item in items]
        if tag != f"{_TAG}map":
            raise EvalSetError(f"{self._path}:{line}: {_shown(tag)} is no plain data; write text")
        return self._mapping(node, location, depth)

    def _mapping(self, node: Any, location: Location, depth: int) -> Json:
        values: dict[str, Json] = {}
        for key, line, value in self._own(node):
            if key in values:
                raise EvalSetError(
                    f"{self._path}:{line}: the key '{one_line(key)}' stands twice; keep one"
                )
            if len(location) < LINES_TO_DEPTH:
                self.lines.setdefault((*location, key), line)
            values[key] = self.build(value, (*location, key), depth + 1)
        for other in self._merged(node):
            merged = self.build(other, location, depth + 1)
            for key, value in cast("dict[str, Json]", merged).items():
                values.setdefault(key, value)
        return values

    def _own(self, node: Any) -> Iterator[tuple[str, int, Any]]:
        for key, value in cast("list[tuple[Any, Any]]", node.value):
            line: int = key.start_mark.line + 1
            if str(key.tag) == f"{_TAG}merge":
                continue
            if not isinstance(key.value, str) or str(key.tag) == f"{_TAG}null":
                raise EvalSetError(f"{self._path}:{line}: a key that is no text; put it in quotes")
            yield key.value, line, value

    def _merged(self, node: Any) -> Iterator[Any]:
        for key, value in cast("list[tuple[Any, Any]]", node.value):
            if str(key.tag) != f"{_TAG}merge":
                continue
            others = value.value if str(value.tag) == f"{_TAG}seq" else [value]
            for other in cast("list[Any]", others):
                if str(other.tag) != f"{_TAG}map":
                    line = key.start_mark.line + 1
                    raise EvalSetError(f"{self._path}:{line}: '<<' merges keys and values only")
                yield other

    def _scalar(self, node: Any, line: int) -> Json:
        tag, text = str(node.tag).removeprefix(_TAG), cast("str", node.value)
        if tag in ("str", "timestamp"):
            return text
        if tag == "null":
            return None
        if tag == "bool":
            return text.lower() == "true"
        if tag not in ("int", "float"):
            raise EvalSetError(
                f"{self._path}:{line}: {_shown(tag)} is no plain value; put it in quotes"
            )
        try:
            return _number(tag, text)
        except ValueError as error:
            raise EvalSetError(f"{self._path}:{line}: {one_line(str(error))}") from None


def _number(tag: str, text: str) -> float:
    plain = text.replace("_", "").lower()
    if tag == "int":
        return int(plain, 10 if plain.lstrip("+-").isdigit() else 0)
    if plain.lstrip("+-") in (".inf", ".nan") or not math.isfinite(float(plain)):
        raise ValueError(f"non-finite number {text}; leave it out")
    return float(plain)


def _shown(tag: str) -> str:
    return one_line(tag.removeprefix(_TAG))
