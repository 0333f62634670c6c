"""The journal of a labelling session loses nothing; the labels file keeps one label a key."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from promptyard.errors import EvalSetError
from promptyard.evalset.label_files import LabelJournal, journal_path, merge_labels
from promptyard.evalset.person_labels import read_person_labels
from promptyard.records.labels import Answer, Label, output_hash


def answer(case_id: str, **fields: Any) -> Answer:
    values = {"kind": "skip", "labeller": "ann", "at": "now", "case_id": case_id, **fields}
    return Answer.model_validate(values)


def label(case_id: str, verdict: str = "pass", **fields: Any) -> Label:
    output = fields.get("output", "text")
    values = {
        "case_id": case_id,
        "label": verdict,
        "output": output,
        "output_hash": output_hash(output),
        "labeller": "ann",
        "at": "now",
    }
    return Label.model_validate({**values, **fields})


def answers_in(path: Path) -> list[Answer]:
    with contextlib.closing(LabelJournal(path)) as journal:
        return list(journal.answers)


def test_the_journal_gives_back_what_was_appended(tmp_path: Path) -> None:
    path = journal_path(tmp_path, "team/odd name")
    assert path.parent == tmp_path / ".promptyard" / "labels"
    written = [
        answer("a", kind="gold", expected={"x": ["\ud800", "é"]}),
        answer("b", kind="verdict", label="fail", output="line\nbreak", metric="m"),
        answer("b", kind="tags", added=("t",), removed=("u",)),
    ]
    first = LabelJournal(path)
    for item in written[:2]:
        first.append(item)
    first.close()
    second = LabelJournal(path)
    second.append(written[2])
    assert second.answers == written
    second.close()
    assert answers_in(path) == written


def test_half_a_line_is_cut_off_and_costs_no_other_answer(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    journal = LabelJournal(path)
    journal.append(answer("a"))
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"kind": "gold", "labe')
    again = LabelJournal(path)
    assert again.answers == [answer("a")]
    again.append(answer("b"))
    again.close()
    assert answers_in(path) == [answer("a"), answer("b")]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text('{"kind": "skip", "labeller": "a", "at": ""}\n{"kind": "sing"}\n')
    with pytest.raises(EvalSetError, match=r"j\.jsonl:2: kind: "):
        LabelJournal(path)


def test_a_label_replaces_the_one_of_its_key_and_others_keep_their_bytes(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    by_hand = b'{"label":"ok","id":"a","why": 1.50}\n'
    path.write_bytes(by_hand)
    merge_labels(path, [label("a"), label("b"), label("b", "fail", labeller="bob")])
    merge_labels(path, [label("b", "fail", at="later"), label("b", output="other \ud800")])
    first, *rest = path.read_bytes().splitlines(keepends=True)
    assert first == by_hand
    assert [Label.model_validate(json.loads(line)) for line in rest] == [
        label("a"),
        label("b", "fail", labeller="bob"),
        label("b", "fail", at="later"),
        label("b", output="other \ud800"),
    ]


def test_what_is_written_is_read_where_judges_are_measured(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    merge_labels(path, [label("a", metric="facts"), label("b", "fail")])
    first, second = read_person_labels(path)
    assert (first.case_id, first.label, first.metric) == ("a", "pass", "facts")
    assert (second.label, second.output, second.metric) == ("fail", "text", None)
    assert second.output_hash == output_hash("text")


def test_merging_the_same_labels_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "labels.jsonl"
    odd = label("b", output="\ud800")
    labels = [label("a"), label("a", metric="facts"), label("a", "fail"), odd]
    merge_labels(path, labels)
    before = path.read_bytes()
    merge_labels(path, labels)
    assert path.read_bytes() == before
    rows = [json.loads(line) for line in before.splitlines()]
    assert [(row["metric"], row["label"]) for row in rows] == [
        (None, "fail"),
        ("facts", "pass"),
        (None, "pass"),
    ]
    assert set(rows[0]) == {
        "case_id",
        "label",
        "metric",
        "output",
        "output_hash",
        "labeller",
        "at",
    }
