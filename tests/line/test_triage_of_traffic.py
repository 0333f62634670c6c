"""The loop closes: live failures that a person confirms become cases, split by hash, once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from promptyard.errors import EvalSetError
from promptyard.line.task import load_task
from promptyard.line.triage import input_key, read_journal, save_triage
from support.live_task import LiveTask, live_outcome


@pytest.fixture
def live(tmp_path: Path) -> LiveTask:
    return LiveTask(
        tmp_path,
        [
            *(live_outcome(n, f"where is my card number {n}", trace_id=f"t{n}") for n in range(40)),
            live_outcome(90, "WHERE is my card, number 0?"),
            live_outcome(91, "put money in (0)"),  # a case of the task has this input already
        ],
    )


def test_a_confirmed_failure_becomes_a_case_with_its_source(live: LiveTask) -> None:
    triage = live.open()
    assert (len(triage.items), triage.n_in_eval_set) == (40, 1)
    first = triage.items[0]
    assert first.failure.n == 2
    triage.answer(first, by="ann", is_failure=True, expected="lost_card", tags=["urgent"])
    triage.answer(triage.items[1], by="ann", is_failure=False)
    change = asyncio.run(save_triage(triage))
    assert change is not None
    assert change.version != change.parent
    case = next(case for case in load_task(live.task).eval_set.cases if case.id.startswith("live-"))
    assert case.id == f"live-{first.failure.key}"
    assert (case.expected, case.tags) == ("lost_card", ("urgent", "live"))
    assert case.source is not None
    assert case.source.startswith(f"live {first.failure.outcome_ids[0]}, v1, confirmed by ann")
    again = live.open()  # neither the case nor what was no failure comes again
    assert (len(again.items), again.n_in_eval_set) == (38, 2)


def test_the_split_is_that_of_the_input_however_it_is_spelled(live: LiveTask) -> None:
    triage = live.open()
    for item in triage.items:
        triage.answer(item, by="ann", is_failure=True, expected="lost_card")
    asyncio.run(save_triage(triage))
    cases = [c for c in load_task(live.task).eval_set.cases if c.id.startswith("live-")]
    splits = {case.split for case in cases}
    assert splits == {"train", "dev", "holdout"}
    inputs = [input_key(case.input) for case in load_task(live.task).eval_set.cases]
    assert len(inputs) == len(set(inputs))  # no input is in two splits
    assert {case.id for case in cases} == {f"live-{input_key(case.input)}" for case in cases}


def test_a_kill_loses_no_answer_and_saving_twice_adds_once(live: LiveTask) -> None:
    triage = live.open()
    triage.answer(triage.items[0], by="ann", is_failure=True, expected="lost_card")
    with triage.journal.open("a") as file:
        file.write('{"key": "half a li')  # the process died here
    again = live.open()
    assert len(again.answers) == 1
    assert asyncio.run(save_triage(again)) is not None
    assert asyncio.run(save_triage(live.open())) is None


@pytest.mark.parametrize("line", [b'{"key": 1}\n', b"\xff\xfe\n"])
def test_a_damaged_journal_is_said_with_its_line(live: LiveTask, line: bytes) -> None:
    journal = live.task / "triage.jsonl"
    journal.write_bytes(line)
    with pytest.raises(EvalSetError, match=r"triage\.jsonl:1:"):
        read_journal(journal)


def test_failures_without_stored_inputs_are_counted_and_said(tmp_path: Path) -> None:
    events = [live_outcome(1, "x", inputs=None), live_outcome(2, "a card", output=None)]
    live = LiveTask(tmp_path, [*events])
    triage = live.open()
    assert (len(triage.items), triage.n_without_inputs) == (1, 1)
    assert triage.items[0].findings == ()


def asked_by(number: int, text: str) -> dict[str, object]:
    return {"text": text, "request_id": f"r{number}"}


def test_inputs_that_the_prompt_does_not_use_make_no_question_another_one(tmp_path: Path) -> None:
    """Else the same question would be in several splits, and the holdout would be known."""
    asked = "where is my card"
    events = [live_outcome(n, "", inputs=asked_by(n, asked)) for n in range(30)]
    events += [live_outcome(n, "", inputs=asked_by(n, "put money in (0)")) for n in range(30, 33)]
    live = LiveTask(tmp_path, [*events])
    triage = live.open()
    (item,) = triage.items  # the other one is a case of the task already
    assert item.failure.n == 30
    triage.answer(item, by="ann", is_failure=True, expected="lost_card")
    asyncio.run(save_triage(triage))
    (case,) = [c for c in load_task(live.task).eval_set.cases if c.id.startswith("live-")]
    assert case.input == {"text": asked}
    assert live.open().items == []


def test_answers_that_a_journal_holds_of_one_question_become_one_case(tmp_path: Path) -> None:
    """As it does where the prompt used more inputs when they were given."""
    asked = "where is my card"
    live = LiveTask(tmp_path, [live_outcome(1, "", inputs=asked_by(1, asked))])
    triage = live.open()
    triage.answer(triage.items[0], by="ann", is_failure=True, expected="lost_card")
    (given,) = triage.answers
    other = given.model_copy(update={"key": "another", "inputs": asked_by(2, asked)})
    with triage.journal.open("a", encoding="utf-8") as file:
        file.write(f"{other.model_dump_json()}\n")
    again = live.open()
    assert len(again.answers) == 2
    asyncio.run(save_triage(again))
    assert sum(c.id.startswith("live-") for c in load_task(live.task).eval_set.cases) == 1
    assert asyncio.run(save_triage(live.open())) is None


def test_an_input_that_is_no_text_of_unicode_can_be_answered(tmp_path: Path) -> None:
    """A model or a client may write half a surrogate pair; the journal holds it as it was."""
    live = LiveTask(tmp_path, [live_outcome(1, "bad \ud800 input"), live_outcome(2, "a card")])
    triage = live.open()
    for item in triage.items:
        triage.answer(item, by="ann", is_failure=True, expected="lost_card")
    assert triage.journal.read_bytes().isascii()
    assert read_journal(triage.journal) == triage.answers
    again = live.open()
    assert (again.items, len(again.answers)) == ([], 2)
    assert asyncio.run(save_triage(again)) is not None
    texts = [c.input["text"] for c in load_task(live.task).eval_set.cases if c.tags == ("live",)]
    assert sorted(map(str, texts)) == ["a card", "bad \N{REPLACEMENT CHARACTER} input"]
    assert asyncio.run(save_triage(live.open())) is None
