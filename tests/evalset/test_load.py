from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.errors import EvalSetError
from promptyard.evalset import IMPORTERS
from promptyard.evalset.load import cases_from_rows, read_cases, read_rows
from promptyard.records.base import Json
from promptyard.records.cases import SPLITS, Case, CheckSpec, case_id

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAME = TEXT.filter(lambda text: bool(text.strip()))
DATA: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=5,
)
CHECKS = st.builds(
    CheckSpec,
    type=NAME,
    severity=st.none() | st.sampled_from(["hard", "soft"]),
    tag=st.none() | TEXT,
    weight=st.floats(0.1, 10),
    options=st.dictionaries(st.sampled_from(["value", "field", "pattern"]), DATA, max_size=2),
)
CASES = st.builds(
    Case,
    id=NAME,
    input=st.dictionaries(TEXT, DATA, max_size=3),
    expected=DATA,
    rubric=st.none() | TEXT,
    checks=st.lists(CHECKS, max_size=2).map(tuple),
    kind=st.sampled_from(["representative", "edge", "adversarial"]),
    tags=st.lists(TEXT, max_size=2).map(tuple),
    cluster=st.none() | NAME,
    weight=st.floats(0.1, 10),
    split=st.none() | st.sampled_from(SPLITS),
    critical=st.booleans(),
    source=st.none() | TEXT,
)
CASE_LISTS = st.lists(CASES, min_size=1, max_size=4, unique_by=lambda case: case.id)


def write(path: Path, *rows: Json) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def refusal(*paths: Path, cluster_key: str | None = None) -> str:
    with pytest.raises(EvalSetError) as caught:
        read_cases(paths, cluster_key=cluster_key)
    message = str(caught.value)
    assert "\n" not in message
    return message


@settings(max_examples=40)
@given(cases=CASE_LISTS)
def test_written_cases_are_read_back(
    cases: list[Case], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cases")
    lines = write(folder / "cases.jsonl", *(case.model_dump(mode="json") for case in cases))
    array = folder / "cases.json"
    array.write_text(json.dumps([case.model_dump(mode="json") for case in cases]), "utf-8")
    assert read_cases([lines]).cases == read_cases([array]).cases == tuple(cases)


@settings(max_examples=40)
@given(cases=CASE_LISTS)
def test_rows_and_records_give_the_same_cases(cases: list[Case]) -> None:
    rows = [case.model_dump() for case in cases]
    assert cases_from_rows(rows) == cases_from_rows(cases) == tuple(cases)


def test_several_files_are_one_eval_set_in_their_order(tmp_path: Path) -> None:
    first = write(tmp_path / "a.jsonl", {"input": "1"}, {"input": "2"})
    second = tmp_path / "b.csv"
    second.write_text("input\n3\n", "utf-8")
    cases = read_cases([second, first]).cases
    assert [case.input["input"] for case in cases] == ["3", "1", "2"]


def test_an_id_that_is_there_twice_names_both_lines(tmp_path: Path) -> None:
    first = write(tmp_path / "a.jsonl", {"id": "c1", "input": "1"}, {"id": "c2", "input": "2"})
    second = write(tmp_path / "b.jsonl", {"id": "c2", "input": "3"}, {"id": "c1", "input": "4"})
    message = refusal(first, second)
    assert f"{second}:1: id 'c2' is already used at {first}:2" in message
    assert message.endswith("(and 1 more)")


def test_every_row_that_is_no_case_has_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"inptu": "1"}, {"input": "2"}, {"input": 3}, {"input": "2"})
    path.write_text(path.read_text("utf-8") + "{oops\n", "utf-8")
    with pytest.raises(EvalSetError) as caught:
        read_cases([path])
    starts = (
        "1: inptu: unknown key",
        "3: input: expected",
        "4: the case is the same",
        "5: not JSON",
    )
    for line, start in zip(caught.value.lines, starts, strict=True):
        assert line.startswith(f"{path}:{start}")


def test_the_same_case_twice_names_both_lines(tmp_path: Path) -> None:
    row = {"input": "1", "expected": "x"}
    path = write(tmp_path / "a.jsonl", row, {"input": "1", "expected": "y"}, row)
    message = refusal(path)
    assert f"{path}:3: the case is the same as the one at {path}:1" in message
    assert case_id({"input": "1"}, "x") not in message


def test_python_rows_are_named_by_their_position() -> None:
    with pytest.raises(EvalSetError, match=r"^cases\[1\]: inptu: unknown key; did you mean 'inpu"):
        cases_from_rows([{"input": "a"}, {"inptu": "b"}])
    with pytest.raises(EvalSetError, match=r"^rows\[2\]: id 'x' is already used at rows\[0\]"):
        cases_from_rows(
            [{"id": "x", "input": "a"}, {"input": "b"}, Case(id="x", input={})], source="rows"
        )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("text", "expected a dict or a Case, got str"),
        (("a", "b"), "expected a dict or a Case, got tuple"),
        (Case(id=" ", input={"a": 1}), "id: expected text that is not blank"),
        (Case(id="c", input={"a": float("nan")}), "input.a: non-finite number"),
        (Case(id="c", input={}, expected=[float("inf")]), "expected[0]: non-finite number"),
    ],
)
def test_what_is_no_case_is_refused(row: Json, reason: str) -> None:
    with pytest.raises(EvalSetError) as caught:
        cases_from_rows([{"input": "ok"}, row])
    assert str(caught.value).startswith(f"cases[1]: {reason}")


