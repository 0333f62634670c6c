"""Objectives: axes of the front, and what may not be lost."""

from __future__ import annotations

import pytest

from promptyard.records.cases import Dimension
from promptyard.records.evidence import TrainTrial
from promptyard.records.scores import Score
from promptyard.search.objectives import ObjectiveSettings, axis_values, loss, tolerances
from support.stations import label_case, seed_candidate, train_trial

BASE = seed_candidate()


def rows(
    *values: float | None, dimension: Dimension = "safety", cost: float | None = 0.002
) -> list[TrainTrial]:
    """Rows whose one finding has these values; None is a trial that ended in an error."""
    made: list[TrainTrial] = []
    for number, value in enumerate(values):
        row = train_trial(label_case(f"c{number}", "x", "a"), "a")
        scores = () if value is None else (Score(metric="m", value=value, dimension=dimension),)
        visit = row.trial.visits[0]
        completion = visit.completion.model_copy(update={"cost_usd": cost, "latency_s": 2.0})
        update = {
            "scores": scores,
            "score": value,
            "status": "error" if value is None else "scored",
            "visits": (visit.model_copy(update={"completion": completion}),),
        }
        made.append(row.model_copy(update={"trial": row.trial.model_copy(update=update)}))
    return made


def test_cases_dimensions_cost_and_length_are_axes() -> None:
    values = axis_values(BASE, rows(1.0, 0.0, None), ObjectiveSettings())
    assert values == {
        "case:c0": 1.0,
        "case:c1": 0.0,
        "safety": 0.5,
        "cost": -0.002,
        "length": -float(len(BASE.program.prompt.text)),
    }


def test_latency_is_an_axis_where_it_is_asked_for() -> None:
    settings = ObjectiveSettings(axes=("latency",))
    assert axis_values(BASE, rows(1.0), settings) == {"case:c0": 1.0, "latency": -2.0}


def test_what_was_not_measured_is_no_value() -> None:
    values = axis_values(BASE, rows(1.0, cost=None), ObjectiveSettings())
    assert "cost" not in values
    assert "validity" not in values
    assert "cost" not in axis_values(BASE, [], ObjectiveSettings())


def test_costs_within_the_tolerance_tie() -> None:
    values = {"a": {"cost": -1.0, "safety": 1.0}, "b": {"cost": -1.2, "length": -100.0}}
    wide = tolerances(values, ObjectiveSettings(tolerance=0.1))
    assert wide == {"cost": pytest.approx(0.1), "length": pytest.approx(10.0)}


def test_a_protected_dimension_is_lost_only_beyond_margin_and_doubt() -> None:
    before = rows(*[1.0] * 20)
    assert loss(rows(*[1.0] * 20), before, ObjectiveSettings()) is None
    assert loss(rows(*[1.0] * 19, 0.0), before, ObjectiveSettings()) is None  # one case is chance
    worse = rows(*[1.0] * 14, *[0.0] * 6)
    assert loss(worse, before, ObjectiveSettings()) == "loses 30 points of safety on 20 cases"
    assert loss(worse, before, ObjectiveSettings(protected=("validity",))) is None
    small = rows(*[0.98] * 20)
    assert loss(small, before, ObjectiveSettings()) is None  # certain, but within the margin


def test_a_critical_case_may_not_break() -> None:
    def critical(got: str) -> TrainTrial:
        return train_trial(label_case("k", "x", "a", critical=True), got)

    lost = loss([critical("b")], [critical("a")], ObjectiveSettings())
    assert lost == "breaks the critical case 'k'"
    assert loss([critical("a")], [critical("b")], ObjectiveSettings()) is None


def test_cases_that_one_side_lacks_decide_nothing() -> None:
    assert loss(rows(0.0, 0.0, 0.0), [], ObjectiveSettings()) is None
    assert loss(rows(None, None), rows(1.0, 1.0), ObjectiveSettings()) is None
