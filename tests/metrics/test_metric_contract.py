"""Runs the contract suite over the whole table of metrics, and over what is built around it."""

from __future__ import annotations

import pytest

from promptyard.metrics import METRICS
from promptyard.metrics.python_callable import metric_from_callable
from promptyard.protocols import Metric
from promptyard.records.cases import Case
from promptyard.records.messages import Completion
from promptyard.testing.metric_contract import MetricContract

from .case_table import example_of

GRADED = sorted(set(METRICS) - {"skip"})
"""All but the check that never grades."""


class TestEveryMetric(MetricContract):
    @pytest.fixture(autouse=True, params=GRADED)
    def _name(self, request: pytest.FixtureRequest) -> None:
        self.name = str(request.param)
        self.example = example_of(self.name)

    def metric(self) -> Metric:
        return self.example.metric(self.name)

    def passing(self) -> tuple[Case, Completion]:
        return self.example.passing.case, self.example.passing.answer

    def failing(self) -> tuple[Case, Completion]:
        return self.example.failing.case, self.example.failing.answer


class TestEveryInvertedMetric(TestEveryMetric):
    def metric(self) -> Metric:
        return self.example.metric(f"not:{self.name}")

    def passing(self) -> tuple[Case, Completion]:
        return super().failing()

    def failing(self) -> tuple[Case, Completion]:
        return super().passing()


class TestACallable(MetricContract):
    def metric(self) -> Metric:
        return metric_from_callable(_share_of_words)

    def passing(self) -> tuple[Case, Completion]:
        return Case(id="c1", input={}, expected="a b"), Completion(text="b a")

    def failing(self) -> tuple[Case, Completion]:
        return Case(id="c1", input={}, expected="a b"), Completion(text="a")


def _share_of_words(case: Case, output: str) -> float:
    wanted = str(case.expected).split()
    return sum(word in output.split() for word in wanted) / len(wanted)
