"""OpenAI evals: samples in JSON lines, the registry's YAML, and items of the Evals API.

Match: the answer begins with an ideal one. Includes: it contains one. FuzzyMatch: either contains
the other. JsonMatch: equal as JSON. Sources: github.com/openai/evals, docs/eval-templates.md, and
platform.openai.com/docs/guides/graders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from promptyard.errors import EvalSetError
from promptyard.evalset.foreign.checks import FACTUALITY_SCORES, Notes, skip_check
from promptyard.evalset.foreign.head import read_head
from promptyard.evalset.foreign.openai_criteria import checks_of_item, criteria_of
from promptyard.evalset.foreign.row_sets import Entry, any_of, imported_set, texts_of
from promptyard.evalset.jsonl import JsonLines
from promptyard.evalset.tree_file import read_tree
from promptyard.evalset.wording import one_line, some
from promptyard.records.base import Json, as_list, as_object
from promptyard.records.imported import ImportedSet

MAPPING: Mapping[str, str] = {
    "input": "input",
    "ideal": "expected",
    "item": "input",
    "class": "checks",
    "testing_criteria": "checks",
}
CRITERIA_FILES = ("testing_criteria.json", "eval.json")
"""Files beside items in JSON lines that may hold their testing criteria."""


@dataclass(frozen=True)
class EvalSpec:
    """One eval of the registry: its name, its class, and its arguments."""

    name: str
    kind: str
    arguments: Mapping[str, Json] = field(default_factory=dict[str, Json])


ASSUMED = EvalSpec("", "Match")


class OpenAiEvals:
    """Reads samples with `input` and `ideal`, registry YAML, and items with testing criteria."""

    name = "openai_evals"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Say yes to samples, items, testing criteria, and to classes of `evals.elsuite`."""
        suffix = path.suffix.lower()
        seen = read_head(path, head)
        if suffix in (".jsonl", ".ndjson"):
            is_item = "item" in seen.row and as_object((seen.values or {}).get("item")) is not None
            return seen.row >= {"input", "ideal"} or is_item
        if suffix == ".json":
            return "testing_criteria" in seen.top or seen.row >= {"input", "ideal"}
        return suffix in (".yaml", ".yml") and b"evals.elsuite" in head

    def read(self, path: Path) -> ImportedSet:
        """Read all samples or items. Raises EvalSetError with file and place."""
        notes = Notes()
        suffix = path.suffix.lower()
        if suffix in (".yaml", ".yml"):
            entries = _of_registry(path, notes)
        elif suffix == ".json":
            entries = _of_document(path, notes)
        else:
            entries = _of_lines(path, notes)
        return imported_set(self.name, path, entries, notes, mapping=MAPPING)


def _of_lines(path: Path, notes: Notes) -> list[Entry]:
    rows = [(f"{path}:{line}", row) for line, row in JsonLines().read(path)]
    if rows and as_object(rows[0][1].get("item")) is not None:
        beside = next(
            (path.parent / n for n in CRITERIA_FILES if (path.parent / n).is_file()), None
        )
        criteria: Sequence[Json] = ()
        if beside is not None:
            notes.add(f"the testing criteria are those of {beside.name}")
            criteria = criteria_of(read_tree(beside))
        return _items(rows, criteria, notes)
    notes.add(
        "samples do not name their eval class; Match (the answer begins with an ideal one) is "
        "assumed; read the registry's YAML to know"
    )
    return [_sample(row, ASSUMED, at, notes) for at, row in rows]


def _of_document(path: Path, notes: Notes) -> list[Entry]:
    """Read an eval of the API: its criteria, and items from where a run has them."""
    tree = read_tree(path)
    items = as_list(tree.data)
    data = as_object(tree.data) or {}
    if items is None:
        source = as_object((as_object(data.get("data_source")) or {}).get("source")) or {}
        items = as_list(data.get("items")) or as_list(source.get("content"))
    if items is None:
        raise EvalSetError(
            f"{path}: the testing criteria have no items; put them beside as JSON lines "
            f"({{'item': {{...}}}}) with this file named {CRITERIA_FILES[0]}, and import those"
        )
    rows = [(tree.at(number), as_object(item) or {}) for number, item in enumerate(items)]
    if "testing_criteria" in data or (rows and "item" in rows[0][1]):
        return _items(rows, criteria_of(tree) if "testing_criteria" in data else (), notes)
    return [_sample(row, ASSUMED, at, notes) for at, row in rows]


