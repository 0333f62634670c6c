"""Live events are stored before they are acknowledged, each once, and bad lines are told apart."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from promptyard.records.live import LiveEvent, Outcome
from support.served import Answer, Service, served

PATH = "/api/v1/events"


def outcome(number: int, **more: Any) -> Outcome:
    given: dict[str, Any] = {"id": f"o-{number}", "prompt": "p", "version": 1, "digest": "d"}
    return Outcome.model_validate({**given, "at": "2026-11-27T10:00:00+00:00", **more})


def lines_of(events: Sequence[LiveEvent]) -> bytes:
    return b"".join(event.model_dump_json().encode() + b"\n" for event in events)


def send(service: Service, body: bytes, **headers: str) -> Answer:
    given = {"Content-Type": "application/x-ndjson", **headers}
    return service.ask("POST", PATH, body=body, headers=given)


def stored_ids(service: Service) -> set[str]:
    stored = service.in_store(lambda store: store.live_events("p", limit=100_000))
    return {item.event.id for item in stored}


def test_what_is_acknowledged_is_in_the_store_and_counts_once(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        events = [outcome(number) for number in range(2_500)]
        first = send(service, lines_of(events))
        assert (first.status, first.json["n_new"], first.json["n_repeated"]) == (200, 2_500, 0)
        assert stored_ids(service) == {event.id for event in events}
        packed = gzip.compress(lines_of([*events[:10], outcome(9_999)]))
        again = send(service, packed, **{"Content-Encoding": "gzip"})
        assert (again.json["n_new"], again.json["n_repeated"]) == (1, 10)
        empty = send(service, b"")
        assert (empty.status, empty.json["n_new"]) == (200, 0)


BAD: dict[bytes, str] = {
    b'{"kind": "outcome"': "no_json",
    b"[" * 100_000: "no_json",
    b'{"kind": "gossip", "id": "x"}': "no_event",
    lines_of([outcome(7)]).strip().replace(b'"latency_s":null', b'"latency_s":NaN'): "no_event",
    lines_of([outcome(7)]).strip().replace(b'"version":1', b'"version":"1"'): "no_event",
    lines_of([outcome(7, id="a\0b")]).strip(): "not_storable",
    b"\xff\xfe\x00": "no_json",
    b"x" * ((1 << 20) + 1): "too_long",
}


def test_a_bad_line_is_named_and_keeps_no_other_from_being_stored(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        for number, (line, kind) in enumerate(BAD.items()):
            before, behind = outcome(2 * number + 10), outcome(2 * number + 11)
            answer = send(service, lines_of([before]) + line + b"\n\n" + lines_of([behind]))
            assert answer.status == 200
            assert answer.json["n_new"] == 2
            assert answer.json["kinds"] == {kind: 1}, line[:80]
            (told,) = answer.json["rejected"]
            assert (told["line_number"], told["kind"]) == (2, kind)
            assert told["reason"]
        assert len(stored_ids(service)) == 2 * len(BAD)


def test_a_last_line_that_was_cut_off_is_told(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        answer = send(service, lines_of([outcome(1), outcome(2)])[:-30])
        assert (answer.json["n_new"], answer.json["kinds"]) == (1, {"cut_off": 1})


def test_many_bad_lines_are_all_counted_and_the_first_ones_told(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        answer = send(service, b"no event\n" * 3_000)
        assert answer.json["n_rejected"] == 3_000
        assert [told["line_number"] for told in answer.json["rejected"]] == list(range(1, 101))
        refused = send(service, b"\n" * 50_001)
        assert refused.status == 422
        assert "at most 50,000 are taken at once" in refused.json["detail"]


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/json", "application/x-www-form-urlencoded"]
)
def test_a_page_of_a_browser_cannot_send_events(kind: str, tmp_path: Path) -> None:
    with served(tmp_path) as service:
        answer = send(service, lines_of([outcome(1)]), **{"Content-Type": kind})
        assert answer.status == 415
        assert not stored_ids(service)


def test_a_key_that_may_report_may_do_this_and_one_that_may_read_may_not(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        reader, reporter = service.new_key("read"), service.new_key("report", name="app")
        service.key = reader
        assert send(service, lines_of([outcome(1)])).status == 403
        service.key = reporter
        assert send(service, lines_of([outcome(1)])).json["n_new"] == 1