def test_no_cases_are_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "cases.jsonl")
    assert refusal(path).startswith(f"{path}: no cases; add at least one")
    with pytest.raises(EvalSetError, match=r"^cases: no cases"):
        cases_from_rows([])
    assert "no case files were named" in refusal()


def test_a_missing_file_says_where_it_was_looked_for(tmp_path: Path) -> None:
    message = refusal(tmp_path / "casse.jsonl")
    assert message.startswith(f"{tmp_path / 'casse.jsonl'}: there is no such case file")
    assert f"(looked in {tmp_path})" in message


def test_a_folder_is_no_case_file(tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").mkdir()
    assert "cannot be read: Is a directory" in refusal(tmp_path / "cases.jsonl")


def test_an_unknown_kind_of_file_names_the_nearest_known_one(tmp_path: Path) -> None:
    assert "no importer reads '.jsnl' files; did you mean '.jsonl'?" in refusal(tmp_path / "a.jsnl")
    message = refusal(tmp_path / "a.xlsx")
    assert "no importer reads '.xlsx' files; known: .jsonl, .ndjson, .json, .csv, .tsv" in message


def test_suffixes_may_be_in_capitals(tmp_path: Path) -> None:
    assert len(read_cases([write(tmp_path / "CASES.JSONL", {"input": "a"})]).cases) == 1


def test_further_importers_may_be_given(tmp_path: Path) -> None:
    class OneWordALine:
        name = "words"

        def read(self, path: Path) -> Iterator[tuple[int, Mapping[str, Json]]]:
            yield from enumerate(({"input": word} for word in path.read_text().split()), 1)

    path = tmp_path / "cases.words"
    path.write_text("one two")
    cases = read_cases([path], importers={**IMPORTERS, ".words": OneWordALine}).cases
    assert [case.input for case in cases] == [{"input": "one"}, {"input": "two"}]


def test_the_cluster_is_read_from_a_variable_or_a_tag() -> None:
    rows: list[Json] = [
        {"input": {"text": "a", "thread": "t1"}},
        {"input": {"text": "b", "thread": 7}},
        {"input": {"text": "c", "thread": {"y": 1, "x": 2}}},
        {"input": {"text": "d"}, "tags": ["other:1", "thread:t1"]},
        {"input": {"text": "e", "thread": "t1"}, "cluster": "own"},
        {"input": {"text": "f", "thread": None}, "tags": ["thread"]},
        {"input": {"text": "g", "thread": " "}},
    ]
    clusters = [case.cluster for case in cases_from_rows(rows, cluster_key="thread")]
    assert clusters == ["t1", "7", '{"x":2,"y":1}', "t1", "own", None, None]


def test_the_cluster_does_not_change_the_id() -> None:
    row = {"input": {"text": "a", "thread": "t1"}}
    (with_key,) = cases_from_rows([row], cluster_key="thread")
    (without,) = cases_from_rows([row])
    assert with_key == without.model_copy(update={"cluster": "t1"})


def test_a_cluster_key_that_no_case_has_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"input": {"thread_id": 1}, "tags": ["topic:x", "plain"]})
    message = refusal(path, cluster_key="thread")
    assert message.startswith(f"{path}: splits.cluster: no case has an input variable or a tag")
    assert "named 'thread'; did you mean 'thread_id'?" in message
    assert "known: thread_id, topic" in refusal(path, cluster_key="zzz")


def test_a_retired_case_is_left_out_and_counted(tmp_path: Path) -> None:
    first = write(
        tmp_path / "a.jsonl",
        {"id": "kept", "input": "x"},
        {"id": "gone", "input": "y", "retired": "its label is wrong"},
        {"id": "null", "input": "z", "retired": None},
    )
    second = tmp_path / "b.csv"
    second.write_text("id,text,retired\nc1,hello,\nc2,bye,a duplicate\n")
    loaded = read_cases([first, second])
    assert [case.id for case in loaded.cases] == ["kept", "null", "c1"]
    assert loaded.retired == {"gone": "its label is wrong", "c2": "a duplicate"}
    assert loaded.positions["gone"] == f"{first}:2"
    assert loaded.positions["c2"] == f"{second}:3"
    assert "retired" not in loaded.cases[-1].input


def test_the_id_of_a_retired_case_is_not_free_again(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        {"id": "one", "input": "x", "retired": "wrong"},
        {"id": "one", "input": "y"},
    )
    assert "id 'one' is already used at" in refusal(path)


@pytest.mark.parametrize("reason", [True, "", "  ", 3, ["x"]])
def test_a_case_is_retired_for_a_reason_in_words(tmp_path: Path, reason: Json) -> None:
    path = write(tmp_path / "a.jsonl", {"input": "x", "retired": reason})
    assert ": retired: expected the reason as a text" in refusal(path)


def test_a_set_of_retired_cases_only_is_empty(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"input": "x", "retired": "old"})
    assert "every case is retired" in refusal(path)


def test_a_row_of_python_can_be_retired_too() -> None:
    loaded = read_rows([{"id": "a", "input": "x"}, {"id": "b", "input": "y", "retired": "old"}])
    assert [case.id for case in loaded.cases] == ["a"]
    assert loaded.retired == {"b": "old"}
