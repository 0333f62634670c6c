"""Gathers the tests of a configuration: inline ones, those in files, and scenarios."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from promptyard.errors import EvalSetError
from promptyard.evalset.foreign.checks import Notes, Unsupported
from promptyard.evalset.foreign.promptfoo.assertions import FooTest
from promptyard.evalset.foreign.promptfoo.csv_tests import table_tests
from promptyard.evalset.foreign.promptfoo.merging import MAX_CASES, Merger
from promptyard.evalset.foreign.source_files import DATA, SourceFiles
from promptyard.evalset.jsonl import JsonLines
from promptyard.evalset.tree_file import Tree, read_tree
from promptyard.evalset.wording import one_line
from promptyard.records.base import Json, as_list, as_object

Located: TypeAlias = "tuple[str, Mapping[str, Json]]"
Scenario: TypeAlias = "tuple[str, Mapping[str, Json], Mapping[str, Json]]"


class Gatherer:
    """Gathers the tests of one configuration."""

    def __init__(self, tree: Tree, files: SourceFiles, notes: Notes) -> None:
        self._tree = tree
        self._files = files
        self._notes = notes

    def gather(self, config: Mapping[str, Json]) -> list[FooTest]:
        """Return all tests in order. Raises EvalSetError with file and place."""
        default = self._default(config.get("defaultTest"))
        merger = Merger(self._files, self._notes)
        found: list[FooTest] = []
        for at, data, test in self._all_tests(config):
            found += merger.expanded(merger.merged(default, data, test, at))
            if len(found) > MAX_CASES:
                raise EvalSetError(
                    f"{self._tree.path}: more than {MAX_CASES:,} cases; arrays of variables and "
                    "scenarios multiply"
                )
        return found

    def _all_tests(self, config: Mapping[str, Json]) -> Iterator[Scenario]:
        for at, test in self._located(config.get("tests"), ("tests",)):
            yield at, {}, test
        yield from self._scenarios(config.get("scenarios"))

    def _default(self, value: Json) -> Mapping[str, Json]:
        if isinstance(value, str):
            try:
                value = self._files.one(value)
            except Unsupported as why:
                self._files.refuse("defaultTest", str(value), why)
                return {}
        found = as_object({} if value is None else value)
        if found is None:
            raise EvalSetError(f"{self._tree.at('defaultTest')}: expected keys and values")
        return found

    def _located(self, value: Json, place: tuple[int | str, ...]) -> Iterator[Located]:
        """Yield (where, test) for a list of tests, whose entries may name files."""
        items = as_list(value)
        if items is None:
            items = [] if value is None else [value]
        for number, item in enumerate(items):
            location = (*place, number) if as_list(value) is not None else place
            at = self._tree.at(*location)
            test = as_object(item)
            if test is not None and isinstance(test.get("path"), str):
                yield from self._from_files(test["path"], at)
            elif test is not None:
                yield at, test
            elif isinstance(item, str):
                yield from self._from_files(item, at)
            else:
                raise EvalSetError(f"{at}: expected a test, got {one_line(repr(item))}")

    def _from_files(self, reference: str, at: str) -> Iterator[Located]:
        try:
            for path in self._files.matches(reference):
                yield from self._tests_in(path)
        except Unsupported as why:
            self._files.refuse(at.rpartition(": ")[2], reference, why)

    def _tests_in(self, path: Path) -> Iterator[Located]:
        suffix = path.suffix.lower()
        if suffix in DATA:
            tree = read_tree(path)
            inner = Gatherer(tree, self._files, self._notes)
            yield from inner._located(tree.data, ())
        elif suffix in (".jsonl", ".ndjson"):
            yield from ((f"{path}:{line}", row) for line, row in JsonLines().read(path))
        elif suffix in (".csv", ".tsv", ".parquet"):
            yield from table_tests(path, self._notes)
        else:
            raise Unsupported(f"tests in '{suffix}' files are not read; save them as CSV")

    def _scenarios(self, value: Json) -> Iterator[Scenario]:
        """Yield (where, data, test) for every pair of an entry of `config` and a test."""
        for at, scenario in self._located(value, ("scenarios",)):
            data = list(self._parts(scenario, "config", at)) or [(at, {})]
            tests = list(self._parts(scenario, "tests", at)) or [(at, {})]
            for (_, entry), (where, test) in itertools.product(data, tests):
                yield where, entry, test

    def _parts(self, scenario: Mapping[str, Json], key: str, at: str) -> Iterator[Located]:
        items = as_list(scenario.get(key, []))
        if items is None:
            raise EvalSetError(f"{at}.{key}: expected a list")
        for number, item in enumerate(items):
            where = f"{at}.{key}[{number}]"
            entry = as_object(item)
            reference = item if entry is None else entry.get("$values", entry.get("$expand"))
            if isinstance(reference, str):
                yield from self._from_files(reference, where)
            elif entry is not None:
                yield where, entry
            else:
                raise EvalSetError(f"{where}: expected keys and values, got {one_line(repr(item))}")
