from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from promptyard.errors import EvalSetError
from promptyard.evalset.foreign.pydantic_evals import PydanticEvals
from promptyard.records.base import Json
from promptyard.records.imported import ImportedSet


def read(folder: Path, data: str | Json) -> ImportedSet:
    path = folder / ("set.yaml" if isinstance(data, str) else "set.json")
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return PydanticEvals().read(path)


def check_of(folder: Path, evaluator: Json) -> Any:
    case = {"inputs": "a", "expected_output": "b", "evaluators": [evaluator]}
    (item,) = read(folder, {"cases": [case]}).rows_with_all_checks()
    (check,) = item.row["checks"]
    return check["reason"] if check["type"] == "skip" else check


@pytest.mark.parametrize(
    ("evaluator", "check"),
    [
        ("EqualsExpected", {"type": "equals"}),
        ({"Equals": "x"}, {"type": "equals", "value": "x"}),
        ({"Equals": {"value": 5}}, {"type": "equals", "value": 5}),
        ({"Equals": {"a": 1}}, {"type": "equals", "value": {"a": 1}}),
        ({"Contains": "x"}, {"type": "contains", "value": "x"}),
        (
            {"Contains": {"value": "x", "case_sensitive": False, "evaluation_name": "n"}},
            {"type": "icontains", "value": "x", "id": "n"},
        ),
        (
            {"Contains": {"value": {"a": 1}}},
            {"type": "field_equals", "field": "a", "value": 1},
        ),
        (
            {"Contains": {"value": {"a": 1, "b": None}}},
            {
                "type": "all_of",
                "checks": [
                    {"type": "field_equals", "field": "a", "value": 1},
                    {"type": "field_equals", "field": "b", "value": None},
                ],
            },
        ),
        ({"IsInstance": "dict"}, {"type": "json_schema", "schema": {"type": "object"}}),
        ({"MaxDuration": 2.5}, {"type": "latency", "max_s": 2.5}),
        ({"MaxDuration": "PT1M2.5S"}, {"type": "latency", "max_s": 62.5}),
        ({"LLMJudge": "is kind"}, {"type": "llm_rubric", "rubric": "is kind"}),
        (
            {"LLMJudge": {"rubric": "is kind", "model": "openai:x", "include_input": True}},
            {"type": "llm_rubric", "rubric": "is kind"},
        ),
        (
            {"GEval": {"criteria": "clear", "evaluation_steps": ["read"]}},
            {"type": "g_eval", "criteria": "clear", "steps": ["read"]},
        ),
        ({"call": "Contains", "args": ["x"], "kwargs": {}}, {"type": "contains", "value": "x"}),
        ({"name": "Contains", "arguments": {"value": "x"}}, {"type": "contains", "value": "x"}),
        ({"name": "Contains", "arguments": ["x"]}, {"type": "contains", "value": "x"}),
    ],
)
def test_an_evaluator_becomes_the_check_that_means_the_same(
    evaluator: Json, check: Json, tmp_path: Path
) -> None:
    assert check_of(tmp_path, evaluator) == check


@pytest.mark.parametrize(
    ("evaluator", "reason"),
    [
        ({"IsInstance": "str"}, "IsInstance: the type str; answers are texts here"),
        ({"HasMatchingSpan": {"query": {}}}, "HasMatchingSpan"),
        ("MyOwn", "MyOwn"),
        ({"Contains": 5}, "Contains: value is 5"),
        ({"MaxDuration": "P1W"}, "MaxDuration: seconds is 'P1W'"),
        ({"LLMJudge": {"score": True}}, "LLMJudge: rubric is None"),
    ],
)
def test_what_cannot_be_run_is_a_skip_that_says_why(
    evaluator: Json, reason: str, tmp_path: Path
) -> None:
    assert check_of(tmp_path, evaluator) == f"unsupported: pydantic_evals {reason}"


def test_evaluators_of_the_whole_grade_every_case_that_they_can(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "# yaml-language-server: $schema=x.json\n"
        "name: n\n"
        "cases:\n"
        "- name: one\n  inputs: {q: a}\n  expected_output: X\n  metadata: {level: 2}\n"
        "- name: two\n  inputs: [1, 2]\n"
        "evaluators:\n- LLMJudge: is kind\n- EqualsExpected\n"
        "report_evaluators:\n- ConfusionMatrix\n",
    )
    assert [check["type"] for check in found.checks] == ["llm_rubric"]
    first, second = (item.row for item in found.rows)
    assert first == {
        "id": "one",
        "input": {"q": "a"},
        "expected": "X",
        "tags": ["level:2"],
        "checks": [{"type": "equals"}],
    }
    assert second["input"] == {"input": [1, 2]}
    assert any("report evaluators were left out" in note for note in found.notes)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("cases: []\n", "set.yaml:1: no cases"),
        ("cases:\n- inputs: a\n- b\n", "set.yaml:3: cases[1]: expected a case"),
        ("cases:\n- inputs: a\n  evaluators: [5]\n", "set.yaml:2: cases[0]: expected an evaluator"),
    ],
)
def test_what_is_no_data_set_is_refused_with_its_line(
    data: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(EvalSetError) as caught:
        read(tmp_path, data)
    assert str(caught.value).removeprefix(f"{tmp_path}/").startswith(reason)


def test_it_tells_its_files_from_native_ones(tmp_path: Path) -> None:
    cases: list[Mapping[str, Json]] = [{"inputs": "a"}, {"input": "a"}]
    said = [
        PydanticEvals().recognises(tmp_path / "x.json", json.dumps({"cases": [case]}).encode())
        for case in cases
    ]
    assert said == [True, False]
