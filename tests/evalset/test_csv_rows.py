from __future__ import annotations

import csv
import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.errors import EvalSetError
from promptyard.evalset.case_row import EXPECTED_ALIASES
from promptyard.evalset.csv_rows import CsvRows
from promptyard.evalset.load import read_cases
from promptyard.records.base import Json
from promptyard.records.cases import CheckSpec

CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def read(path: Path, content: str) -> list[tuple[int, Json]]:
    path.write_bytes(content.encode())
    return list(CsvRows().read(path))


def rows_of(path: Path, content: str) -> list[Json]:
    return [row for _, row in read(path, content)]


def refusal(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(EvalSetError) as caught:
        list(CsvRows().read(path))
    message = str(caught.value)
    assert "\n" not in message
    return message


@given(
    rows=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=6),
    delimiter=st.sampled_from([",", ";", "\t"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_any_text_in_a_cell_is_read_back(
    rows: list[tuple[str, str, str]],
    delimiter: str,
    line_end: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerow(["id", "first text", "input.second, really", "third;\tx"])
    for number, cells in enumerate(rows):
        writer.writerow([str(number), *cells])
    found = rows_of(tmp_path_factory.mktemp("csv") / "cases.csv", file.getvalue())
    assert found == [
        {"id": str(n), "input": {"first text": a, "second, really": b, "third;\tx": c}}
        for n, (a, b, c) in enumerate(rows)
    ]


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("cases.csv", "id,text,expected"),
        ("cases.csv", "id;text;expected"),
        ("cases.csv", "id\ttext\texpected"),
        ("cases.tsv", "id\ttext\texpected"),
    ],
)
def test_the_delimiter_is_found_in_the_header(name: str, header: str, tmp_path: Path) -> None:
    row = header.replace("id", "c1").replace("text", '"a, b; c\td"').replace("expected", "yes")
    assert rows_of(tmp_path / name, f"{header}\n{row}\n") == [
        {"id": "c1", "input": {"text": "a, b; c\td"}, "expected": "yes"}
    ]


def test_known_columns_decide_between_delimiters(tmp_path: Path) -> None:
    content = "question, if any, at all;expected\nhow;so\n"
    assert rows_of(tmp_path / "cases.csv", content) == [
        {"input": {"question, if any, at all": "how"}, "expected": "so"}
    ]


def test_commas_are_text_in_a_tsv_header(tmp_path: Path) -> None:
    content = "question, if any, at all\nhow, so\n"
    assert rows_of(tmp_path / "cases.tsv", content) == [
        {"input": {"question, if any, at all": "how, so"}}
    ]


def test_every_column_finds_its_place(tmp_path: Path) -> None:
    content = (
        "ID,Text,input.id,Ground_Truth,kind,tags,cluster,split,weight,checks\n"
        'c1,hello,9,(A),edge,a; b ;,k,dev,2.5,"[""is_json"", {""type"": ""contains"", '
        '""value"": ""x""}]"\n'
    )
    path = tmp_path / "cases.csv"
    path.write_text(content, "utf-8")
    (case,) = read_cases([path]).cases
    assert case.id == "c1"
    assert case.input == {"Text": "hello", "id": "9"}
    assert case.expected == "(A)"
    assert (case.kind, case.cluster, case.split, case.weight) == ("edge", "k", "dev", 2.5)
    assert case.tags == ("a", "b")
    assert case.checks == (
        CheckSpec(type="is_json"),
        CheckSpec(type="contains", options={"value": "x"}),
    )


@pytest.mark.parametrize(
    "alias",
    ["expected", *EXPECTED_ALIASES, "Label", " Ground_Truth "],
)
def test_expected_has_the_names_that_other_formats_use(alias: str, tmp_path: Path) -> None:
    content = f"text,{alias}\nhello,yes\n"
    assert rows_of(tmp_path / "cases.csv", content) == [
        {"input": {"text": "hello"}, "expected": "yes"}
    ]


@pytest.mark.parametrize(
    ("column", "key"), [("expected", "expected"), ("tags", "tags"), ("checks", "checks")]
)
def test_json_in_a_cell_is_parsed_where_it_means_something(
    column: str, key: str, tmp_path: Path
) -> None:
    content = f'text,{column}\n"[1]"," [""a"", ""b""]"\n'
    assert rows_of(tmp_path / "cases.csv", content) == [{"input": {"text": "[1]"}, key: ["a", "b"]}]


def test_the_input_column_holds_one_variable_or_all(tmp_path: Path) -> None:
    content = 'input,lang\nplain,de\n"{""a"": 1, ""b"": [2]}",en\n[note] x,fr\n"{}",it\n'
    assert rows_of(tmp_path / "cases.csv", content) == [
        {"input": {"input": "plain", "lang": "de"}},
        {"input": {"a": 1, "b": [2], "lang": "en"}},
        {"input": {"input": "[note] x", "lang": "fr"}},
        {"input": {"lang": "it"}},
    ]


def test_numbers_and_words_stay_text(tmp_path: Path) -> None:
    content = "n,expected\n007,1.50\ntrue,null\n"
    assert rows_of(tmp_path / "cases.csv", content) == [
        {"input": {"n": "007"}, "expected": "1.50"},
        {"input": {"n": "true"}, "expected": "null"},
    ]


def test_an_empty_cell_is_an_empty_text_or_nothing_given(tmp_path: Path) -> None:
    content = "text,expected,kind,split,tags,weight\n,,,,,\n"
    assert rows_of(tmp_path / "cases.csv", content) == [{"input": {"text": ""}}]


def test_rows_know_the_line_on_which_they_begin(tmp_path: Path) -> None:
    content = '\n\ntext,expected\n"a\nb\n",x\n\nc,y\n'
    assert read(tmp_path / "cases.csv", content) == [
        (4, {"input": {"text": "a\nb\n"}, "expected": "x"}),
        (8, {"input": {"text": "c"}, "expected": "y"}),
    ]


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"a,b\n1,2\n1,2,3\n", 3, "3 cells, but the header has 2 columns"),
        (b'a,b\n"1\n2",2\n1\n', 4, "1 cells, but the header has 2 columns"),
        (b"a,b\n1,\xff\n", 2, "not UTF-8"),
        (b'a,b\n1,"2\n3,4\n', 2, "unexpected end of data"),
        (b'a,b\n1,"2"x\n', 2, "not CSV"),
        (b"a,,c\n1,2,3\n", 1, "column 2 has no name"),
        (b"a,input.\n1,2\n", 1, "write input.<name>"),
        (b"a,b,a\n1,2,3\n", 1, "columns 'a' and 'a' both give the variable 'a'"),
        (b"a,input.a\n1,2\n", 1, "columns 'a' and 'input.a' both give the variable 'a'"),
        (b"input,input.input\n1,2\n", 1, "both give the variable 'input'"),
        (b"a,expected,label\n1,2,3\n", 1, "columns 'expected' and 'label' both give 'expected'"),
        (b"id,expected\n1,2\n", 1, "no column is an input variable"),
        (b'a,expected\n1,"{""x"": NaN}"\n', 2, "expected: non-finite number NaN"),
        (b'a,Label\n1,"{""x"": 1, ""x"": 2}"\n', 2, "Label: the key 'x' stands twice"),
        (b"a,weight\n1,heavy\n", 2, "weight: expected a number, got 'heavy'"),
        (b"a,checks\n1,is_json\n", 2, "checks: expected a JSON list of checks; not JSON"),
        (b'a,input\n1,"{""a"": 2}"\n', 2, "the variable 'a' is given twice"),
    ],
)
def test_a_bad_row_is_refused_with_file_and_line(
    content: bytes, line: int, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "cases.csv"
    message = refusal(path, content)
    assert message.startswith(f"{path}:{line}: ")
    assert reason in message


def test_a_cell_may_be_long(tmp_path: Path) -> None:
    long = "x, " * 100_000
    assert rows_of(tmp_path / "cases.csv", f'text\n"{long}"\n') == [{"input": {"text": long}}]


def test_a_quote_that_is_never_closed_does_not_swallow_the_file(tmp_path: Path) -> None:
    content = b'text\nok\n"open\n' + b"x" * 1000 * 1000 + b"\n" + b"y\n" * 200_000
    message = refusal(tmp_path / "cases.csv", content)
    assert "cases.csv:3: " in message
    assert "may not be closed" in message


def test_reading_needs_memory_for_a_row_and_not_for_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_bytes(b"text,expected\n" + (b"x" * 5_000 + b",yes\n") * 2_000)  # 10 MB
    tracemalloc.start()
    try:
        assert sum(1 for _ in CsvRows().read(path)) == 2_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_the_keys_that_plain_columns_cannot_say_stand_in_columns_of_their_own(
    tmp_path: Path,
) -> None:
    path = tmp_path / "cases.csv"
    content = 'text,case.expected,case.rubric,case.critical\na,5,"""short""",true\nb,,,\n'
    assert rows_of(path, content) == [
        {"input": {"text": "a"}, "expected": 5, "rubric": "short", "critical": True},
        {"input": {"text": "b"}},
    ]
    assert refusal(path, b"text,case.expectd\na,1\n").endswith(
        ":1: case.expectd: no such key of a case; did you mean 'expected'?"
    )
    assert "case.rubric: expected JSON; not JSON" in refusal(path, b"text,case.rubric\na,short\n")


def test_a_sign_before_a_formula_is_taken_off_where_the_row_says_so(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    content = 'text,note,case.escaped\n\'=1+1,\'kept,"[""text""]"\n\'a,b,\n'
    assert [row["input"] for row in rows_of(path, content)] == [
        {"text": "=1+1", "note": "'kept"},
        {"text": "'a", "note": "b"},
    ]
    assert "expected a JSON list" in refusal(path, b'text,case.escaped\na,"{}"\n')
