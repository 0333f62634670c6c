from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from promptyard.errors import ConfigError, MetricError
from promptyard.metrics.negation import Inverted
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

from .grading import PASS, Outcome, assert_outcome, grade

FORBIDDEN = ("forbidden_match",)

ROWS: list[tuple[str, Mapping[str, Json], Json, str, Outcome]] = [
    ("not:contains", {"value": "VIP"}, None, "status open", PASS),
    ("not:contains", {"value": "VIP"}, None, "status VIP", FORBIDDEN),
    ("not:contains", {"value": "VIP"}, None, "", PASS),
    ("not:contains-any", {"values": ["a", "b"]}, None, "xa", FORBIDDEN),
    ("not:equals", {}, "no", "yes", PASS),
    ("not:equals", {}, "no", "no", FORBIDDEN),
    ("not:is-json", {}, None, "plain text", PASS),
    ("not:is-json", {}, None, "{}", FORBIDDEN),
    ("not:required_fields", {"fields": ["a", "b"]}, None, "{}", PASS),
    ("not:equals", {}, None, "yes", MetricError),
    ("not:regex", {"pattern": "^(a|a)+$", "timeout_s": 0.1}, None, "a" * 60 + "!", MetricError),
    ("not:contains", {}, None, "x", MetricError),
    ("not:contains", {"vale": "x"}, None, "x", ConfigError),
    ("not:", {}, None, "x", ConfigError),
    ("not:not:contains", {"value": "x"}, None, "x", ConfigError),
]


@pytest.mark.parametrize(("check", "options", "expected", "output", "outcome"), ROWS)
def test_inversion(
    check: str, options: Mapping[str, Json], expected: Json, output: str, outcome: Outcome
) -> None:
    assert_outcome(check, options, expected, output, outcome)


def test_the_finding_says_what_must_not_be() -> None:
    (score,) = grade("not:contains", "status VIP", options={"value": "VIP"})
    assert score.metric == "not:contains"
    assert score.reason == (
        'the output must not pass \'contains\' with {"value": "VIP"}; got "status VIP"'
    )


def test_what_the_user_set_holds_for_the_inverted_check() -> None:
    spec = CheckSpec(
        type="not:contains",
        options={"value": "VIP"},
        severity="hard",
        dimension="safety",
        tag="leaked",
        weight=2.0,
        critical=True,
    )
    (failed,) = grade(spec, "VIP")
    assert failed.tags == ("leaked",)
    for (score,) in (grade(spec, "VIP"), grade(spec, "open")):
        assert (score.severity, score.dimension) == ("hard", "safety")
        assert (score.weight, score.critical) == (2.0, True)


def test_what_found_nothing_at_all_stays_unscored() -> None:
    class Silent:
        name = "silent"

        async def score(self, case: Case, completion: Completion) -> tuple[Score, ...]:
            return ()

    inverted = Inverted(Silent(), CheckSpec(type="not:silent"))
    assert asyncio.run(inverted.score(Case(id="c", input={}), Completion(text="x"))) == ()


def test_an_inverted_check_with_several_findings_passes_once() -> None:
    spec = CheckSpec(type="not:required_fields", weight=3.0, options={"fields": ["a", "b"]})
    (score,) = grade(spec, "{}")
    assert (score.value, score.tags, score.reason, score.field) == (1.0, (), "", None)
    assert score.weight == pytest.approx(3.0)
