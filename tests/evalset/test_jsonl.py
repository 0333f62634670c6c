from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.errors import EvalSetError
from promptyard.evalset.jsonl import JsonLines
from promptyard.records.base import Json

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def read(path: Path) -> list[tuple[int, Json]]:
    return list(JsonLines().read(path))


def refusal(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "cases.jsonl"
    path.write_bytes(content)
    with pytest.raises(EvalSetError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


@settings(max_examples=50)
@given(rows=st.lists(st.dictionaries(TEXT, VALUES, max_size=4), max_size=5))
def test_what_json_writes_is_read_back(
    rows: list[dict[str, Json]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("rows") / "cases.jsonl"
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines), "utf-8", newline="")
    assert [row for _, row in read(path)] == rows


def test_blank_lines_are_skipped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_bytes(b'\xef\xbb\xbf\r\n{"input": "a"}\r\n \t\r\n{"input": "b"}')
    assert read(path) == [(2, {"input": "a"}), (4, {"input": "b"})]


def test_line_separators_inside_a_text_do_not_end_the_line(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text('{"input": "a\u2028b\u0085c\x7f"}\n', "utf-8")
    assert read(path) == [(1, {"input": "a\u2028b\u0085c\x7f"})]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"input": NaN}', "non-finite number NaN"),
        (b'{"input": {"x": [-Infinity]}}', "non-finite number -Infinity"),
        (b'{"input": 1e999}', "non-finite number 1e999"),
        (b'{"input": "a", "input": "b"}', "the key 'input' stands twice"),
        (b'{"input": {"a": 1, "b": 2, "a": 3}}', "the key 'a' stands twice"),
        (b'{"input": "a"', "not JSON: Expecting ',' delimiter"),
        (b'{"input": "a"} {"input": "b"}', "more text behind the value (column 16, near"),
        (b'["a"]', "expected an object with the key 'input', got list"),
        (b'"a"', "expected an object with the key 'input', got str"),
        (b'{"input": ' + b"9" * 5000 + b"}", "too many digits"),
        (b'{"input": "a\xffb"}', "byte 13 of the line is not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
    ],
)
def test_a_bad_line_is_refused_with_file_and_line(line: bytes, reason: str, tmp_path: Path) -> None:
    message = refusal(tmp_path, b'{"input": "ok"}\n\n' + line + b"\n")
    assert f"{tmp_path / 'cases.jsonl'}:3: " in message
    assert reason in message


@pytest.mark.parametrize(
    ("line", "where"),
    [
        (
            b'{"input": "a", "expected": ',
            'column 27, where the text ends, near `"input": "a", "expected":`',
        ),
        (b'{"input": "a", "expected": "b', 'column 28, near `input": "a", "expected": "b`'),
        (b'{"input": "a" "expected": "b"}', 'column 15, near `{"input": "a" "expected": "b"}`'),
        (b"{'input': \"a\"}", "column 2, near"),
        (b'{"input": "' + b"x" * 900 + b'",}', "column 914, near"),
        ('{"input": "\U0001f600" x}'.encode(), "column 15, near"),
        (b"oops", "column 1, near `oops`"),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_a_broken_line_shows_the_column_and_what_stands_there(
    line: bytes, where: str, end: bytes, tmp_path: Path
) -> None:
    message = refusal(tmp_path, b'{"input": "ok"}\n' + line + end)
    assert message.startswith(f"{tmp_path / 'cases.jsonl'}:2: not JSON: ")
    assert where in message
    assert message.endswith("; check quotes, commas and brackets")
    assert len(message) < len(str(tmp_path)) + 250


def test_a_line_may_have_one_mebibyte_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    frame = len(b'{"input": ""}')
    full = b'{"input": "' + b"x" * ((1 << 20) - frame) + b'"}'
    path.write_bytes(full + b"\r\n" + full)
    assert [len(row["input"]) for _, row in read(path)] == [(1 << 20) - frame] * 2
    message = refusal(tmp_path, full + b"\n" + full[:-2] + b'x"}\n')
    assert "cases.jsonl:2: the line is longer than 1 MiB" in message


def test_reading_needs_memory_for_a_line_and_not_for_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    line = json.dumps({"input": "x" * 10_000}).encode() + b"\n"
    path.write_bytes(line * 2_000)  # 20 MB
    tracemalloc.start()
    try:
        assert sum(1 for _ in JsonLines().read(path)) == 2_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000
