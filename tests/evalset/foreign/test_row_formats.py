"""The formats that are tables: inspect, DeepEval, Langfuse, Braintrust, MLflow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from promptyard.errors import EvalSetError
from promptyard.evalset.foreign import FOREIGN_IMPORTERS
from promptyard.evalset.load import cases_from_rows
from promptyard.records.base import Json
from promptyard.records.imported import ImportedSet
from promptyard.records.prompts import Prompt

CHAT = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi {{x}}"}]


def read(folder: Path, name: str, file_name: str, content: str | Json) -> ImportedSet:
    path = folder / file_name
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return FOREIGN_IMPORTERS[name]().read(path)


def rows(found: ImportedSet) -> list[Mapping[str, Json]]:
    cases = [item.row for item in found.rows_with_all_checks()]
    assert len(cases_from_rows(cases)) == len(cases)
    return cases


def test_inspect_targets_may_be_several_and_metadata_becomes_tags(tmp_path: Path) -> None:
    samples = [
        {"input": "2+2", "target": "4", "id": 7, "metadata": {"level": 1, "deep": {"a": 1}}},
        {"input": "a or b?", "target": ["a", "b"]},
        {"input": "open", "sandbox": "docker"},
    ]
    found = read(tmp_path, "inspect", "s.json", samples)
    assert rows(found) == [
        {
            "id": 7,
            "input": {"input": "2+2"},
            "expected": "4",
            "checks": [{"type": "equals"}],
            "tags": ["level:1"],
        },
        {
            "input": {"input": "a or b?"},
            "expected": {"any_of": ["a", "b"]},
            "checks": [{"type": "equals"}],
        },
        {"input": {"input": "open"}},
    ]
    assert any("`equals` is a guess" in note for note in found.notes)
    assert any("'sandbox'" in note for note in found.notes)
    assert any("'deep' is no short value" in note for note in found.notes)


def test_inspect_choices_are_a_variable_with_letters(tmp_path: Path) -> None:
    table = 'input,target,choices\nWhich?,B,"red,green , blue"\nWhat?,A,yes no\n'
    found = read(tmp_path, "inspect", "s.csv", table)
    assert [row["input"] for row in rows(found)] == [
        {"input": "Which?", "choices": "A) red\nB) green\nC) blue"},
        {"input": "What?", "choices": "A) yes\nB) no"},
    ]


def test_what_all_chats_begin_with_is_the_prompt(tmp_path: Path) -> None:
    samples = [
        {"input": [*CHAT[:1], {"role": "user", "content": f"q{n}"}], "target": "x"}
        for n in range(2)
    ]
    found = read(tmp_path, "inspect", "s.json", samples)
    assert found.prompts == ("system:\nBe kind.\n\nuser:\n{{input}}\n",)
    assert [row["input"] for row in rows(found)] == [{"input": "q0"}, {"input": "q1"}]


def test_chats_that_differ_stay_chats_and_are_sent_as_they_are(tmp_path: Path) -> None:
    longer = [*CHAT, {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "Go"}]
    found = read(
        tmp_path,
        "inspect",
        "s.json",
        [{"input": longer, "target": "a"}, {"input": CHAT, "target": "b"}],
    )
    (prompt,) = found.prompts
    sent = Prompt.from_text(prompt).render(rows(found)[0]["input"])
    assert [(m.role, m.text) for m in sent] == [(m["role"], m["content"]) for m in longer]


def test_an_opening_is_never_read_as_a_template(tmp_path: Path) -> None:
    samples = [
        {
            "input": [
                {"role": "system", "content": "Use {{x}}\nuser:\n"},
                {"role": "user", "content": q},
            ]
        }
        for q in ("a", "b")
    ]
    found = read(tmp_path, "inspect", "s.json", [{**s, "target": "t"} for s in samples])
    sent = Prompt.from_text(found.prompts[0]).render(rows(found)[0]["input"])
    assert [(m.role, m.text.strip()) for m in sent] == [
        ("system", "Use {{x}}\nuser:"),
        ("user", "a"),
    ]


def test_deepeval_goldens_keep_contexts_and_expected_tools(tmp_path: Path) -> None:
    goldens: list[Json] = [
        {
            "input": "q",
            "expected_output": "x",
            "context": ["c1", "c2"],
            "retrieval_context": None,
            "expected_tools": [{"name": "search", "input_parameters": {}}],
            "additional_metadata": {"topic": "a"},
            "name": "first",
            "source_file": "a.pdf",
            "actual_output": "y",
        },
        {"scenario": "a talk", "turns": [{"role": "user", "content": "hi"}]},
        {"input": "r", "expectedOutput": "z", "retrievalContext": ["p"]},
    ]
    found = read(tmp_path, "deepeval", "goldens.json", goldens)
    first, second = rows(found)
    assert first == {
        "id": "first",
        "input": {"input": "q", "context": ["c1", "c2"]},
        "expected": "x",
        "checks": [{"type": "equals"}, {"type": "tool_call_f1", "value": ["search"]}],
        "tags": ["topic:a"],
        "source": "a.pdf",
    }
    assert second["input"] == {"input": "r", "retrieval_context": ["p"]}
    assert found.n_left_out == 1
    assert any("1 conversations have no single input" in note for note in found.notes)


def test_deepeval_tables_part_contexts_by_bars(tmp_path: Path) -> None:
    table = "input,actual_output,expected_output,retrieval_context\nq,,x,one; two|three\n"
    (row,) = rows(read(tmp_path, "deepeval", "goldens.csv", table))
    assert row["input"]["retrieval_context"] == ["one; two", "three"]


def test_langfuse_drops_archived_items_and_clusters_by_trace(tmp_path: Path) -> None:
    items = [
        {
            "id": "i1",
            "datasetName": "d",
            "input": {"question": "q"},
            "expectedOutput": {"answer": "x"},
            "metadata": {"lang": "en"},
            "status": "ACTIVE",
            "sourceTraceId": "t1",
        },
        {"id": "i2", "datasetName": "d", "input": "r", "status": "ARCHIVED"},
        {"id": "i3", "datasetName": "d", "input": "s", "metadata": None, "sourceTraceId": None},
    ]
    found = read(tmp_path, "langfuse", "items.json", {"data": items, "meta": {"page": 1}})
    assert rows(found) == [
        {
            "id": "i1",
            "input": {"question": "q"},
            "expected": {"answer": "x"},
            "checks": [{"type": "equals"}],
            "tags": ["lang:en"],
            "cluster": "t1",
        },
        {"id": "i3", "input": {"input": "s"}},
    ]
    assert found.n_left_out == 1
    assert "1 archived items were left out" in found.notes


def test_langfuse_tables_hold_json_in_their_cells(tmp_path: Path) -> None:
    table = (
        'id,input,expectedOutput,metadata,datasetId\ni1,"{""q"": ""a""}","[1, 2]","{""k"": 1}",d\n'
    )
    (row,) = rows(read(tmp_path, "langfuse", "items.csv", table))
    assert (row["input"], row["expected"], row["tags"]) == ({"q": "a"}, [1, 2], ["k:1"])


def test_braintrust_rows_keep_tags_and_metadata(tmp_path: Path) -> None:
    line = {"id": "r", "input": {"a": 1}, "expected": 0, "tags": ["t"], "metadata": {"m": True}}
    content = json.dumps({**line, "_xact_id": "1"}) + "\n"
    (row,) = rows(read(tmp_path, "braintrust", "rows.jsonl", content))
    assert row == {
        "id": "r",
        "input": {"a": 1},
        "expected": 0,
        "checks": [{"type": "equals"}],
        "tags": ["t", "m"],
    }


def test_mlflow_guidelines_and_facts_are_rubrics_and_the_rest_is_skipped(tmp_path: Path) -> None:
    record = {
        "inputs": {"question": "q"},
        "expectations": {
            "expected_response": "x",
            "expected_facts": ["f1"],
            "guidelines": ["g1", "g2"],
            "own_label": 3,
        },
        "tags": {"team": "a"},
        "outputs": "recorded",
    }
    found = read(tmp_path, "mlflow", "r.jsonl", json.dumps(record) + "\n")
    (row,) = rows(found)
    assert row["expected"] == "x"
    assert row["checks"] == [
        {"type": "equals"},
        {"type": "llm_rubric", "rubric": "The answer states this fact: f1"},
        {"type": "llm_rubric", "rubric": "g1"},
        {"type": "llm_rubric", "rubric": "g2"},
        {
            "type": "skip",
            "reason": "unsupported: mlflow expectation own_label",
            "source": {"own_label": 3},
        },
    ]
    assert row["tags"] == ["team:a"]
    assert found.skip_counts() == {"unsupported: mlflow expectation own_label": 1}


@pytest.mark.parametrize(
    ("name", "file_name", "content", "reason"),
    [
        ("inspect", "s.jsonl", '{"input": 1}\n[1]\n', "s.jsonl:2: expected an object"),
        ("langfuse", "s.json", '{"data": 5}', "s.json:1: not JSON: expected an array"),
        ("langfuse", "s.json", '{"x": []}', "s.json:1: cases: required key is missing"),
        ("braintrust", "s.csv", "input,input\na,b\n", "s.csv:1: the column 'input' is there twice"),
        ("deepeval", "s.xlsx", "", "s.xlsx:1: no reader for '.xlsx' files"),
        ("mlflow", "s.json", "[]", "s.json: no cases"),
        ("inspect", "s.jsonl", '{"input": "a", "id": " "}\n', "s.jsonl:1: id: expected text"),
    ],
)
def test_what_cannot_be_read_is_refused_with_file_and_line(
    name: str, file_name: str, content: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(EvalSetError) as caught:
        read(tmp_path, name, file_name, content)
    assert str(caught.value).removeprefix(f"{tmp_path}/").startswith(reason)
