from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from promptyard.errors import EvalSetError
from promptyard.evalset.foreign import recognised_formats
from promptyard.evalset.foreign.openai_evals import OpenAiEvals
from promptyard.records.base import Json
from promptyard.records.imported import ImportedSet

OUTPUT = "{{ sample.output_text }}"
TEXT: Mapping[str, Json] = {"as_text": True, "normalize": "none"}


def lines(*rows: Mapping[str, Json]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def read(folder: Path, name: str, content: str) -> ImportedSet:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    assert recognised_formats(path)[0] == "openai_evals"
    return OpenAiEvals().read(path)


def rows(found: ImportedSet) -> list[Mapping[str, Json]]:
    return [item.row for item in found.rows_with_all_checks()]


def of_class(folder: Path, kind: str, sample: Mapping[str, Json], **arguments: Json) -> Any:
    (folder / "samples.jsonl").write_text(lines(sample))
    spec = {
        "e": {"id": "e.v1", "metrics": ["accuracy"]},
        "e.v1": {"class": kind, "args": {"samples_jsonl": "samples.jsonl", **arguments}},
    }
    (row,) = rows(read(folder, "eval.yaml", json.dumps(spec, indent=1)))
    return row


def test_samples_alone_are_taken_as_match(tmp_path: Path) -> None:
    few_shot = [
        {"role": "system", "content": "Add."},
        {"role": "system", "name": "example_user", "content": "1+1="},
        {"role": "system", "name": "example_assistant", "content": "2"},
    ]
    samples = lines(
        {"input": [*few_shot, {"role": "user", "content": "2+2="}], "ideal": "4"},
        {"input": [*few_shot, {"role": "user", "content": "3+3="}], "ideal": ["6", "six"]},
    )
    found = read(tmp_path, "samples.jsonl", samples)
    assert found.prompts == ("system:\nAdd.\n\nuser:\n1+1=\n\nassistant:\n2\n\nuser:\n{{input}}\n",)
    assert rows(found) == [
        {"input": {"input": "2+2="}, "expected": "4", "checks": [{"type": "starts_with"}]},
        {
            "input": {"input": "3+3="},
            "expected": {"any_of": ["6", "six"]},
            "checks": [
                {
                    "type": "any_of",
                    "checks": [
                        {"type": "starts_with", "value": "6"},
                        {"type": "starts_with", "value": "six"},
                    ],
                }
            ],
        },
    ]
    assert any("is assumed" in note for note in found.notes)


@pytest.mark.parametrize(
    ("kind", "arguments", "checks"),
    [
        ("evals.elsuite.basic.match:Match", {}, [{"type": "starts_with"}]),
        ("evals.elsuite.basic.includes:Includes", {}, [{"type": "contains"}]),
        (
            "evals.elsuite.basic.includes:Includes",
            {"ignore_case": True},
            [{"type": "icontains"}],
        ),
        ("evals.elsuite.basic.fuzzy_match:FuzzyMatch", {}, [{"type": "icontains"}]),
        ("evals.elsuite.basic.json_match:JsonMatch", {}, [{"type": "equals"}]),
        ("evals.elsuite.basic.json_validator:JsonValidator", {}, [{"type": "is_json"}]),
        (
            "evals.elsuite.modelgraded.classify:ModelBasedClassify",
            {"modelgraded_spec": "fact"},
            [{"type": "factuality", "scores": {"A": 1.0, "B": 1.0, "C": 1.0, "D": 0.0, "E": 1.0}}],
        ),
        (
            "evals.elsuite.modelgraded.classify:ModelBasedClassify",
            {"modelgraded_spec": "closedqa"},
            [{"type": "closed_qa", "criterion": "short"}],
        ),
    ],
)
def test_the_class_of_the_registry_says_how_samples_are_graded(
    kind: str, arguments: Mapping[str, Json], checks: Json, tmp_path: Path
) -> None:
    sample = {"input": "q", "ideal": "a", "criteria": "short"}
    row = of_class(tmp_path, kind, sample, **arguments)
    assert row["checks"] == checks
    assert row["expected"] == "a"


@pytest.mark.parametrize(
    ("kind", "arguments", "reason"),
    [
        ("evals.elsuite.translate:Translate", {}, "Translate"),
        (
            "evals.elsuite.modelgraded.classify:ModelBasedClassify",
            {"modelgraded_spec": "humor"},
            "ModelBasedClassify humor",
        ),
    ],
)
def test_other_classes_are_skips(
    kind: str, arguments: Mapping[str, Json], reason: str, tmp_path: Path
) -> None:
    row = of_class(tmp_path, kind, {"input": "q", "ideal": "a"}, **arguments)
    assert row["checks"][0]["reason"] == f"unsupported: openai_evals {reason}"
    assert row["checks"][0]["source"]["class"] == kind.rpartition(":")[2]


def test_a_registry_keeps_its_samples_in_data_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "data/x").mkdir(parents=True)
    (tmp_path / "evals").mkdir()
    (tmp_path / "data/x/s.jsonl").write_text(lines({"input": "q", "ideal": "a"}))
    spec = "a.v1:\n  class: evals.elsuite.basic.match:Match\n  args: {samples_jsonl: x/s.jsonl}\n"
    found = read(tmp_path / "evals", "a.yaml", spec + spec.replace("a.v1", "a.v2"))
    assert [row["tags"] for row in rows(found)] == [["eval:a.v1"], ["eval:a.v2"]]
    (tmp_path / "secret.jsonl").write_text(lines({"input": "q", "ideal": "a"}))
    with pytest.raises(EvalSetError, match="only files in these folders are read"):
        read(tmp_path / "evals", "a.yaml", spec.replace("x/s.jsonl", "../secret.jsonl"))


