from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from promptyard.errors import EvalSetError
from promptyard.evalset.foreign.table import (
    checked_mapping,
    guess_columns,
    read_table,
    variable_name,
)
from promptyard.records.base import Json
from promptyard.records.imported import ImportedSet


def write(folder: Path, content: str | list[Mapping[str, Json]]) -> Path:
    path = folder / ("t.csv" if isinstance(content, str) else "t.jsonl")
    lines = content if isinstance(content, str) else "".join(json.dumps(r) + "\n" for r in content)
    path.write_text(lines, encoding="utf-8")
    return path


def read(path: Path, **given: str) -> ImportedSet:
    return read_table(path, checked_mapping(path, guess_columns(path), given))


@pytest.mark.parametrize(
    ("table", "guess"),
    [
        ("question,answer\na,b\n", {"question": "input.question", "answer": "expected"}),
        ("Query,Ground Truth\na,b\n", {"Query": "input.Query", "Ground Truth": "expected"}),
        ("prompt,expectedOutput\na,b\n", {"prompt": "input.prompt", "expectedOutput": "expected"}),
        ("text,label,output\na,b,c\n", {"text": "input.text", "label": "expected", "output": "-"}),
        ("text,output\na,b\n", {"text": "input.text", "output": "expected"}),
        ("_id,text,split\n1,a,test\n", {"_id": "id", "text": "input.text", "split": "split"}),
        ("text,split\na,left\n", {"text": "input.text", "split": "input.split"}),
        ("text,kind\na,edge\n", {"text": "input.text", "kind": "kind"}),
        ("text,kind\na,maths\n", {"text": "input.text", "kind": "tags"}),
        ("text,thread_id\na,t\n", {"text": "input.text", "thread_id": "cluster"}),
        ("Ticket ID,text\n1,a\n2,b\n", {"Ticket ID": "id", "text": "input.text"}),
        (
            "user_id,text\n1,a\n1,b\n",
            {"user_id": "input.user_id", "text": "input.text"},
        ),
        (
            "id,row_id,text\n1,5,a\n2,6,b\n",
            {"id": "id", "row_id": "input.row_id", "text": "input.text"},
        ),
        ("row_id,answer\n5,a\n6,b\n", {"row_id": "input.row_id", "answer": "expected"}),
        ('vars,gold\n"{""a"": 1}",b\n', {"vars": "input", "gold": "expected"}),
        ('text,meta\na,"{""k"": 1}"\n', {"text": "input.text", "meta": "tags"}),
        ("User text!,1st\na,b\n", {"User text!": "input.User_text", "1st": "input._1st"}),
    ],
)
def test_columns_are_guessed_by_their_names_and_values(
    table: str, guess: Mapping[str, str], tmp_path: Path
) -> None:
    assert guess_columns(write(tmp_path, table)) == guess


def test_a_column_whose_values_repeat_far_down_is_no_id(tmp_path: Path) -> None:
    rows = "".join(f"{n % 250},t{n}\n" for n in range(260))
    assert guess_columns(write(tmp_path, f"user_id,text\n{rows}"))["user_id"] == "input.user_id"


def test_rows_are_read_by_the_mapping(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "id,question,answer,level,tags,split,weight,critical,junk\n"
        'a1,2+2?,4,easy,x; y,test,2,yes,z\na2,3+3?,"[6, ""six""]",hard,,train,,no,z\n',
    )
    found = read(path, level="tags", junk="-")
    assert [item.row for item in found.rows_with_all_checks()] == [
        {
            "id": "a1",
            "input": {"question": "2+2?"},
            "expected": "4",
            "tags": ["level:easy", "x", "y"],
            "split": "holdout",
            "weight": 2.0,
            "critical": True,
            "checks": [{"type": "equals"}],
        },
        {
            "id": "a2",
            "input": {"question": "3+3?"},
            "expected": [6, "six"],
            "tags": ["level:hard"],
            "split": "train",
            "critical": False,
            "checks": [{"type": "equals"}],
        },
    ]
    assert found.rows[0].at == f"{path}:2"
    assert "left out: junk" in found.notes
    assert any("`equals` is a guess" in note for note in found.notes)


def test_native_rows_keep_their_keys(tmp_path: Path) -> None:
    rows: list[Mapping[str, Json]] = [
        {
            "id": "a",
            "input": {"x": "1"},
            "expected": 5,
            "checks": [{"type": "regex", "pattern": "5"}],
        },
        {"input": "plain", "tags": ["t"], "source": "s"},
    ]
    found = read(write(tmp_path, rows))
    assert [item.row for item in found.rows] == [
        rows[0],
        {"input": {"input": "plain"}, "tags": ["t"], "source": "s"},
    ]


def test_what_a_user_says_goes_before_the_guess(tmp_path: Path) -> None:
    path = write(tmp_path, "question,answer,solution\na,b,c\n")
    assert checked_mapping(path, guess_columns(path), {"solution": "expected"}) == {
        "question": "input.question",
        "answer": "-",
        "solution": "expected",
    }


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"questoin": "input"}, "--map: no column 'questoin'; did you mean 'question'?"),
        (
            {"question": "expectd"},
            "--map: 'expectd' is no field of a case; did you mean 'expected'?",
        ),
        ({"question": "input."}, "--map: 'input.' is no field of a case"),
        ({"question": "-"}, "no column is the input; say which with --map COLUMN=input.NAME"),
        (
            {"question": "expected", "answer": "expected"},
            "columns question, answer are all 'expected'; say which",
        ),
    ],
)
def test_a_mapping_that_cannot_be_is_refused(
    given: Mapping[str, str], reason: str, tmp_path: Path
) -> None:
    path = write(tmp_path, "question,answer\na,b\n")
    with pytest.raises(EvalSetError) as caught:
        checked_mapping(path, guess_columns(path), given)
    assert str(caught.value).removeprefix(f"{path}: ").startswith(reason)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("question,answer\n", ": no rows"),
        ("question,weight\na,heavy\n", ":2: weight: expected a number, got 'heavy'"),
        ("question,critical\na,perhaps\n", ":2: critical: expected true or false, got 'perhaps'"),
        ("question,question\na,b\n", ":1: the column 'question' is there twice"),
    ],
)
def test_a_row_that_is_no_case_is_refused_with_its_line(
    table: str, reason: str, tmp_path: Path
) -> None:
    path = write(tmp_path, table)
    with pytest.raises(EvalSetError) as caught:
        read(path)
    assert str(caught.value).removeprefix(str(path)) == reason


def test_names_become_names_that_a_prompt_can_use() -> None:
    assert [variable_name(name) for name in ("a b", "é", " x-y ", "2nd")] == [
        "a_b",
        "column",
        "x_y",
        "_2nd",
    ]
