"""Totals of traffic: the same in whatever parts and order they are added up."""

from __future__ import annotations

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from promptyard.records.joined import joined
from promptyard.records.live import Feedback, Outcome, StoredEvent
from promptyard.records.traffic import Said, TrafficRow, TrafficSums, TrafficTotals, added

AMOUNTS = st.none() | st.floats(0, 1e12) | st.floats(1e-9, 10)
SCORES = st.dictionaries(st.sampled_from(["score", "tone", "Länge"]), st.floats(0, 1), max_size=3)
HARD = st.sampled_from([None, True, False])


@st.composite
def outcomes_said(draw: st.DrawFn) -> tuple[str, Outcome, list[Feedback]]:
    number = draw(st.integers(0, 10**9))
    outcome = Outcome(
        id=f"o{number}",
        prompt=draw(st.sampled_from(["p", "q"])),
        version=draw(st.integers(1, 2)),
        digest="d",
        arm=draw(st.sampled_from([None, "control", "treatment"])),
        at="",
        latency_s=draw(AMOUNTS),
        cost_usd=draw(AMOUNTS),
        input_tokens=draw(st.none() | st.integers(0, 10**6)),
        error=draw(st.sampled_from(["", "timeout"])),
        scores=draw(SCORES),
        hard_failure=draw(HARD),
    )
    feedback = [
        Feedback(
            id=f"f{number}-{n}",
            prompt=outcome.prompt,
            outcome_id=outcome.id,
            at="",
            scores=draw(SCORES),
            hard_failure=draw(HARD),
        )
        for n in range(draw(st.integers(0, 2)))
    ]
    return f"2026-11-27T0{draw(st.integers(0, 2))}:00:00", outcome, feedback


def add(sums: TrafficSums, row: tuple[str, Outcome, list[Feedback]]) -> None:
    at, outcome, feedback = row
    sums.add_outcome(at, outcome, Said.of(feedback))


@given(st.lists(outcomes_said(), max_size=12), st.randoms(use_true_random=False), st.data())
def test_any_parts_in_any_order_add_up_to_the_same(
    rows: list[tuple[str, Outcome, list[Feedback]]], chance: random.Random, data: st.DataObject
) -> None:
    whole = TrafficSums()
    for row in rows:
        add(whole, row)
    chance.shuffle(rows)
    parts = [TrafficSums() for _ in range(data.draw(st.integers(1, 4)))]
    for row in rows:
        add(chance.choice(parts), row)
    chance.shuffle(parts)
    together = TrafficSums()
    for part in parts:
        for item in part.hours:
            stored = TrafficTotals.model_validate_json(item.totals.model_dump_json())
            together.add(item.key, stored)
    assert together.hours == whole.hours


@given(outcomes_said())
def test_scores_and_failures_count_as_monitors_count_them(
    row: tuple[str, Outcome, list[Feedback]],
) -> None:
    at, outcome, feedback = row
    stored = [
        StoredEvent(seq=n, stored_at=at, event=event)
        for n, event in enumerate([outcome, *feedback])
    ]
    (expected,) = joined(stored)
    sums = TrafficSums()
    add(sums, row)
    found = added(sums.hours)
    assert found.n_looked_at == (expected.hard_failure is not None)
    assert found.n_hard_failures == (expected.hard_failure is True)
    (shown,) = (TrafficRow.of(hour) for hour in sums.hours)
    mean = shown.scores.get("score")
    assert (mean is None) == (expected.score is None)
    if mean is not None and expected.score is not None:
        assert math.isclose(mean, expected.score, abs_tol=1e-6)


@given(st.lists(st.floats(1e-5, 1e4), min_size=1, max_size=50), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_at_most_two_percent_beside_the_value(
    latencies: list[float], share: float
) -> None:
    sums = TrafficSums()
    for number, latency_s in enumerate(latencies):
        outcome = Outcome(
            id=f"o{number}", prompt="p", version=1, digest="d", at="", latency_s=latency_s
        )
        sums.add_outcome("2026-11-27T00", outcome, Said())
    exact = sorted(latencies)[max(1, math.ceil(share * len(latencies))) - 1]
    found = added(sums.hours).latency_s(share)
    assert found is not None
    assert math.isclose(found, exact, rel_tol=0.0201)
    assert TrafficTotals().latency_s(share) is None


def test_what_no_outcome_says_is_not_shown_as_nothing() -> None:
    sums = TrafficSums()
    silent = Outcome(id="o1", prompt="p", version=1, digest="d", at="")
    sums.add_outcome("2026-11-27T05:00:00", silent, Said())
    (row,) = (TrafficRow.of(hour) for hour in sums.hours)
    assert (row.n_outcomes, row.n_counted, row.n_priced) == (1, 0, 0)
    assert (row.input_tokens, row.output_tokens, row.cost_usd) == (None, None, None)
    free = silent.model_copy(update={"id": "o2", "input_tokens": 0, "cost_usd": 0.0})
    sums.add_outcome("2026-11-27T05:00:00", free, Said())
    (row,) = (TrafficRow.of(hour) for hour in sums.hours)
    assert (row.n_counted, row.input_tokens, row.n_priced, row.cost_usd) == (1, 0, 1, 0.0)
