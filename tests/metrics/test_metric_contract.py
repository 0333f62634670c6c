"""Runs the contract suite over the whole table of metrics, and over what is built around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from promptyard.metrics import METRICS
from promptyard.metrics.build import build_metrics
from promptyard.metrics.context import MetricContext
from promptyard.metrics.python_callable import metric_from_callable
from promptyard.protocols import Metric
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.testing.metric_contract import MetricContract

SCHEMA: Json = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"enum": ["open", "closed"]}},
}


@dataclass(frozen=True)
class Example:
    """One check with an answer that passes and one that fails."""

    passing: str
    failing: str
    expected: Json = None
    options: Mapping[str, Json] | None = None

    def case(self) -> Case:
        return Case(id="c1", input={}, expected=self.expected)


EXAMPLES: dict[str, Example] = {
    "equals": Example("open", "closed", expected="open"),
    "exact_match": Example('{"a": 1}', '{"a": 2}', expected={"a": 1}),
    "contains": Example("in Paris", "in Rome", expected="Paris"),
    "icontains": Example("in PARIS", "in Rome", expected="Paris"),
    "contains_all": Example("a and b", "a", options={"values": ["a", "b"]}),
    "contains_any": Example("b", "c", options={"values": ["a", "b"]}),
    "icontains_all": Example("A and B", "a", options={"values": ["a", "b"]}),
    "icontains_any": Example("B", "c", options={"values": ["a", "b"]}),
    "starts_with": Example("Dear Ann, hello", "Hello", expected="Dear"),
    "ends_with": Example("Yours, Bob", "Yours", expected="Bob"),
    "regex": Example("order 42", "order", options={"pattern": r"\d+"}),
    "is_json": Example("[1]", "[1"),
    "json_schema": Example('{"status": "open"}', '{"status": "VIP"}', options={"schema": SCHEMA}),
    "required_fields": Example('{"a": 0}', '{"b": 0}', options={"fields": ["a"]}),
    "enum": Example("open", "VIP", options={"values": ["open", "closed"]}),
    "field_equals": Example(
        '{"a": "x"}', '{"a": "y"}', expected={"a": "x"}, options={"field": "a"}
    ),
}


GRADED = sorted(set(METRICS) - {"skip"})
"""All but the check that never grades."""


@pytest.mark.parametrize("name", GRADED)
def test_every_registered_metric_has_an_example(name: str) -> None:
    assert name in EXAMPLES, f"add an example for '{name}' so that its contract is tested"


def test_every_example_is_of_a_registered_metric() -> None:
    assert set(EXAMPLES) <= set(METRICS)


class TestEveryMetric(MetricContract):
    @pytest.fixture(autouse=True, params=GRADED)
    def _name(self, request: pytest.FixtureRequest) -> None:
        self.name = str(request.param)

    def metric(self) -> Metric:
        options = EXAMPLES[self.name].options or {}
        spec = CheckSpec(type=self.name, options=options)
        return build_metrics([spec], MetricContext())[0]

    def passing(self) -> tuple[Case, Completion]:
        example = EXAMPLES[self.name]
        return example.case(), Completion(text=example.passing)

    def failing(self) -> tuple[Case, Completion]:
        example = EXAMPLES[self.name]
        return example.case(), Completion(text=example.failing)


class TestEveryInvertedMetric(TestEveryMetric):
    def metric(self) -> Metric:
        options = EXAMPLES[self.name].options or {}
        spec = CheckSpec(type=f"not:{self.name}", options=options)
        return build_metrics([spec], MetricContext())[0]

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