def _items(
    rows: Sequence[tuple[str, Mapping[str, Json]]], criteria: Sequence[Json], notes: Notes
) -> list[Entry]:
    if not criteria:
        notes.add("the items have no testing criteria, so no checks")
    entries: list[Entry] = []
    for at, row in rows:
        item = as_object(row.get("item"))
        if item is None:
            raise EvalSetError(f"{at}: expected an object with the key 'item'")
        expected, checks = checks_of_item(criteria, item, notes)
        keys: dict[str, Json] = {"expected": expected, "checks": checks}
        fields = ("item", "testing_criteria") if criteria else ("item",)
        entries.append(Entry(at=at, input=item, keys=keys, fields=fields))
    return entries


def _of_registry(path: Path, notes: Notes) -> list[Entry]:
    tree = read_tree(path)
    evals = [
        EvalSpec(name, str(spec["class"]).rpartition(":")[2], as_object(spec.get("args")) or {})
        for name, value in (as_object(tree.data) or {}).items()
        if (spec := as_object(value)) is not None and isinstance(spec.get("class"), str)
    ]
    if not evals:
        raise EvalSetError(f"{path}:1: no eval with a `class`")
    entries: list[Entry] = []
    for spec in evals:
        file = _samples_file(path, spec, tree.at(spec.name, "args", "samples_jsonl"))
        for line, row in JsonLines().read(file):
            entry = _sample(row, spec, f"{file}:{line}", notes)
            tags = [f"eval:{spec.name}"] if len(evals) > 1 else []
            entries.append(replace(entry, keys={**entry.keys, "tags": tags}))
    if len(evals) > 1:
        notes.add(f"the file has {len(evals)} evals ({some(e.name for e in evals)}); all were read")
    return entries


def _samples_file(path: Path, spec: EvalSpec, at: str) -> Path:
    """Find the samples beside the YAML, or in `data` where a registry keeps them."""
    name = spec.arguments.get("samples_jsonl")
    if not isinstance(name, str) or not name:
        raise EvalSetError(f"{at}: no file of samples is named")
    for folder in (path.resolve().parent, path.resolve().parent.parent / "data"):
        file = (folder / name).resolve()
        if file.is_relative_to(folder) and file.is_file():
            return file
    raise EvalSetError(
        f"{at}: there is no file {one_line(name)} beside it, and none in ../data; only files in "
        "these folders are read"
    )


def _sample(row: Mapping[str, Json], spec: EvalSpec, at: str, notes: Notes) -> Entry:
    if row.get("input") is None:
        raise EvalSetError(f"{at}: expected a sample with the key 'input'")
    ideal = row.get("ideal")
    checks, expected = _graded(spec, row, ideal, notes)
    return Entry(
        at=at,
        input=row["input"],
        keys={"expected": expected, "checks": checks},
        fields=(*row, *(() if spec is ASSUMED else ("class",))),
    )


def _graded(
    spec: EvalSpec, row: Mapping[str, Json], ideal: Json, notes: Notes
) -> tuple[list[Json], Json]:
    """Return the checks of an eval class and the expectation that they need."""
    answers = list(texts_of(ideal))
    expected = any_of(ideal)
    if spec.kind in ("Match", "Includes", "FuzzyMatch"):
        if not answers:
            return [skip_check(f"openai_evals {spec.kind}: no ideal answer", dict(row))], None
        kind = {"Match": "starts_with", "Includes": "contains", "FuzzyMatch": "icontains"}[
            spec.kind
        ]
        if spec.arguments.get("ignore_case"):
            kind = "icontains"
        if spec.kind == "FuzzyMatch":
            notes.add("FuzzyMatch also accepts an answer that is a part of the ideal one; ours not")
        if len(answers) == 1:
            return [{"type": kind}], answers[0]
        parts: list[Json] = [{"type": kind, "value": answer} for answer in answers]
        return [{"type": "any_of", "checks": parts}], expected
    if spec.kind == "JsonMatch":
        return [{"type": "equals"}], expected
    if spec.kind == "JsonValidator":
        return [{"type": "is_json"}], expected
    graded_by = spec.arguments.get("modelgraded_spec")
    if spec.kind == "ModelBasedClassify" and graded_by == "fact" and answers:
        return [{"type": "factuality", "scores": dict(FACTUALITY_SCORES)}], answers[0]
    if spec.kind == "ModelBasedClassify" and graded_by == "closedqa":
        criterion = row.get("criteria")
        if isinstance(criterion, str) and criterion:
            return [{"type": "closed_qa", "criterion": criterion}], expected
    what = f"{spec.kind} {graded_by}" if graded_by else spec.kind
    source = {"class": spec.kind, "args": dict(spec.arguments)}
    return [skip_check(f"openai_evals {one_line(what)}", source)], expected
