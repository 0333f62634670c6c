"""Case files are replaced as a whole or not at all; lines that are not edited keep their bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptyard.errors import EvalSetError
from promptyard.evalset.case_file import Draft, FileEdit, edited, require_editable

PATH = Path("cases.jsonl")
ODD = b'\xef\xbb\xbf{"input":"a"}\r\n\r\n  {"input" : "b"}\r\n{"input": "c"}'


def test_lines_that_are_not_edited_keep_their_bytes() -> None:
    after = edited(PATH, ODD, FileEdit(values={3: {"retired": "x"}}))
    assert after == ODD.replace(b'"b"}', b'"b", "retired" : "x"}')
    first = edited(PATH, ODD, FileEdit(values={1: {"retired": "x"}}, ids={1: "i"}))
    assert first == ODD.replace(b'"a"}', b'"a","id":"i","retired":"x"}')


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b'{"n": 1}\n'),
        (b'{"a": 1}', b'{"a": 1}\n{"n": 1}\n'),
        (b'{"a": 1}\n', b'{"a": 1}\n{"n": 1}\n'),
        (b'{"a": 1}\r\n', b'{"a": 1}\r\n{"n": 1}\r\n'),
        (b'{"a": 1}\r\n{"b": 1}', b'{"a": 1}\r\n{"b": 1}\r\n{"n": 1}\r\n'),
        (b'{"a": 1}\n\n', b'{"a": 1}\n\n{"n": 1}\n'),
    ],
)
def test_rows_are_appended_with_the_line_ends_of_the_file(before: bytes, after: bytes) -> None:
    assert edited(PATH, before, FileEdit(rows=['{"n": 1}'])) == after


def test_a_line_that_cannot_be_edited_is_named() -> None:
    with pytest.raises(EvalSetError, match=r"^cases\.jsonl:1: expected one JSON object$"):
        edited(PATH, b"[]\n", FileEdit(values={1: {"a": 1}}))


def test_only_json_lines_are_edited_and_others_hear_what_to_do() -> None:
    require_editable(Path("a.NDJSON"))
    for name in ("a.csv", "a.parquet", "a.json"):
        with pytest.raises(EvalSetError, match=rf"^{name}: .*evalset export.*task\.yaml$"):
            require_editable(Path(name))


def test_a_file_is_new_once_it_is_published_and_never_in_between(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_bytes(b"old\n")
    path.chmod(0o640)
    with Draft(path, b"old\n", b"new\n") as draft:
        assert path.read_bytes() == b"old\n"
        assert draft.draft.suffix == ".jsonl"
        draft.publish()
    assert path.read_bytes() == b"new\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [item.name for item in tmp_path.iterdir()] == ["cases.jsonl"]


def test_a_draft_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_bytes(b"old\n")
    with pytest.raises(ZeroDivisionError), Draft(path, b"old\n", b"new\n"):
        raise ZeroDivisionError
    assert path.read_bytes() == b"old\n"
    assert [item.name for item in tmp_path.iterdir()] == ["cases.jsonl"]


def test_what_somebody_else_wrote_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_bytes(b"old\n")
    with Draft(path, b"old\n", b"new\n") as draft:
        path.write_bytes(b"theirs\n")
        with pytest.raises(EvalSetError, match="changed meanwhile"):
            draft.publish()
    assert path.read_bytes() == b"theirs\n"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    target, link = tmp_path / "shared" / "cases.jsonl", tmp_path / "cases.jsonl"
    target.write_bytes(b"old\n")
    link.symlink_to(target)
    with Draft(link, b"old\n", b"new\n") as draft:
        draft.publish()
    assert link.is_symlink()
    assert target.read_bytes() == b"new\n"


def test_a_folder_that_cannot_be_written_to_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(EvalSetError, match=r"^\S+/gone/cases\.jsonl: a new version cannot"):
        Draft(tmp_path / "gone" / "cases.jsonl", b"", b"new\n")
