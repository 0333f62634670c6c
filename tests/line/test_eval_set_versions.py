"""Eval sets grow and shed cases: checked as a whole, written atomically, recorded with lineage."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from promptyard.errors import EvalSetError, NotFound, PromptyardError
from promptyard.line.case_files import Change
from promptyard.line.eval_sets import EvalSetLog, eval_set_diff, eval_set_log, find_eval_set
from promptyard.line.growth import add_cases, retire_cases
from promptyard.line.sync import evaluate, run_sync
from promptyard.line.task import load_task
from support.tiny_task import TASK, tiny_rows, write_tiny_task


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_task(tmp_path / "tiny")


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "store.db")


def add(folder: Path, store: str, *rows: Mapping[str, Any], **options: Any) -> Change:
    stream = io.BytesIO("".join(json.dumps(row) + "\n" for row in rows).encode())
    return run_sync(add_cases(folder, stream, store=store, **options))


def retire(folder: Path, store: str, *ids: str, reason: str = "its label is wrong") -> Change:
    return run_sync(retire_cases(folder, ids, reason=reason, store=store))


def log(folder: Path, store: str) -> EvalSetLog:
    return run_sync(eval_set_log(find_eval_set(str(folder), store)))


def refused(folder: Path, *arguments: Any, **options: Any) -> str:
    """Return the error of an addition, which must change no file."""
    before = (folder / "cases.jsonl").read_bytes()
    with pytest.raises(PromptyardError) as caught:
        add(folder, *arguments, **options)
    assert (folder / "cases.jsonl").read_bytes() == before
    assert [path.name for path in folder.glob(".cases*")] == []
    return str(caught.value)


def test_rows_are_appended_and_recorded_as_a_child(folder: Path, store: str) -> None:
    before = (folder / "cases.jsonl").read_bytes()
    old = load_task(folder).eval_set
    new = {"input": {"text": "where is my card"}, "expected": "lost_card"}
    change = add(folder, store, new, split="dev", tags=["live"])
    content = (folder / "cases.jsonl").read_bytes()
    assert content.startswith(before)
    row = json.loads(content.removeprefix(before))
    assert row == {**new, "id": row["id"], "split": "dev", "tags": ["live"]}
    assert (change.parent, change.number) == (old.version, 2)
    assert change.version == load_task(folder).eval_set.version
    first, second = log(folder, store).versions
    assert (first.about.version, first.parent_number) == (old.version, None)
    assert (second.about.parent, second.parent_number) == (old.version, 1)
    assert second.about.change == "added 1 case to dev from stdin"
    assert second.about.n_by_split == {"train": 6, "dev": 7, "holdout": 6}
    assert second.is_working
    assert not first.is_working


def test_adding_never_moves_old_cases(tmp_path: Path, store: str) -> None:
    rows = [{key: row[key] for key in ("id", "input", "expected")} for row in tiny_rows(20)]
    folder = write_tiny_task(tmp_path / "tiny", rows)
    old = {case.id: case.split for case in load_task(folder).eval_set.cases}
    add(folder, store, *({"input": {"text": f"new {n}"}, "expected": "top_up"} for n in range(9)))
    new = {case.id: case.split for case in load_task(folder).eval_set.cases}
    assert len(new) == len(old) + 9
    assert {name: new[name] for name in old} == old


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "top_up-0", "input": {"text": "x"}}, "stdin:1: the id 'top_up-0' is taken at"),
        ({"input": {"text": "PUT money, in (0)!"}}, "the same input as case 'top_up-0' (train)"),
        ({"input": {"txt": "x"}}, "the prompt uses {{text}}, which case"),
        ({"input": {"text": "x"}, "spilt": "dev"}, "stdin:1: spilt: unknown key"),
        ({"input": {"text": "x"}, "split": "dev"}, "the row gives dev, --split gives train"),
        ({"input": {"text": "x"}, "retired": "no"}, "a new case cannot be retired"),
        ({"input": {"text": "x"}, "checks": ["nonsense"]}, "nonsense"),
        ({"text": "x"}, "variables stand in 'input'"),
    ],
)
def test_a_row_that_cannot_be_added_changes_nothing(
    folder: Path, store: str, row: Mapping[str, Any], message: str
) -> None:
    good = {"input": {"text": "a good row"}, "expected": "top_up"}
    text = refused(folder, store, row, good, split="train")
    assert message in text
    assert "\n" not in text


def test_rows_of_one_source_may_not_repeat_each_other(folder: Path, store: str) -> None:
    row = {"input": {"text": "new"}, "expected": "top_up"}
    assert "is taken at stdin:1" in refused(folder, store, row, row)
    other = {**row, "expected": "lost_card"}
    assert "the same input as the row at stdin:1" in refused(folder, store, row, other)


def test_equal_inputs_are_added_when_forced_and_said(folder: Path, store: str) -> None:
    row = {"id": "again", "input": {"text": "put money in (0)"}, "expected": "top_up"}
    change = add(folder, store, row, force=True)
    assert change.difference.added == ("again",)
    assert len(change.warnings) == 1


def test_no_rows_and_no_such_file_are_errors(folder: Path, store: str) -> None:
    assert refused(folder, store) == "stdin: no rows; nothing was added"
    with pytest.raises(EvalSetError, match=r"nowhere\.jsonl: there is no such file"):
        run_sync(add_cases(folder, Path("nowhere.jsonl"), store=store))


def test_a_row_that_would_move_its_cluster_is_refused(tmp_path: Path, store: str) -> None:
    rows = [{**row, "cluster": f"c{n}"} for n, row in enumerate(tiny_rows())]
    loose = {"id": "loose", "input": {"text": "odd"}, "expected": "top_up", "cluster": "new"}
    folder = write_tiny_task(tmp_path / "tiny", [*rows, loose])
    split = next(c.split for c in load_task(folder).eval_set.cases if c.id == "loose")
    other = "dev" if split != "dev" else "train"
    row = {"input": {"text": "z"}, "expected": "top_up", "cluster": "new", "split": other}
    assert f"(case 'loose' from {split} to {other})" in refused(folder, store, row)


def test_csv_rows_can_be_added_but_not_added_to(tmp_path: Path, folder: Path, store: str) -> None:
    source = tmp_path / "new.csv"
    source.write_text("text,label,split\nwhere is my card,lost_card,dev\n")
    change = run_sync(add_cases(folder, source, store=store))
    assert change.change == f"added 1 case from {source}"
    (folder / "task.yaml").write_text(TASK.replace("cases.jsonl", "cases.csv"))
    rows = "".join(
        f"{row['id']},{row['input']['text']},{row['expected']},{row['split']}\n"
        for row in tiny_rows()
    )
    (folder / "cases.csv").write_text("id,text,expected,split\n" + rows)
    for call in (
        lambda: add(folder, store, {"input": {"text": "x"}}),
        lambda: retire(folder, store, "top_up-0"),
    ):
        with pytest.raises(EvalSetError, match=r"only JSON lines .* evalset export"):
            call()


def test_one_of_several_files_is_chosen(folder: Path, store: str) -> None:
    (folder / "task.yaml").write_text(TASK.replace("cases.jsonl", "[cases.jsonl, more.jsonl]"))
    (folder / "more.jsonl").write_text('{"id": "m", "input": {"text": "q"}, "expected": "top_up"}')
    row = {"id": "n", "input": {"text": "r"}, "expected": "top_up"}
    assert "choose one with --into" in refused(folder, store, row)
    assert "no case file of the task" in refused(folder, store, row, into="other.jsonl")
    add(folder, store, row, into="more.jsonl")
    assert len((folder / "more.jsonl").read_text().splitlines()) == 2
    change = retire(folder, store, "m", "top_up-0")
    assert len(change.files) == 2


def test_a_retired_case_stays_in_its_file_and_leaves_the_eval_set(folder: Path, store: str) -> None:
    lines = (folder / "cases.jsonl").read_bytes().splitlines(keepends=True)
    change = retire(folder, store, "top_up-2", reason="nobody can tell")
    after = (folder / "cases.jsonl").read_bytes().splitlines(keepends=True)
    assert len(after) == len(lines)
    assert [new for new, old in zip(after, lines, strict=True) if new != old] == [
        lines[8].replace(b'"holdout"}', b'"holdout", "retired": "nobody can tell"}')
    ]
    loaded = load_task(folder).eval_set
    assert loaded.retired == {"top_up-2": "nobody can tell"}
    assert change.version == loaded.version != change.parent
    assert change.change == "retired top_up-2: nobody can tell"
    old, new, found = run_sync(eval_set_diff(find_eval_set(str(folder), store), "@1", "working"))
    assert found.retired == {"top_up-2": "nobody can tell"}
    assert found.removed == ()
    assert len(old.cases) == len(new.cases) + 1


def test_what_cannot_be_retired_changes_nothing(folder: Path, store: str) -> None:
    retire(folder, store, "top_up-0")
    before = (folder / "cases.jsonl").read_bytes()
    for ids, reason, message in (
        (("top_up-0",), "again", "is retired already: its label is wrong"),
        (("top_up-1", "nobody"), "x", "has no case 'nobody'"),
        (("top_up-1",), " ", "give it with --reason"),
    ):
        with pytest.raises(EvalSetError, match=message):
            retire(folder, store, *ids, reason=reason)
    assert (folder / "cases.jsonl").read_bytes() == before


def test_retiring_the_case_that_places_its_cluster_is_refused(tmp_path: Path, store: str) -> None:
    rows = tiny_rows()
    followers = [
        {"id": f"f{n}", "input": {"text": f"follow {n}"}, "expected": "top_up", "cluster": f"c{n}"}
        for n in range(12)
    ]
    leaders = [
        {**row, "id": f"l{n}", "input": {"text": f"lead {n}"}, "split": "holdout"}
        for n, row in enumerate(followers)
    ]
    folder = write_tiny_task(tmp_path / "tiny", [*rows, *followers, *leaders])
    with pytest.raises(EvalSetError, match=r"would move \d+ other cases to another split"):
        retire(folder, store, *(str(row["id"]) for row in leaders))


def test_versions_that_were_made_by_hand_get_their_lineage_at_the_next_run(
    folder: Path, store: str
) -> None:
    evaluate(load_task(folder), store=store)
    rows = tiny_rows()
    rows[0]["expected"], rows[-1]["retired"] = "age_limit", "odd"
    write_tiny_task(folder, rows)
    assert log(folder, store).unrecorded == "1 retired, 1 changed"
    evaluate(load_task(folder), store=store)
    evaluate(load_task(folder), store=store)
    found = log(folder, store)
    assert [(item.number, item.parent_number) for item in found.versions] == [(1, None), (2, 1)]
    assert found.versions[1].about.change == "1 retired, 1 changed"
    assert [len(item.runs) for item in found.versions] == [1, 2]
    assert found.unrecorded is None


def test_versions_are_named_by_number_beginning_or_working(folder: Path, store: str) -> None:
    change = add(folder, store, {"input": {"text": "x"}, "expected": "top_up"})
    named = find_eval_set("tiny", store)
    for old, new in (
        ("@1", "@2"),
        (change.parent, change.version),
        (change.parent[:6], change.version[:4]),
    ):
        first, second, _ = run_sync(eval_set_diff(named, old, new))
        assert (first.version, second.version) == (change.parent, change.version)
    _, working, _ = run_sync(eval_set_diff(find_eval_set(str(folder), store), "@2", "working"))
    assert working.version == change.version
    for reference, message in (
        ("@3", "it has @1 to @2"),
        ("zzzz", "has no version 'zzzz'; it has: "),
        (change.version[:1], "give at least 4 signs"),
        ("working", "is a name and no task folder"),
    ):
        with pytest.raises(NotFound, match=message):
            run_sync(eval_set_diff(named, "@1", reference))


def test_an_eval_set_that_nobody_recorded_is_said_in_one_line(folder: Path, store: str) -> None:
    evaluate(load_task(folder), store=store)
    with pytest.raises(NotFound, match="no version of the eval set 'other'"):
        run_sync(eval_set_log(find_eval_set("other", store)))
    with pytest.raises(NotFound, match="there is no store at"):
        run_sync(eval_set_log(find_eval_set(str(folder), f"{store}.none")))
