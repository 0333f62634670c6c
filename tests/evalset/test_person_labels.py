"""Labels of people are read from tables and cases; what is none is an error with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptyard.errors import EvalSetError
from promptyard.evalset.person_labels import (
    FAILED,
    PASSED,
    UNDECIDED,
    labels_of_cases,
    read_person_labels,
)
from promptyard.records.base import Json
from promptyard.records.cases import Case


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_of_case_label_and_output(tmp_path: Path) -> None:
    path = written(tmp_path / "l.csv", 'case_id,label,output\nc1,pass,"Hello, Ann"\nc2,FAIL,\n')
    first, second = read_person_labels(path)
    assert (first.case_id, first.label, first.output) == ("c1", "pass", "Hello, Ann")
    assert (second.case_id, second.label, second.output) == ("c2", "fail", "")


def test_a_table_without_outputs_leaves_them_open(tmp_path: Path) -> None:
    (label,) = read_person_labels(written(tmp_path / "l.csv", "id;label\nc1;1\n"))
    assert (label.output, label.output_hash, label.metric) == (None, None, None)


def test_rows_of_a_labelling_session_are_read(tmp_path: Path) -> None:
    row = {"case_id": "c1", "label": "pass", "metric": "tone", "output": None,
           "output_hash": "ab", "labeller": "ann", "at": "2026-01-01T00:00:00+00:00"}  # fmt: skip
    (label,) = read_person_labels(written(tmp_path / "labels.jsonl", json.dumps(row) + "\n"))
    assert (label.metric, label.output, label.output_hash) == ("tone", None, "ab")


@pytest.mark.parametrize("word", [*PASSED, "PASS", " Yes ", True, 1, 1.0])
def test_words_for_a_pass(tmp_path: Path, word: Json) -> None:
    assert _one(tmp_path, word) == "pass"


@pytest.mark.parametrize("word", [*FAILED, "Fail", False, 0, 0.0])
def test_words_for_a_fail(tmp_path: Path, word: Json) -> None:
    assert _one(tmp_path, word) == "fail"


def _one(tmp_path: Path, word: Json) -> str:
    row = json.dumps({"case_id": "c1", "label": word})
    (label,) = read_person_labels(written(tmp_path / "l.jsonl", row + "\n"))
    return label.label


@pytest.mark.parametrize("word", [*UNDECIDED, None])
def test_what_nobody_decided_is_left_out(tmp_path: Path, word: Json) -> None:
    rows = [{"case_id": "c1", "label": word}, {"case_id": "c2", "label": "pass"}]
    path = written(tmp_path / "l.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert [label.case_id for label in read_person_labels(path)] == ["c2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"case": "c1", "label": "pass"}', "l.jsonl:1: no case_id; did you mean 'case'?"),
        ('{"case_id": " ", "label": "pass"}', "l.jsonl:1: no case_id"),
        ('{"case_id": ["c1"], "label": "pass"}', "l.jsonl:1: no case_id"),
        ('{"case_id": "c1", "lable": "pass"}', "l.jsonl:1: no label; did you mean 'lable'?"),
        ('{"case_id": "c1", "label": "maybe"}', "l.jsonl:1: label: expected pass or fail, got"),
        ('{"case_id": "c1", "label": 0.5}', "l.jsonl:1: label: expected pass or fail, got '0.5'"),
        ('{"case_id": "c1", "label": 1, "output": {}}', "l.jsonl:1: output: expected text"),
        ('{"case_id": "c1", "label": ""}', "no labels; write rows of case_id and label"),
        ("", "no labels; write rows of case_id and label"),
        ("{", "l.jsonl:1"),
    ],
)
def test_a_row_that_is_no_label_is_an_error_of_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(EvalSetError) as raised:
        read_person_labels(written(tmp_path / "l.jsonl", text + "\n"))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvalSetError, match="there is no such labels file"):
        read_person_labels(tmp_path / "none.csv")
    with pytest.raises(EvalSetError, match="no reader for"):
        read_person_labels(written(tmp_path / "l.txt", "x"))


def test_labels_stand_in_an_input_a_tag_or_the_expectation() -> None:
    cases = [
        Case(id="a", input={"human": "pass"}),
        Case(id="b", input={"text": "t"}, tags=("human:fail", "x")),
        Case(id="c", input={"text": "t"}, expected={"human": True}),
        Case(id="d", input={"text": "t"}, expected="human"),
        Case(id="e", input={"human": "unsure"}),
    ]
    found = [(label.case_id, label.label) for label in labels_of_cases(cases, "human")]
    assert found == [("a", "pass"), ("b", "fail"), ("c", "pass")]


def test_a_column_that_no_case_has_is_an_error() -> None:
    cases = [Case(id="a", input={"humans": "pass"})]
    with pytest.raises(EvalSetError, match="did you mean 'humans'"):
        labels_of_cases(cases, "human")
    with pytest.raises(EvalSetError, match="case 'a': humans: expected pass or fail"):
        labels_of_cases([Case(id="a", input={"humans": [1]})], "humans")
