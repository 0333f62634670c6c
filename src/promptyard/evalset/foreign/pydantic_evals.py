"""pydantic-evals: data sets in YAML and JSON with the evaluators of cases and of the whole.

Source: ai.pydantic.dev/evals, data set serialization and built-in evaluators. An evaluator is
written as `Name`, `{Name: argument}`, `{Name: {key: value}}` or `{call, args, kwargs}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from promptyard.errors import EvalSetError
from promptyard.evalset.foreign.checks import Notes, Unsupported, skip_check
from promptyard.evalset.foreign.head import read_head
from promptyard.evalset.foreign.metadata import tags_of
from promptyard.evalset.foreign.row_sets import Entry, fields_of, imported_set
from promptyard.evalset.tree_file import read_tree
from promptyard.evalset.wording import one_line
from promptyard.records.base import Json, as_list, as_object
from promptyard.records.imported import ImportedSet

MAPPING: Mapping[str, str] = {
    "inputs": "input",
    "expected_output": "expected",
    "evaluators": "checks",
    "metadata": "tags",
    "name": "id",
}
JSON_TYPES: Mapping[str, str] = {
    "dict": "object",
    "list": "array",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "NoneType": "null",
}
_SECONDS = re.compile(r"-?P(?:T(?=\d))?(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?")


class PydanticEvals:
    """Reads data sets as `Dataset.to_file` writes them."""

    name = "pydantic_evals"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Say yes to `cases` whose rows have `inputs`."""
        seen = read_head(path, head)
        in_tree = path.suffix.lower() in (".yaml", ".yml", ".json")
        return in_tree and "cases" in seen.top and "inputs" in seen.row

    def read(self, path: Path) -> ImportedSet:
        """Read all cases. Raises EvalSetError with file and place."""
        notes = Notes()
        tree = read_tree(path)
        data = as_object(tree.data) or {}
        cases = as_list(data.get("cases"))
        if not cases:
            raise EvalSetError(f"{path}:1: no cases; they stand under `cases`")
        shared = as_list(data.get("evaluators")) or []
        if data.get("report_evaluators"):
            notes.add("report evaluators were left out; `eval` computes F1, confusions and means")
        entries: list[Entry] = []
        for number, item in enumerate(cases):
            at = tree.at("cases", number)
            entries.append(_entry(as_object(item), shared, at, notes))
        return imported_set(self.name, path, entries, notes, mapping=MAPPING)


def _entry(case: Mapping[str, Json] | None, shared: Sequence[Json], at: str, notes: Notes) -> Entry:
    if case is None or "inputs" not in case:
        raise EvalSetError(f"{at}: expected a case with the key 'inputs'")
    expected = case.get("expected_output")
    evaluators = [*shared, *(as_list(case.get("evaluators")) or ())]
    checks = [_check(item, has_expected=expected is not None, at=at) for item in evaluators]
    metadata = case.get("metadata")
    found = as_object(metadata)
    if found is None and metadata is not None:
        notes.add("metadata that is no object was left out")
    return Entry(
        at=at,
        input=case["inputs"],
        keys={
            "id": case.get("name"),
            "expected": expected,
            "checks": [check for check in checks if check is not None],
            "tags": tags_of(found or {}, notes),
        },
        fields=(*fields_of(case), *(("evaluators",) if evaluators else ())),
    )


@dataclass(frozen=True)
class _Call:
    """An evaluator as it is called; `first` is its one argument without a name."""

    name: str
    first: Json
    named: Mapping[str, Json]

    def argument(self, name: str) -> Json:
        """Return an argument by name; the first one may have none."""
        return self.named.get(name, self.first)

    def text(self, name: str) -> str:
        """Return an argument that is a text. Raises Unsupported."""
        value = self.argument(name)
        if not isinstance(value, str) or not value:
            raise Unsupported(f"{name} is {one_line(repr(value))}")
        return value


