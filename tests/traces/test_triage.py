"""What failed in live traffic is gathered by input, the most frequent first, if it is new."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptyard.records.base import Json
from promptyard.records.joined import joined
from promptyard.records.live import Feedback, LiveEvent, Outcome, StoredEvent
from promptyard.traces.triage import LiveFailure, live_failures


def outcome(number: int, text: str | None, **about: Any) -> Outcome:
    values: dict[str, Any] = {
        "id": f"o{number}",
        "prompt": "p",
        "version": 1,
        "digest": "d",
        "at": "2026-11-27T00:00:00+00:00",
        "inputs": None if text is None else {"text": text},
        "output": f"answer {number}",
    }
    return Outcome.model_validate(values | about)


def found(*events: LiveEvent, known: frozenset[str] = frozenset()) -> list[LiveFailure]:
    stored = [
        StoredEvent(seq=n, stored_at=f"2026-11-27T00:00:{n:02d}+00:00", event=event)
        for n, event in enumerate(events, 1)
    ]

    def key_of(inputs: Mapping[str, Json]) -> str:
        return str(inputs["text"]).casefold()

    return live_failures(joined(stored), below=0.5, key_of=key_of, known=known)


def test_errors_unusable_answers_and_low_scores_are_failures() -> None:
    failures = found(
        outcome(1, "a", error="timeout"),
        outcome(2, "b", hard_failure=True),
        outcome(3, "c", scores={"score": 0.2}),
        outcome(4, "d", scores={"score": 0.9}),
        outcome(5, "e"),
    )
    assert {item.inputs["text"]: item.reasons for item in failures} == {
        "a": ("error: timeout",),
        "b": ("unusable answer",),
        "c": ("score below 0.5",),
    }


def test_equal_inputs_are_one_failure_and_the_most_frequent_comes_first() -> None:
    failures = found(
        outcome(1, "once", hard_failure=True),
        outcome(2, "Often", hard_failure=True),
        outcome(3, "often", hard_failure=True, version=2),
    )
    assert [(item.n, item.version, item.outcome_ids) for item in failures] == [
        (2, 2, ("o3", "o2")),
        (1, 1, ("o1",)),
    ]


def test_what_users_said_later_counts() -> None:
    thumbs = Feedback(
        id="f1",
        prompt="p",
        outcome_id="o1",
        at="2026-11-27T00:00:00+00:00",
        scores={"score": 0.0},
    )
    assert len(found(outcome(1, "a", scores={"score": 1.0}), thumbs)) == 1


def test_what_is_known_or_has_no_inputs_is_left_out() -> None:
    events = [outcome(1, "known", hard_failure=True), outcome(2, None, hard_failure=True)]
    assert not found(*events, known=frozenset({"known"}))
