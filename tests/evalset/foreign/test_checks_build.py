"""Checks that importers write are checks that can be built: names and options fit the metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from promptyard.evalset.case_row import case_from_row
from promptyard.evalset.foreign.promptfoo.checks_by_type import CONVERT
from promptyard.metrics import METRICS
from promptyard.metrics.build import build_metrics
from promptyard.metrics.context import MetricContext
from promptyard.records.base import Json, as_list, as_object

from .promptfoo_files import rows

VALUES: Mapping[str, Json] = {
    "contains-any": ["a", "b"],
    "contains-all": ["a"],
    "icontains-any": ["a"],
    "icontains-all": ["a"],
    "is-json": {"type": "object"},
    "contains-json": {"type": "object"},
    "bleu": ["a", "b"],
    "word-count": {"min": 1, "max": 5},
    "finish-reason": "stop",
    "tool-call-f1": ["search"],
}


def names(check: Mapping[str, Json]) -> Iterator[str]:
    yield str(check["type"]).removeprefix("not:")
    for item in as_list(check.get("checks")) or ():
        yield from names(as_object(item) or {})


@pytest.mark.parametrize("negated", [False, True], ids=["plain", "not"])
@pytest.mark.parametrize("kind", sorted(CONVERT))
def test_a_converted_assertion_is_a_check_that_can_be_built(
    kind: str, negated: bool, tmp_path: Path
) -> None:
    assertion = {
        "type": f"not-{kind}" if negated else kind,
        "value": VALUES.get(kind, "a"),
        "threshold": 0.5,
        "weight": 2,
        "metric": "m",
    }
    test: Json = {"vars": {"q": "x", "context": "c"}, "assert": [assertion]}
    tools = [{"name": "search", "parameters": {"type": "object"}}]
    provider = {"id": "openai:x", "config": {"tools": tools}}
    (row,) = rows(tmp_path, {"providers": [provider], "tests": [test]})
    (check,) = row["checks"]
    assert check["type"] != "skip"
    missing = set(names(check)) - set(METRICS)
    if missing:
        pytest.skip(f"there is no metric {', '.join(missing)} yet")
    case = case_from_row(row, "row")
    assert len(build_metrics(case.checks, MetricContext())) == 1


def test_a_skip_is_a_check_that_can_be_built(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, {"tests": [{"vars": {"q": "x"}, "assert": [{"type": "webhook"}]}]})
    assert len(build_metrics(case_from_row(row, "row").checks, MetricContext())) == 1
