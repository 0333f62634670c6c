from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptyard.errors import EvalSetError
from promptyard.evalset.json_array import MAX_FILE_BYTES, JsonArray
from promptyard.evalset.load import read_cases
from promptyard.evalset.split import assign_splits
from promptyard.records.base import Json
from promptyard.records.cases import Case


def read(path: Path, content: str) -> list[tuple[int, Json]]:
    path.write_text(content, "utf-8")
    return list(JsonArray().read(path))


def test_an_array_gives_its_rows_with_their_lines(tmp_path: Path) -> None:
    content = '\n[\n  {"input": "a"},\n  {\n   "input": "b"},{"input": "c"}\n]\n'
    rows = read(tmp_path / "cases.json", content)
    assert rows == [(3, {"input": "a"}), (4, {"input": "b"}), (5, {"input": "c"})]


def test_cases_may_stand_under_a_key(tmp_path: Path) -> None:
    content = '{"name": "x",\n "cases": [\n {"input": "a"}],\n "version": "v"}'
    assert read(tmp_path / "cases.json", content) == [(3, {"input": "a"})]


def test_a_written_eval_set_can_be_read(tmp_path: Path) -> None:
    cases = [
        Case(id=f"c{number}", input={"text": f"t{number}"}, expected={"n": number})
        for number in range(30)
    ]
    eval_set = assign_splits(cases, seed=1, train=0.4, dev=0.3, holdout=0.3, name="written")
    path = tmp_path / "cases.json"
    path.write_text(eval_set.model_dump_json(indent=1), "utf-8")
    assert read_cases([path]).cases == eval_set.cases


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ('[{"input": "a"}\n\n {"input": "b"}]', 3, "expected ',', got '{'"),
        ('[{"input": "a"},\n]', 2, "not JSON: Expecting value"),
        ('[\n{"input": NaN}]', 2, "non-finite number NaN"),
        ('[\n\n{"input": 1, "input": 2}]', 3, "the key 'input' stands twice"),
        ("[\n7]", 2, "expected an object with the key 'input', got int"),
        ('[{"input": "a"}]\n x', 2, "more text behind the value"),
        ('{"cases": []}\n x', 2, "more text behind the value"),
        ('{"case":\n []}', 1, "case: unknown key; did you mean 'cases'?"),
        ('{"name": "x"}', 1, "cases: required key is missing"),
        ('{"cases": [],\n "cases": []}', 2, "the key 'cases' stands twice"),
        ('{"cases": {"a": 1}}', 1, "expected an array of cases ('['), got '{'"),
        ('{"cases"\n []}', 2, "expected ':', got '['"),
        ("{7: []}", 1, "expected a key in double quotes"),
        ('[{"input": "a"}', 1, "expected ',', got the end of the file"),
        ("nothing", 1, "expected an array of cases ('['), got 'n'"),
    ],
)
def test_a_bad_file_is_refused_with_file_and_line(
    content: str, line: int, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "cases.json"
    with pytest.raises(EvalSetError) as caught:
        read(path, content)
    assert f"{path}:{line}: " in str(caught.value)
    assert reason in str(caught.value)


def test_a_file_that_is_too_large_should_be_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "cases.json"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(EvalSetError, match=r"cases\.json:1: .*larger than 64 MiB.*\.jsonl"):
        list(JsonArray().read(path))


def test_lines_are_found_quickly_in_a_large_file(tmp_path: Path) -> None:
    rows = [{"input": {"text": "x" * 100, "n": number}} for number in range(20_000)]
    found = read(tmp_path / "cases.json", json.dumps(rows, indent=1))
    assert found[0][0] == 2
    assert found[-1] == (2 + 6 * 19_999, rows[-1])
