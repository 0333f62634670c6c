"""The stream of events: what a run tells is what its journal keeps, whatever listeners do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

import promptyard as py
from promptyard.line.run_log import run_calls, run_events
from promptyard.line.sync import run_sync
from promptyard.records.events import Event, Noted, journaled
from promptyard.reports.event_lines import event_line
from promptyard.testing.search_world import RULES
from support.rule_task import rule_task

KINDS = {kind.model_fields["kind"].default for kind in get_args(get_args(Event)[0])}
SHOUT = "Answer in capitals."


def eventful(store: str, on_event: Any = None, **options: Any) -> py.Run:
    """Run a search in which a proposal is refused, a trap is found and a verdict rests on dev."""
    sentences = {**RULES, "format": f"{RULES['format']} {SHOUT}"}
    del sentences["units"]
    task = rule_task(
        sizes={"train": 120, "dev": 40},
        sentences=sentences,
        breaks={SHOUT: r"names .*[15] of"},
        **options,
    )
    return py.optimize(task, store=store, on_event=on_event)


def test_every_kind_of_event_is_emitted_and_the_journal_holds_the_same_sequence(
    tmp_path: Path,
) -> None:
    url, heard = str(tmp_path / "runs.db"), list[py.Event]()
    run = eventful(url, heard.append)
    assert {event.kind for event in heard} == KINDS
    assert [item.event for item in run_sync(run_events(url, run.id))] == heard
    assert [item.event for item in run_sync(run_events(url, "last"))] == heard


def test_the_report_is_a_view_of_the_same_stream(tmp_path: Path) -> None:
    heard = list[py.Event]()
    run = eventful(str(tmp_path / "runs.db"), heard.append)
    assert tuple(event.text for event in heard if isinstance(event, Noted)) == run.notes
    served = [event for event in heard if event.kind == "accepted" and event.served]
    assert [event.candidate_id for event in served] == [point.program.id for point in run.served]
    assert heard[-1].kind == "spent"
    assert heard[-1].spent.task_calls == run.spent.task_calls
    (decided,) = (event for event in heard if event.kind == "decided")
    assert decided.verdict == run.verdict


def test_a_callback_that_raises_is_a_note_once_and_ends_nothing(tmp_path: Path) -> None:
    n_calls = 0

    def broken(item: object) -> None:
        nonlocal n_calls
        n_calls += 1
        raise RuntimeError("my dashboard is down")

    quiet = py.optimize(rule_task())
    run = py.optimize(rule_task(), store=str(tmp_path / "r.db"), on_event=broken)
    assert (run.best.id, run.verdict.status) == (quiet.best.id, "pass")
    assert n_calls > 20, "it is called on: the next event may find it well again"
    assert [note for note in run.notes if "my dashboard is down" in note] == [
        "on_event raised RuntimeError: my dashboard is down; the run went on without"
    ]


def test_a_run_without_a_finalist_decides_too() -> None:
    heard = list[py.Event]()
    run = py.optimize(rule_task(sentences={}), on_event=heard.append)
    assert run.finalist is None
    (decided,) = (event for event in heard if event.kind == "decided")
    assert decided.verdict.status == "inconclusive"


def test_each_kind_has_one_line_without_hidden_characters(tmp_path: Path) -> None:
    heard = list[py.Event]()
    eventful(str(tmp_path / "runs.db"), heard.append)
    heard.append(Noted(text="colour \x1b[31m and\nlines \u202e"))
    for event in heard:
        line = event_line(event)
        assert line
        assert "\n" not in line
        assert "\x1b" not in line
        assert "\u202e" not in line


@pytest.mark.parametrize(
    ("kind", "payload"),
    [("session", {"host": "h"}), ("searched", {"task_calls": 1}), ("proposed", {"old": "form"})],
)
def test_entries_that_are_no_events_are_left_out(kind: str, payload: dict[str, Any]) -> None:
    assert journaled(kind, payload) is None


def test_what_was_sent_to_the_optimizer_and_came_back_is_in_the_store(tmp_path: Path) -> None:
    url = str(tmp_path / "runs.db")
    run = py.optimize(rule_task(), store=url)
    calls = run_sync(run_calls(url, run.id, "optimizer", limit=1000, offset=0))
    assert len(calls) == run.spent.optimizer_calls
    assert len({str(call.body) for call in calls}) == len(calls) > 1
    for call in calls:
        assert call.body is not None
        assert "is wrong" in str(call.body)
        assert call.completion is not None
        assert "hypothesis" in call.completion.text
    assert run_sync(run_calls(url, run.id, "judge", limit=10, offset=0)) == []
    everything = run_sync(run_calls(url, "last", None, limit=10_000, offset=0))
    assert len(everything) == run.spent.task_calls + run.spent.optimizer_calls