def _check(item: Json, *, has_expected: bool, at: str) -> dict[str, Json] | None:
    """Return the check of an evaluator; None where it would grade nothing there either."""
    call = _call(item)
    if call is None:
        raise EvalSetError(f"{at}: expected an evaluator, got {one_line(repr(item))}")
    if call.name == "EqualsExpected":
        return {"type": "equals", **_named(call)} if has_expected else None
    convert = CONVERT.get(call.name)
    if convert is None:
        return skip_check(f"pydantic_evals {call.name}", item)
    try:
        return {**convert(call), **_named(call)}
    except Unsupported as reason:
        return skip_check(f"pydantic_evals {call.name}: {reason}", item)


def _call(item: Json) -> _Call | None:
    if isinstance(item, str):
        return _Call(item, None, {})
    found = as_object(item)
    if found is None:
        return None
    if isinstance(found.get("call"), str):
        arguments = as_list(found.get("args")) or [None]
        return _Call(found["call"], arguments[0], as_object(found.get("kwargs")) or {})
    if isinstance(found.get("name"), str) and "arguments" in found:
        arguments = found["arguments"]
        items = as_list(arguments)
        return _Call(found["name"], items[0] if items else None, as_object(arguments) or {})
    if len(found) != 1:
        return None
    name, value = next(iter(found.items()))
    named = as_object(value)
    return _Call(name, value, {}) if named is None else _Call(name, None, named)


def _named(call: _Call) -> dict[str, Json]:
    name = call.named.get("evaluation_name")
    return {"id": name} if isinstance(name, str) and name else {}


def _equals(call: _Call) -> dict[str, Json]:
    # {"Equals": {"a": 1}} cannot be told from named arguments; it is what was meant.
    value = call.named if call.named and "value" not in call.named else call.argument("value")
    if value is None:
        raise Unsupported("null, which no answer is")
    return {"type": "equals", "value": value}


def _contains(call: _Call) -> dict[str, Json]:
    value = call.argument("value")
    if value is None and call.named:
        value = call.named
    parts = as_object(value)
    if parts is not None and not call.named.get("as_strings"):
        fields: list[Json] = [
            {"type": "field_equals", "field": name, "value": item} for name, item in parts.items()
        ]
        return {"type": "all_of", "checks": fields} if len(fields) > 1 else dict(fields[0])
    if not isinstance(value, str) or not value:
        raise Unsupported(f"value is {one_line(repr(value))}")
    kind = "contains" if call.named.get("case_sensitive", True) else "icontains"
    return {"type": kind, "value": value}


def _is_instance(call: _Call) -> dict[str, Json]:
    name = call.text("type_name")
    if name not in JSON_TYPES:
        raise Unsupported(f"the type {one_line(name)}; answers are texts here")
    return {"type": "json_schema", "schema": {"type": JSON_TYPES[name]}}


def _max_duration(call: _Call) -> dict[str, Json]:
    value = call.argument("seconds")
    if isinstance(value, str) and (found := _SECONDS.fullmatch(value)) and any(found.groups()):
        hours, minutes, seconds = (float(part or 0) for part in found.groups())
        value = 3600 * hours + 60 * minutes + seconds
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise Unsupported(f"seconds is {one_line(repr(value))}")
    return {"type": "latency", "max_s": value}


def _judge(call: _Call) -> dict[str, Json]:
    return {"type": "llm_rubric", "rubric": call.text("rubric")}


def _g_eval(call: _Call) -> dict[str, Json]:
    steps = as_list(call.named.get("evaluation_steps"))
    check: dict[str, Json] = {"type": "g_eval", "criteria": call.text("criteria")}
    return {**check, "steps": steps} if steps else check


_Convert: TypeAlias = Callable[[_Call], dict[str, Json]]
CONVERT: Mapping[str, _Convert] = {
    "Equals": _equals,
    "Contains": _contains,
    "IsInstance": _is_instance,
    "MaxDuration": _max_duration,
    "LLMJudge": _judge,
    "GEval": _g_eval,
}
"""Conversions by the name of the evaluator; any other becomes a skip."""
