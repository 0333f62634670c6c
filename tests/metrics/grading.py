"""Grades one answer with one check, for the tables of the metrics' tests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import pytest

from promptyard.errors import ConfigError, MetricError
from promptyard.metrics.build import build_metrics
from promptyard.metrics.context import MetricContext
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion, OutputContract
from promptyard.records.scores import Score

Outcome: TypeAlias = "tuple[str, ...] | type[MetricError] | type[ConfigError]"
"""The tags of the one finding, none for a pass, or the error."""

PASS: Outcome = ()


def grade(
    check: CheckSpec | str,
    output: str | Completion,
    *,
    given: Mapping[str, Json] | None = None,
    expected: Json = None,
    options: Mapping[str, Json] | None = None,
    contract: OutputContract | None = None,
) -> Sequence[Score]:
    """Grade `output` with a check given by its type and options, or whole; `given` is the input."""
    if isinstance(check, str):
        check = CheckSpec(type=check, options=options or {})
    context = MetricContext(output=contract or OutputContract())
    (metric,) = build_metrics([check], context)
    case = Case(id="c1", input=given or {}, expected=expected)
    answer = Completion(text=output) if isinstance(output, str) else output
    return asyncio.run(metric.score(case, answer))


def assert_outcome(
    check: str,
    options: Mapping[str, Json],
    expected: Json,
    output: str,
    outcome: Outcome,
    contract: OutputContract | None = None,
) -> None:
    """Assert that a row of a table comes out as it says."""
    if isinstance(outcome, type):
        with pytest.raises(outcome) as raised:
            grade(check, output, expected=expected, options=options, contract=contract)
        assert "\n" not in str(raised.value)
        return
    (score,) = grade(check, output, expected=expected, options=options, contract=contract)
    assert score.tags == outcome
    assert score.value == (0.0 if outcome else 1.0)
    assert bool(score.reason) == bool(outcome)
