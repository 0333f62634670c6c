"""The importer of promptfoo configurations and test files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from promptyard.errors import EvalSetError
from promptyard.evalset.foreign.checks import (
    Notes,
    Unsupported,
    share_first,
    take_expected,
    with_unique_ids,
)
from promptyard.evalset.foreign.head import read_head
from promptyard.evalset.foreign.metadata import tags_of
from promptyard.evalset.foreign.promptfoo.assertions import FooTest, checks_of
from promptyard.evalset.foreign.promptfoo.csv_tests import is_test_table
from promptyard.evalset.foreign.promptfoo.native import OURS, SHARED, SHOWN_KEYS, case_keys
from promptyard.evalset.foreign.promptfoo.prompts import PREFIX, SUFFIX, prompts_of
from promptyard.evalset.foreign.promptfoo.references import without_references
from promptyard.evalset.foreign.promptfoo.tests import Gatherer
from promptyard.evalset.foreign.row_sets import present
from promptyard.evalset.foreign.source_files import DATA, TABLES, SourceFiles
from promptyard.evalset.tree_file import Tree, read_tree
from promptyard.evalset.wording import one_line, some
from promptyard.records.base import Json, as_list, as_object
from promptyard.records.imported import ImportedRow, ImportedSet

CONFIG_KEYS = frozenset({"prompts", "tests", "scenarios", "defaultTest", "providers", "targets"})
TEST_KEYS = frozenset({"vars", "assert"})
MAPPING: Mapping[str, str] = {
    "vars": "input",
    "assert": "checks",
    "threshold": "checks (weighted)",
    "metadata": "tags",
    "description": "source",
    "prompts": "prompt files",
}
_MODEL = re.compile(r"([A-Za-z0-9_-]+):(?:(?:chat|completion|responses|messages):)?([^\s:/][^\s]*)")
"""A provider of promptfoo that is a model: `openai:chat:gpt-5`, and no address and no file."""
NO_MODELS = frozenset({
    "exec", "file", "golang", "http", "https", "javascript", "mcp", "package", "python", "ruby",
    "webhook", "ws", "wss",
})  # fmt: skip
"""Providers of promptfoo that are programs and addresses."""
_SAID_OF_CONFIG: Mapping[str, str] = {
    "derivedMetrics": "derived metrics are not computed here",
    "nunjucksFilters": "filters of templates are not run",
    "extensions": "extensions are not run",
    "redteam": "the red-team settings were left out",
    "evaluateOptions": "evaluateOptions were left out; see `optimize` and `--repeat`",
    "env": "the environment of the configuration was left out",
}


class Promptfoo:
    """Reads promptfooconfig.yaml or .json, files of tests in YAML, JSON, JSONL and CSV."""

    name = "promptfoo"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Say yes to the keys of a configuration, of tests, and to `__expected` columns."""
        seen = read_head(path, head)
        if path.suffix.lower() in TABLES:
            return is_test_table(seen.row) or seen.row >= TEST_KEYS
        if path.suffix.lower() not in DATA:
            return False
        tests = len(seen.top & CONFIG_KEYS) >= 2 or seen.row >= TEST_KEYS
        return tests or (path.stem.startswith("promptfooconfig") and bool(seen.top & CONFIG_KEYS))

    def read(self, path: Path) -> ImportedSet:
        """Read tests, defaults, scenarios and prompts.

        Raises EvalSetError with file and place, and one that lists every file that is not read.
        """
        notes, files = Notes(), SourceFiles(path)
        tree, config = _configuration(path)
        for key, sentence in _SAID_OF_CONFIG.items():
            if config.get(key):
                notes.add(sentence)
        models = _models(config)
        if models:
            notes.add(
                f"the configuration runs {some(models)}; a new task.yaml has a comment for each: "
                "remove the # of one"
            )
        tests = Gatherer(tree, files, notes).gather(config)
        around = [
            name
            for name, option in ((PREFIX, "prefix"), (SUFFIX, "suffix"))
            if any(test.options.get(option) for test in tests)
        ]
        read = _RowReader(path, files, notes, around, _tools(config, files, notes))
        rows = [ImportedRow(at=test.at, row=read.row(test)) for test in tests]
        files.raise_refusals()
        if not rows:
            raise EvalSetError(f"{path}: no tests; promptfoo tests stand under `tests`")
        if around:
            notes.add(f"prompts get {some(around)} from the case; keep them in the prompt")
        prompts = prompts_of(config.get("prompts"), files, notes, around)
        if len(prompts) > 1:
            notes.add(f"of {len(prompts)} prompts the first is the seed")
        checks, kept = share_first(with_unique_ids(rows, notes))
        return ImportedSet(
            format=self.name,
            rows=kept,
            checks=checks,
            prompts=prompts,
            mapping=present(MAPPING, _fields(config, tests)),
            models=models,
            notes=notes.sentences(),
        )


