"""Which checks look at answers that are not whole: the runner asks for `grades_finishes`."""

from __future__ import annotations

import pytest

from promptyard.metrics.build import build_metrics
from promptyard.metrics.context import MetricContext
from promptyard.records.base import Json
from promptyard.records.cases import CheckSpec


@pytest.mark.parametrize(
    ("check", "options", "finishes"),
    [
        ("finish_reason", {}, "length content_filter"),
        ("not:finish_reason", {"value": "length"}, "length content_filter"),
        ("is_refusal", {}, "content_filter"),
        ("not:is_refusal", {}, "content_filter"),
        ("max_tokens", {"most": 1}, ""),
        ("latency", {"max_s": 1}, ""),
        ("cost", {"max_usd": 1}, ""),
    ],
)
def test_only_these_grade_answers_that_are_not_whole(
    check: str, options: dict[str, Json], finishes: str
) -> None:
    (metric,) = build_metrics([CheckSpec(type=check, options=options)], MetricContext())
    assert getattr(metric, "grades_finishes", None) == set(finishes.split())
