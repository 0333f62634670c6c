"""The published JSON Schema of task.yaml: the shape of the keys, and the names that stand in them.

`config` knows the keys, the tables of the stations know the names; only the line knows both. Names
are offered to editors and not required, since installed plugins bring names of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from promptyard.candidates import GENERATORS
from promptyard.config import TaskConfig
from promptyard.metrics import METRICS
from promptyard.providers import PROVIDERS
from promptyard.records.base import Json
from promptyard.records.cases import Dimension
from promptyard.search import POLICIES
from promptyard.workflows import WORKFLOWS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NOT = "not:"


def task_json_schema() -> dict[str, Json]:
    """Return the JSON Schema (Draft 2020-12) of task.yaml as plain data, the same at every call.

    Names of checks, workflows, policies and generators are offered as alternatives to any text.
    A check of a built-in type may only have the options of that type.
    """
    schema: dict[str, Json] = TaskConfig.model_json_schema()
    shapes = schema["$defs"]
    checks = [*METRICS, *(NOT + name for name in METRICS)]
    entry = shapes["CheckEntry"]
    _offer(entry["properties"]["type"], checks)
    entry["allOf"] = [_options_of(name, entry["properties"]) for name in METRICS]
    for choice in _choices(schema["properties"]["checks"]["items"], "string"):
        _offer(choice, checks)
    optimize = shapes["OptimizeConfig"]["properties"]
    _offer(optimize["strategy"], POLICIES)
    for names in _choices(optimize["generators"], "array"):
        _offer(names["items"], GENERATORS)
    _offer(shapes["ProgramConfig"]["properties"]["workflow"], WORKFLOWS)
    shapes["GatesConfig"]["properties"]["primary"]["enum"] = ["score", *get_args(Dimension)]
    for role in ("task", "optimizer", "judge"):
        others = [f"{name}/MODEL" for name in PROVIDERS if name != "embedded"]
        shapes["ModelsConfig"]["properties"][role]["examples"] = ["embedded/lexical", *others]
    return {"$schema": DIALECT, **schema, "title": "Promptyard task"}


def _offer(node: dict[str, Json], names: Iterable[str]) -> None:
    """Let a text be one of `names`, which editors complete, or any other text."""
    node["anyOf"] = [{"enum": list(names)}, {"type": "string"}]


def _choices(node: Mapping[str, Json], kind: str) -> list[dict[str, Json]]:
    return [choice for choice in node["anyOf"] if choice.get("type") == kind]


def _options_of(name: str, common: Mapping[str, Json]) -> dict[str, Json]:
    """Say which keys a check of one type may have beside those that every check has."""
    options: tuple[str, ...] = getattr(METRICS[name], "option_names", ())
    return {
        "if": {"properties": {"type": {"enum": [name, NOT + name]}}},
        "then": {
            "properties": {option: {} for option in options},
            "propertyNames": {"enum": [*common, "options", *options]},
        },
    }
