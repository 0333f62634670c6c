"""The published JSON Schemas: what editors accept is what the configuration accepts."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from doc_blocks import ROOT

from promptyard.line.schema import task_json_schema

MINIMAL: dict[str, Any] = {"prompt": "prompt.md", "cases": "cases.jsonl", "checks": ["exact_match"]}
FULL: dict[str, Any] = {
    "name": "support",
    "prompt": "prompt.md",
    "cases": ["a.jsonl", "b.csv"],
    "models": {"task": "openai/m1", "optimizer": "embedded/lexical"},
    "program": {"workflow": "single"},
    "checks": [
        {"type": "json_schema", "severity": "hard"},
        {"type": "field_equals", "field": "status", "severity": "hard", "critical": True},
        {"type": "not:regex", "pattern": "secret", "flags": "i", "dimension": "safety"},
        {"type": "from_a_plugin", "anything": [1]},
        "is_json",
    ],
    "splits": {"seed": 7, "train": 0.4, "dev": 0.3, "holdout": 0.3, "cluster": "thread"},
    "optimize": {"strategy": "auto", "budget": {"task_calls": 600, "usd": 2.0}},
    "gates": {"primary": "score", "alpha": 0.05, "noninferiority": 0.03},
    "release": {"steps": [2, 10, 25, 50, 100], "guard": ["score"]},
}


def accepts(task: dict[str, Any]) -> bool:
    return jsonschema_rs.validator_for(task_json_schema()).is_valid(task)


def test_the_schema_is_one_and_is_the_same_each_time() -> None:
    jsonschema_rs.meta.validate(task_json_schema())
    assert task_json_schema() == task_json_schema()
    published = json.loads((ROOT / "docs/reference/task.schema.json").read_text("utf-8"))
    assert published == task_json_schema()


def test_good_tasks_are_accepted() -> None:
    assert accepts(MINIMAL)
    assert accepts(FULL)


@pytest.mark.parametrize(
    "change",
    [
        {"promt": "prompt.md"},
        {"checks": [{"type": "regex", "patern": "a"}]},
        {"checks": [{"type": "exact_match", "severity": "harsh"}]},
        {"optimize": {"budget": {"calls": 3}}},
        {"splits": {"train": 2}},
        {"models": {"task": 5}},
        {"gates": {"primary": "scroe"}},
    ],
    ids=str,
)
def test_mistakes_are_refused(change: dict[str, Any]) -> None:
    assert not accepts(MINIMAL | change)


def test_names_of_the_tables_are_offered() -> None:
    from promptyard.candidates import GENERATORS
    from promptyard.metrics import METRICS
    from promptyard.search import POLICIES
    from promptyard.workflows import WORKFLOWS

    text = json.dumps(task_json_schema())
    for table in (GENERATORS, METRICS, POLICIES, WORKFLOWS):
        for name in table:
            assert f'"{name}"' in text


def test_the_demo_task_meets_the_schema() -> None:
    from ruamel.yaml import YAML

    file = ROOT / "src/promptyard/line/demo_task/task.yaml"
    data: dict[str, Any] = YAML(typ="safe", pure=True).load(file)  # pyright: ignore[reportUnknownMemberType] (untyped library)
    assert accepts(data)
