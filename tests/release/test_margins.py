"""What a plan refuses, as no guard could ever find harm with it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from promptyard.config.release_shape import guard_of
from promptyard.records.rollouts import Guard, LiveBaseline, RolloutPlan


@pytest.mark.parametrize("dimension", ["score", "tone", "latency", "missing", "hard_failures"])
@pytest.mark.parametrize("margin", [1.0, 3.0])
def test_a_margin_in_points_is_refused_and_told_how_it_is_written(
    dimension: str, margin: float
) -> None:
    with pytest.raises(ValueError, match=r"below it, got \d: 3 points are written 0\.03"):
        Guard(dimension=dimension, margin=margin)
    with pytest.raises(ValueError, match=r"3 points are written 0\.03"):
        guard_of(f"{dimension}={margin}")


def test_a_cost_may_more_than_double_where_the_plan_says_so() -> None:
    assert guard_of("cost=1.1").margin == 1.1


@pytest.mark.parametrize("field", ["latency_p95_s", "cost_p999_usd"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_a_baseline_that_is_no_amount_is_refused(field: str, value: float) -> None:
    given: dict[str, Any] = {"n_outcomes": 200, field: value}
    with pytest.raises(ValueError, match=field):
        RolloutPlan.model_validate({"baseline": given})
    assert LiveBaseline.model_validate({**given, field: 0.0}) is not None