def item_check(folder: Path, grader: Mapping[str, Json]) -> Any:
    (folder / "testing_criteria.json").write_text(json.dumps({"testing_criteria": [grader]}))
    item = {"item": {"text": "Hi", "label": "greeting", "n": 4}}
    (row,) = rows(read(folder, "items.jsonl", lines(item)))
    assert row["input"] == {"text": "Hi", "label": "greeting", "n": 4}
    (check,) = row["checks"]
    if check["type"] == "skip":
        return check["reason"]
    assert check.pop("severity") == "soft"
    return {**check, **({"expected": row["expected"]} if "expected" in row else {})}


@pytest.mark.parametrize(
    ("grader", "check"),
    [
        (
            {
                "type": "string_check",
                "name": "same",
                "operation": "eq",
                "input": OUTPUT,
                "reference": "{{item.label}}",
            },
            {"type": "equals", **TEXT, "id": "same", "expected": "greeting"},
        ),
        (
            {"type": "string_check", "operation": "ne", "input": OUTPUT, "reference": "x"},
            {"type": "not:equals", "value": "x", **TEXT},
        ),
        (
            {
                "type": "string_check",
                "operation": "ilike",
                "input": OUTPUT,
                "reference": "{{item.n}}",
            },
            {"type": "icontains", "value": "4"},
        ),
        (
            {
                "type": "text_similarity",
                "evaluation_metric": "rouge_2",
                "input": OUTPUT,
                "reference": "{{item.text}}",
                "pass_threshold": 0.5,
            },
            {"type": "rouge_n", "n": 2, "value": "Hi", "threshold": 0.5},
        ),
        (
            {
                "type": "text_similarity",
                "evaluation_metric": "fuzzy_match",
                "input": OUTPUT,
                "reference": "a",
            },
            {"type": "levenshtein", "value": "a"},
        ),
        (
            {
                "type": "label_model",
                "labels": ["good", "bad"],
                "passing_labels": ["good"],
                "input": [
                    {"role": "developer", "content": "Label it."},
                    {"role": "user", "content": f"{{{{item.text}}}}: {OUTPUT}"},
                ],
            },
            {
                "type": "llm_rubric",
                "rubric": "Label it.\n\nHi: (the answer)\n\nOf the labels good, bad the answer "
                "passes with: good.",
            },
        ),
        (
            {
                "type": "score_model",
                "range": [1, 5],
                "pass_threshold": 4,
                "input": [{"role": "user", "content": {"type": "input_text", "text": "Rate."}}],
            },
            {"type": "llm_rubric", "rubric": "Rate."},
        ),
    ],
)
def test_a_testing_criterion_becomes_a_check(
    grader: Mapping[str, Json], check: Json, tmp_path: Path
) -> None:
    assert item_check(tmp_path, grader) == check


@pytest.mark.parametrize(
    ("grader", "reason"),
    [
        ({"type": "python", "source": "def grade(): ..."}, "python"),
        (
            {"type": "string_check", "operation": "eq", "input": "{{item.n}}", "reference": "x"},
            "string_check: an input that is not the output text alone",
        ),
        (
            {"type": "string_check", "operation": "eq", "input": OUTPUT, "reference": "{{item.z}}"},
            "string_check: the template {{item.z}}",
        ),
        (
            {
                "type": "text_similarity",
                "evaluation_metric": "cosine",
                "input": OUTPUT,
                "reference": "",
            },
            "text_similarity: the metric cosine",
        ),
        ({"type": "label_model", "labels": ["a"]}, "label_model: no passing labels"),
    ],
)
def test_a_criterion_that_cannot_be_run_is_a_skip(
    grader: Mapping[str, Json], reason: str, tmp_path: Path
) -> None:
    assert item_check(tmp_path, grader) == f"unsupported: openai_evals {reason}"


def test_an_eval_with_its_items_in_one_document(tmp_path: Path) -> None:
    grader = {
        "type": "string_check",
        "operation": "like",
        "input": OUTPUT,
        "reference": "{{item.a}}",
    }
    document = {
        "name": "e",
        "testing_criteria": [grader],
        "data_source": {"source": {"type": "file_content", "content": [{"item": {"a": "x"}}]}},
    }
    (row,) = rows(read(tmp_path, "eval.json", json.dumps(document)))
    assert row["checks"] == [{"type": "contains", "value": "x", "severity": "soft"}]
    del document["data_source"]
    with pytest.raises(EvalSetError, match="the testing criteria have no items"):
        read(tmp_path, "eval.json", json.dumps(document))
