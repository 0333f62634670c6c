from __future__ import annotations

from collections.abc import Mapping

import pytest

from promptyard.errors import ConfigError, MetricError
from promptyard.records.base import Json

from .grading import PASS, Outcome, assert_outcome, grade

MISSING = ("missing_text",)

ROWS: list[tuple[str, Mapping[str, Json], Json, str, Outcome]] = [
    ("starts_with", {"value": "Dear"}, None, "Dear Ann", PASS),
    ("starts_with", {"value": "Dear"}, None, "\nDear Ann", PASS),
    ("starts_with", {"value": "Dear", "normalize": "none"}, None, "\nDear Ann", MISSING),
    ("starts_with", {"value": "Dear"}, None, "dear Ann", MISSING),
    ("starts_with", {"value": "Dear", "normalize": "casefold"}, None, "DEAR Ann", PASS),
    ("starts_with", {"value": "Ann"}, None, "Dear Ann", MISSING),
    ("starts_with", {}, "Dear", "Dear Ann", PASS),
    ("starts_with", {"value": "a, b"}, None, "a", MISSING),
    ("starts_with", {"value": "Dear"}, None, "", ("empty_output", "missing_text")),
    ("starts_with", {}, None, "Dear Ann", MetricError),
    ("starts_with", {}, "  ", "Dear Ann", MetricError),
    ("starts_with", {"value": " "}, None, "Dear Ann", ConfigError),
    ("starts_with", {"value": ["Dear"]}, None, "Dear Ann", ConfigError),
    ("starts_with", {"value": "Dear", "normalize": "squad"}, None, "Dear", ConfigError),
    ("ends_with", {"value": "Bob"}, None, "Yours, Bob", PASS),
    ("ends_with", {"value": "Bob"}, None, "Yours, Bob\n", PASS),
    ("ends_with", {"value": "Bob", "normalize": "none"}, None, "Yours, Bob\n", MISSING),
    ("ends_with", {"value": "bob"}, None, "Yours, Bob", MISSING),
    ("ends_with", {"value": "bob", "normalize": "casefold"}, None, "Yours, Bob", PASS),
    ("ends_with", {"value": "Yours"}, None, "Yours, Bob", MISSING),
    ("ends_with", {}, "e\u0301", "caf\u00e9", PASS),
    ("ends_with", {"value": "x"}, None, " ", ("empty_output", "missing_text")),
    ("ends_with", {}, 5, "5", MetricError),
    ("ends_with", {"value": None}, None, "x", ConfigError),
    ("ends_with", {"val": "x"}, None, "x", ConfigError),
]


@pytest.mark.parametrize(("check", "options", "expected", "output", "outcome"), ROWS)
def test_beginnings_and_ends(
    check: str, options: Mapping[str, Json], expected: Json, output: str, outcome: Outcome
) -> None:
    assert_outcome(check, options, expected, output, outcome)


def test_the_reason_shows_the_end_that_was_looked_at() -> None:
    long = "start " + "x" * 500 + " finish"
    (start,) = grade("starts_with", long, options={"value": "begin"})
    (end,) = grade("ends_with", long, options={"value": "end"})
    assert '"start xxx' in start.reason
    assert end.reason.endswith('xxx finish"')
