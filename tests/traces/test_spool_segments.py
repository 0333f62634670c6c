"""Whatever stands in a line of a spool comes back: as an event, or as rejected with the reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptyard.records.live import Exposure, Feedback, LiveEvent, Outcome
from promptyard.storage.stored_text import MAX_NAME_LENGTH
from promptyard.testing.store_suite import (
    UNUSUAL_TEXTS,
    sample_exposure,
    sample_feedback,
    sample_outcome,
)
from promptyard.traces.collect import (
    MAX_LINE_BYTES,
    MAX_NAME_CHARS,
    Rejected,
    read_segment,
    segments,
)
from support.spool import write_segment


def read_segments(folder: Path) -> Iterator[LiveEvent | Rejected]:
    """All that a spool holds, in the order in which a collector reads it."""
    for segment in segments(folder):
        yield from read_segment(segment)


def line_of(event: LiveEvent, **changed: object) -> bytes:
    return json.dumps({**event.model_dump(mode="json"), **changed}).encode()


def only(folder: Path, *lines: bytes) -> list[LiveEvent | Rejected]:
    write_segment(folder, "1", lines)
    return list(read_segments(folder))


def test_events_are_read_in_the_order_of_segments_and_lines(tmp_path: Path) -> None:
    first = [sample_exposure("e1"), sample_outcome("o1", rollout_id="rollout-1")]
    later = [sample_feedback("f1", "o1"), sample_outcome("o2")]
    write_segment(tmp_path, "0002-b", later, is_open=True)
    write_segment(tmp_path, "0001-a", first)
    assert list(read_segments(tmp_path)) == [*first, *later]
    kinds = [type(event) for event in read_segments(tmp_path)]
    assert kinds == [Exposure, Outcome, Feedback, Outcome]


def test_a_half_line_of_an_open_segment_is_left_for_later(tmp_path: Path) -> None:
    half = line_of(sample_outcome("o2"))[:40]
    write_segment(tmp_path, "1", [sample_outcome("o1")], is_open=True, end=half)
    assert [getattr(event, "id", None) for event in read_segments(tmp_path)] == ["o1"]


def test_a_half_line_of_a_closed_segment_is_rejected_as_cut_off(tmp_path: Path) -> None:
    half = line_of(sample_outcome("o2"))[:40]
    write_segment(tmp_path, "1", [sample_outcome("o1")], end=half)
    event, rejected = read_segments(tmp_path)
    assert isinstance(event, Outcome)
    assert isinstance(rejected, Rejected)
    assert (rejected.kind, rejected.line_number, rejected.line) == ("cut_off", 2, half)


def test_a_last_line_that_only_lacks_its_end_is_an_event(tmp_path: Path) -> None:
    write_segment(tmp_path, "1", [], end=line_of(sample_outcome("o1")))
    (event,) = read_segments(tmp_path)
    assert isinstance(event, Outcome)


@pytest.mark.parametrize(
    ("line", "kind", "said"),
    [
        (b"{", "no_json", "EOF"),
        (b"\xff\xfe{}", "no_json", ""),
        (b"\x00", "no_json", ""),
        (b"[" * 5_000, "no_json", "recursion"),
        (b'{"kind": "outcome", "inputs": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001, "no_json", ""),
        (b"null", "no_event", ""),
        (b"[]", "no_event", ""),
        (b"{}", "no_event", "discriminator"),
        (b'{"kind": "drop table"}', "no_event", "drop table"),
        (line_of(sample_outcome("o1"), at=None), "no_event", "at"),
        (line_of(sample_outcome("o1"), version="2"), "no_event", "version"),
        (line_of(sample_outcome("o1"), latency_s=True), "no_event", "latency_s"),
        (line_of(sample_outcome("o1"), latency_s=-1), "no_event", "latency_s"),
        (line_of(sample_outcome("o1"), scores={"score": 1.5}), "no_event", "score"),
        (line_of(sample_outcome("o1"), scores={"score": float("nan")}), "no_event", "score"),
        (line_of(sample_outcome("o1"), latency_s=float("inf")), "no_event", "latency_s"),
        (line_of(sample_outcome("o1"), unknown_key=1), "no_event", "unknown_key"),
        (line_of(sample_exposure("e1"), arm="both"), "no_event", "arm"),
        (line_of(sample_feedback("f1", "o1"), source="oracle"), "no_event", "source"),
        (line_of(sample_outcome("o1"), features={"x": float("nan")}), "not_storable", "finite"),
        (line_of(sample_outcome("o1"), inputs={"x": [float("-inf")]}), "not_storable", "finite"),
        (
            line_of(sample_outcome("o1")).replace(b'"features": {}', b'"features": {"x": 1e999}'),
            "not_storable",
            "finite",
        ),
        (line_of(sample_outcome("o1"), input_tokens=10**30), "not_storable", "input_tokens"),
        (line_of(sample_outcome("o1"), version=10**30), "not_storable", "version"),
        (line_of(sample_outcome("o1"), version=0), "not_storable", "version"),
        (line_of(sample_outcome("")), "not_storable", "id"),
        (line_of(sample_outcome("x" * 201)), "not_storable", "id"),
        (line_of(sample_outcome("o1"), prompt="a\x00b"), "not_storable", "prompt"),
        (line_of(sample_outcome("o1"), rollout_id="\ud800"), "not_storable", "rollout_id"),
        (line_of(sample_feedback("f1", "o" * 201)), "not_storable", "outcome_id"),
    ],
)
def test_a_line_that_is_no_event_is_rejected_with_the_reason(
    tmp_path: Path, line: bytes, kind: str, said: str
) -> None:
    before, rejected, after = only(
        tmp_path, line_of(sample_outcome("o8")), line, line_of(sample_outcome("o9"))
    )
    assert isinstance(before, Outcome)
    assert isinstance(after, Outcome)
    assert isinstance(rejected, Rejected)
    assert (rejected.kind, rejected.line_number, rejected.line) == (kind, 2, line)
    assert said in rejected.reason
    assert "\n" not in rejected.reason


def test_any_text_of_a_model_is_read(tmp_path: Path) -> None:
    events = [
        sample_outcome(f"o{n}", output=text, inputs={"text": text, "word": "NaN Infinity 1e5"})
        for n, text in enumerate(UNUSUAL_TEXTS)
    ]
    assert only(tmp_path, *(line_of(event) for event in events)) == events


def test_a_line_of_more_than_a_mebibyte_is_rejected_and_the_next_one_read(tmp_path: Path) -> None:
    fits = line_of(sample_outcome("o1", output=""))
    room = MAX_LINE_BYTES - len(fits)
    lines = [
        line_of(sample_outcome("o1", output="x" * room)),
        line_of(sample_outcome("o2", output="x" * (room + 1))),
        line_of(sample_outcome("o3", output="x" * 3 * MAX_LINE_BYTES)),
        line_of(sample_outcome("o4")),
    ]
    first, second, third, fourth = only(tmp_path, *lines)
    assert isinstance(first, Outcome)
    assert isinstance(fourth, Outcome)
    for rejected, line in ((second, lines[1]), (third, lines[2])):
        assert isinstance(rejected, Rejected)
        assert (rejected.kind, rejected.n_bytes) == ("too_long", len(line))
        assert rejected.line == line[:MAX_LINE_BYTES]


def test_only_plain_files_of_a_spool_are_segments(tmp_path: Path) -> None:
    outside = write_segment(tmp_path / "outside", "1", [sample_outcome("o1")])
    spool = tmp_path / "spool"
    write_segment(spool, "2", [sample_outcome("o2")])
    (spool / "3.jsonl").mkdir()
    (spool / "4.jsonl").symlink_to(outside)
    (spool / "5.jsonl").symlink_to(tmp_path / "nowhere")
    (spool / "notes.txt").write_text("{}")
    write_segment(spool / "rejected", "6", [b"{}"])
    assert [segment.name for segment in segments(spool)] == ["2"]


@pytest.mark.parametrize(
    "changed",
    [
        {"cost_usd": 1e308},
        {"latency_s": 1e17},
        {"features": {"input_chars": -1e308}},
        {"input_tokens": 2**53 + 1},
    ],
)
def test_an_amount_that_no_sum_can_hold_is_rejected(
    tmp_path: Path, changed: dict[str, object]
) -> None:
    """Three costs of 1e308 are no number any more, and whoever sums them up would stop."""
    (name,) = changed
    (rejected,) = only(tmp_path, line_of(sample_outcome("o1"), **changed))
    assert isinstance(rejected, Rejected)
    assert rejected.kind == "not_storable"
    assert name in rejected.reason


def test_blank_lines_are_nothing(tmp_path: Path) -> None:
    assert only(tmp_path, b"", b"   ", b"\r") == []


def test_names_are_as_long_as_the_store_holds_them() -> None:
    assert MAX_NAME_CHARS == MAX_NAME_LENGTH