def _configuration(path: Path) -> tuple[Tree, Mapping[str, Json]]:
    """Return the configuration; a file of tests is one that has nothing else."""
    if path.suffix.lower() in TABLES:
        return Tree(path, None), {"tests": path.name}
    tree = read_tree(path)
    data = without_references(tree)
    items = as_list(data)
    if items is not None:
        return _under_tests(tree), {"tests": items}
    config = as_object(data)
    if config is None:
        raise EvalSetError(f"{path}:1: expected a configuration, or a list of tests")
    if not config.keys() & CONFIG_KEYS and config.keys() & TEST_KEYS:
        return _under_tests(tree), {"tests": [config]}
    return tree, config


def _under_tests(tree: Tree) -> Tree:
    """Let lines that are known by their place in a list be found under `tests`."""
    lines = {("tests", *location): line for location, line in tree.lines.items()}
    return Tree(tree.path, tree.data, lines)


def _providers(config: Mapping[str, Json]) -> Sequence[Json]:
    value = config.get("providers", config.get("targets"))
    items = as_list(value)
    return items if items is not None else [] if value is None else [value]


def _models(config: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the models of the configuration as `provider/model`, without the kind of endpoint."""
    named = [str((as_object(item) or {}).get("id", item)) for item in _providers(config)]
    found = (_MODEL.fullmatch(name) for name in named)
    return tuple(
        dict.fromkeys(
            f"{match[1]}/{match[2]}" for match in found if match and match[1] not in NO_MODELS
        )
    )


def _fields(config: Mapping[str, Json], tests: Sequence[FooTest]) -> Iterator[str]:
    """Yield which fields of tests and of the configuration something was read from."""
    if config.get("prompts"):
        yield "prompts"
    for test in tests:
        yield from ("vars",) if test.variables else ()
        yield from ("assert",) if test.asserts else ()
        yield from ("threshold",) if test.threshold is not None else ()
        yield from ("metadata",) if test.metadata else ()
        yield from ("description",) if test.description else ()


def _tools(config: Mapping[str, Json], files: SourceFiles, notes: Notes) -> Json:
    """Return the tools of the first provider that has any."""
    for provider in _providers(config):
        tools = (as_object((as_object(provider) or {}).get("config")) or {}).get("tools")
        if not tools:
            continue
        notes.add("tool calls are held against the tools of the first provider that has any")
        try:
            return files.one(tools) if isinstance(tools, str) else tools
        except Unsupported as why:
            notes.add(f"the tools of the provider were left out: {why}")
    return None


@dataclass(frozen=True)
class _RowReader:
    """Makes rows of tests; `around` are the variables that hold what stands around the prompt."""

    path: Path
    files: SourceFiles
    notes: Notes
    around: Sequence[str]
    tools: Json

    def row(self, test: FooTest) -> Mapping[str, Json]:
        """Return the row of a test. Raises EvalSetError for what is no assertion."""
        inputs = dict(test.variables)
        for name, option in ((PREFIX, "prefix"), (SUFFIX, "suffix")):
            if name in self.around:
                inputs[name] = str(test.options.get(option, ""))
        ours = case_keys(test.metadata)
        checks = checks_of(test, self.files, self.notes, self.tools)
        expected, checks = take_expected(checks, lone_equals=ours is None)
        others = {k: v for k, v in test.metadata.items() if k not in (OURS, SHARED)}
        row: dict[str, Json] = {"input": inputs}
        row |= dict(_given("expected", expected))
        row |= dict(_given("checks", checks))
        if ours is not None:
            added = tags_of({k: v for k, v in others.items() if k not in SHOWN_KEYS}, self.notes)
            return {**row, **ours, **dict(_given("tags", [*ours.get("tags", ()), *added]))}
        row |= dict(_given("kind", "adversarial" if "pluginId" in test.metadata else None))
        row |= dict(_given("tags", tags_of(others, self.notes)))
        row |= dict(_given("cluster", _cluster(test)))
        place = test.at.removeprefix(f"{self.path.parent}/")
        row["source"] = f"{one_line(test.description)} ({place})" if test.description else place
        return row


def _given(key: str, value: Json) -> Iterator[tuple[str, Json]]:
    if value is not None and value != []:
        yield key, value


def _cluster(test: FooTest) -> str | None:
    conversation = test.metadata.get("conversationId")
    return conversation if isinstance(conversation, str) and conversation else test.cluster
