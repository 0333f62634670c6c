from __future__ import annotations

from collections.abc import Mapping

import pytest

from promptyard.errors import ConfigError, MetricError
from promptyard.records.base import Json

from .grading import PASS, Outcome, assert_outcome, grade

MISSING = ("missing_text",)

ROWS: list[tuple[str, Mapping[str, Json], Json, str, Outcome]] = [
    ("contains", {"value": "refund"}, None, "A refund is due.", PASS),
    ("contains", {"value": "refund"}, None, "A Refund is due.", MISSING),
    ("contains", {"value": "a, b"}, None, "b, a, b", PASS),
    ("contains", {"value": "a, b"}, None, "b and a", MISSING),
    ("contains", {}, "Paris", "in Paris", PASS),
    ("contains", {"value": "caf\u00e9"}, None, "cafe\u0301", PASS),
    ("contains", {"value": "x"}, None, "", ("empty_output", "missing_text")),
    ("contains", {}, None, "in Paris", MetricError),
    ("contains", {}, ["Paris"], "in Paris", MetricError),
    ("contains", {"value": ["Paris"]}, None, "in Paris", ConfigError),
    ("contains", {"value": ""}, None, "in Paris", ConfigError),
    ("contains", {"values": ["Paris"]}, None, "in Paris", ConfigError),
    ("contains", {"value": 42}, None, "42", ConfigError),
    ("icontains", {"value": "REFUND"}, None, "a refund", PASS),
    ("icontains", {"value": "straße"}, None, "STRASSE 5", PASS),
    ("icontains", {"value": "REFUND"}, None, "a re fund", MISSING),
    ("icontains", {}, "PARIS", "in Paris", PASS),
    ("icontains", {}, "PARIS", "in Rome", MISSING),
    ("icontains", {}, 1, "1", MetricError),
    ("icontains", {"vale": "x"}, None, "x", ConfigError),
    ("icontains", {"value": "x"}, None, " \n", ("empty_output", "missing_text")),
    ("contains_all", {"values": ["a", "b"]}, None, "b a", PASS),
    ("contains_all", {"value": ["a", "b"]}, None, "b a", PASS),
    ("contains_all", {"values": ["a", "b"]}, None, "a", MISSING),
    ("contains_all", {"values": ["a", "b"]}, None, "A B", MISSING),
    ("contains_all", {"values": ["a,b"]}, None, "a b", MISSING),
    ("contains_all", {}, ["a", "b"], "ab", PASS),
    ("contains_all", {}, "a,b", "a b", MetricError),
    ("contains_all", {"values": "a,b"}, None, "a b", ConfigError),
    ("contains_all", {"values": []}, None, "a b", ConfigError),
    ("contains_all", {"values": ["a"], "value": ["b"]}, None, "a b", ConfigError),
    ("contains_any", {"values": ["a", "b"]}, None, "xbx", PASS),
    ("contains_any", {"values": ["a", "b"]}, None, "B", MISSING),
    ("contains_any", {"values": ["a", "b"]}, None, "c", MISSING),
    ("contains_any", {"values": ["a"]}, None, "", ("empty_output", "missing_text")),
    ("contains_any", {}, ["a", "b"], "b", PASS),
    ("contains_any", {}, [], "b", MetricError),
    ("contains_any", {}, [1], "1", MetricError),
    ("contains_any", {"values": [1]}, None, "1", ConfigError),
    ("icontains_all", {"values": ["A", "b"]}, None, "a B", PASS),
    ("icontains_all", {"values": ["A", "b"]}, None, "a", MISSING),
    ("icontains_all", {"values": ["İ"]}, None, "i\u0307", PASS),
    ("icontains_all", {}, ["A"], "xa", PASS),
    ("icontains_all", {}, None, "xa", MetricError),
    ("icontains_all", {"values": "A"}, None, "a", ConfigError),
    ("icontains_all", {"values": ["A"]}, None, "", ("empty_output", "missing_text")),
    ("icontains_all", {"values": [""]}, None, "a", ConfigError),
    ("icontains_any", {"values": ["A", "b"]}, None, "xB", PASS),
    ("icontains_any", {"values": ["A", "b"]}, None, "c", MISSING),
    ("icontains_any", {"value": ["A", "b"]}, None, "a", PASS),
    ("icontains_any", {}, ["A"], "a", PASS),
    ("icontains_any", {}, {}, "a", MetricError),
    ("icontains_any", {"values": {}}, None, "a", ConfigError),
    ("icontains_any", {"value": "a,b"}, None, "a", ConfigError),
    ("icontains_any", {"values": ["A"]}, None, "\t", ("empty_output", "missing_text")),
]


@pytest.mark.parametrize(("check", "options", "expected", "output", "outcome"), ROWS)
def test_containment(
    check: str, options: Mapping[str, Json], expected: Json, output: str, outcome: Outcome
) -> None:
    assert_outcome(check, options, expected, output, outcome)


def test_the_reason_names_only_what_is_missing() -> None:
    (score,) = grade("contains_all", "only a", options={"values": ["a", "b", "c"]})
    assert score.reason == 'the output lacks ["b", "c"]; got "only a"'


def test_one_missing_text_is_named_without_a_list() -> None:
    (score,) = grade("contains_all", "only a", options={"values": ["a", "b"]})
    assert score.reason == 'the output lacks "b"; got "only a"'


def test_a_list_given_as_one_text_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match=r"list of texts \(commas do not split\)"):
        grade("contains_any", "a", options={"values": "a, b"})
