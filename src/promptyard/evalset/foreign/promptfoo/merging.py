"""Merges the defaults into a test and expands its arrays of variables.

Source of the order in which things are merged: promptfoo.dev/docs/configuration/guide (default
test cases) and .../scenarios.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from promptyard.errors import EvalSetError
from promptyard.evalset.foreign.checks import Notes, Unsupported
from promptyard.evalset.foreign.promptfoo.assertions import FooTest
from promptyard.evalset.foreign.promptfoo.native import OURS, SHARED, with_kept
from promptyard.evalset.foreign.promptfoo.templates import plain_text
from promptyard.evalset.foreign.source_files import SCHEME, SourceFiles
from promptyard.evalset.wording import one_line
from promptyard.records.base import Json, as_list, as_object

MAX_CASES = 100_000
NAMED = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_TEST_KEYS = frozenset(
    {"vars", "assert", "options", "threshold", "metadata", "description", "config", "type"}
)
_SAID_OF_KEYS: Mapping[str, str] = {
    "provider": "tests name a provider of their own; all cases run on the task's model",
    "providers": "tests are for some providers only; all cases run on the task's model",
    "prompts": "tests are for some prompts only; all cases run on every prompt",
    "providerOutput": "tests have a recorded output; it was left out",
    "assertScoringFunction": "tests have a scoring function; scores are the weighted mean here",
}
_SAID_OF_OPTIONS: Mapping[str, str] = {
    "provider": "tests name a grader; set `models.judge` in task.yaml instead",
    "rubricPrompt": "tests have a grader prompt of their own; ours is used instead",
    "storeOutputAs": "tests store their output for later tests; cases are independent here",
}


class Merger:
    """Merges and expands the tests of one configuration."""

    def __init__(self, files: SourceFiles, notes: Notes) -> None:
        self._files = files
        self._notes = notes

    def merged(
        self,
        default: Mapping[str, Json],
        data: Mapping[str, Json],
        test: Mapping[str, Json],
        at: str,
    ) -> FooTest:
        """Merge the defaults, the data of a scenario and a test. Raises EvalSetError."""
        levels = (default, data, test)
        for level in levels:
            self._say(level)
        options = {**self._keys(default, "options", at), **self._keys(test, "options", at)}
        for name, sentence in _SAID_OF_OPTIONS.items():
            if options.get(name) is not None:
                self._notes.add(sentence)
        graded_by = levels[1:] if options.get("disableDefaultAsserts") is True else levels
        given = [level["threshold"] for level in levels if level.get("threshold") is not None]
        description = test.get("description")
        return FooTest(
            at=at,
            variables={k: v for level in levels for k, v in self._variables(level, at).items()},
            asserts=[item for level in graded_by for item in self._asserts(level, at)],
            threshold=given[-1] if given else None,
            options=options,
            metadata={
                k: v for level in levels for k, v in self._keys(level, "metadata", at).items()
            },
            description=description if isinstance(description, str) else "",
        )

    def _say(self, level: Mapping[str, Json]) -> None:
        for key, value in level.items():
            if value is None:
                continue
            if key in _SAID_OF_KEYS:
                self._notes.add(_SAID_OF_KEYS[key])
            elif key not in _TEST_KEYS:
                self._notes.add(f"the key '{one_line(key)}' of tests is not known; left out")

    def _keys(self, level: Mapping[str, Json], key: str, at: str) -> Mapping[str, Json]:
        value = level.get(key)
        found = as_object({} if value is None else value)
        if found is None:
            raise EvalSetError(
                f"{at}: {key}: expected keys and values, got {one_line(repr(value))}"
            )
        return found

    def _asserts(self, level: Mapping[str, Json], at: str) -> Sequence[Json]:
        value = level.get("assert")
        found = as_list([] if value is None else value)
        if found is None:
            raise EvalSetError(f"{at}: assert: expected a list, got {one_line(repr(value))}")
        metadata = self._keys(level, "metadata", at)
        return with_kept(with_kept(found, metadata, OURS), metadata, SHARED)

    def _variables(self, level: Mapping[str, Json], at: str) -> Mapping[str, Json]:
        """Return the variables of a level, which may stand in files."""
        value = level.get("vars")
        names = [value] if isinstance(value, str) else as_list(value)
        if names is None:
            return self._keys(level, "vars", at)
        variables: dict[str, Json] = {}
        for name in names:
            where, shown = f"{_short(at)}.vars", one_line(str(name))
            try:
                found = as_object(self._files.one(name)) if isinstance(name, str) else None
            except Unsupported as why:
                self._files.refuse(where, shown, why)
                continue
            if found is None:
                self._files.refuse(where, shown, Unsupported("it does not hold keys and values"))
            else:
                variables.update(found)
        return variables

    def expanded(self, test: FooTest) -> list[FooTest]:
        """Return one test for every combination of the values of its variables.

        Cases of one test differ in some variables only, so they form a cluster.
        """
        if OURS in test.metadata:  # written by us: nothing in it is a template or names a file
            return [test]
        frozen = test.options.get("disableVarExpansion") is True
        axes: list[list[Json]] = []
        size = 1
        for name, value in test.variables.items():
            values = self._values(f"{_short(test.at)}.vars.{name}", value)
            axes.append([value] if frozen and as_list(value) is not None else values)
            size *= max(len(axes[-1]), 1)
            if size > MAX_CASES:
                raise EvalSetError(
                    f"{test.at}: the arrays of variables give more than {MAX_CASES:,} cases"
                )
        cluster = _short(test.at) if size > 1 else None
        combined = (
            dict(zip(test.variables, item, strict=True)) for item in itertools.product(*axes)
        )
        return [replace(test, variables=self._filled(item), cluster=cluster) for item in combined]

    def _values(self, where: str, value: Json) -> list[Json]:
        """Return what a variable stands for: one value, the texts of an array, or files."""
        items = as_list(value)
        if items is not None:
            if not items or not isinstance(items[0], str):
                return [value]
            return [inner for item in items for inner in self._values(where, item)]
        if not isinstance(value, str) or not value.startswith(SCHEME):
            return [value]
        try:
            return [self._files.value(path) for path in self._files.matches(value)]
        except Unsupported as why:
            self._files.refuse(where, value, why)
            return []

    def _filled(self, variables: Mapping[str, Json]) -> dict[str, Json]:
        """Fill the variables that other variables name, in one pass."""

        def value(match: re.Match[str]) -> str:
            name = match[1]
            return plain_text(variables[name]) if name in variables else match[0]

        return {
            name: NAMED.sub(value, item) if isinstance(item, str) else item
            for name, item in variables.items()
        }


def _short(at: str) -> str:
    """Return the place inside of the file: `tests[3]` of `config.yaml:12: tests[3]`."""
    return at.rpartition(": ")[2]
