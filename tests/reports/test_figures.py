from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.records.scores import Interval
from promptyard.reports.figures import (
    MISSING,
    amount,
    change,
    change_range,
    count,
    counted,
    dimension_name,
    duration,
    moment,
    percent,
    points,
    usd,
)


@pytest.mark.parametrize(
    ("dimension", "value", "text"),
    [
        ("score", 0.6654, "66.5 %"),
        ("safety", 1.0, "100.0 %"),
        ("latency_s", 0.00064, "0.64 ms"),
        ("latency_s", 0.0412, "41.2 ms"),
        ("latency_s", 0.412, "412 ms"),
        ("latency_s", 12.3456, "12,346 ms"),
        ("tokens", 5241.381, "5,241"),
        ("cost_usd", 0.000419, "$0.00042"),
        ("cost_usd", 0.0, "$0.00"),
    ],
)
def test_an_amount_carries_the_unit_of_its_dimension(
    dimension: str, value: float, text: str
) -> None:
    assert amount(dimension, value) == text


@pytest.mark.parametrize(
    ("dimension", "value", "text"),
    [
        ("score", 0.1125, "+11.2 points"),
        ("accuracy", -0.005, "-0.5 points"),
        ("validity", 0.0, "0.0 points"),
        ("validity", -0.0001, "0.0 points"),
        ("latency_s", 0.0353, "+35.3 ms"),
        ("latency_s", -0.5, "-500 ms"),
        ("tokens", 1238.5, "+1,238"),
        ("cost_usd", -0.00031, "-$0.00031"),
        ("cost_usd", 0.0, "$0.00"),
    ],
)
def test_a_change_carries_sign_and_unit(dimension: str, value: float, text: str) -> None:
    assert change(dimension, value) == text


def test_the_ends_of_an_interval_stand_in_the_unit_of_the_difference() -> None:
    interval = Interval(low=-0.021, high=0.2, method="tango")
    assert change_range("score", interval) == "-2.1 to +20.0"
    assert change_range("latency_s", interval) == "-21.0 ms to +200 ms"


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_missing_number_is_a_dash_and_never_zero(value: float | None) -> None:
    assert percent(value) == points(value) == usd(value) == MISSING
    assert amount("latency_s", value) == change("tokens", value) == MISSING
    assert change_range("score", None) == MISSING


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "$1,234.50"), (1.0, "$1.00"), (0.7431, "$0.74"), (0.0123, "$0.012")],
)
def test_dollars_are_exact_enough_to_be_compared(value: float, text: str) -> None:
    assert usd(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (42.4, "42 s"),
        (59.7, "1 min 0 s"),
        (254.2, "4 min 14 s"),
        (3780.0, "1 h 3 min"),
        (math.nan, MISSING),
    ],
)
def test_a_duration_reads_as_a_person_says_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_counts_have_their_thousands_separated_and_their_noun_in_number() -> None:
    assert count(1968) == "1,968"
    assert counted(1, "case") == "1 case"
    assert counted(2000, "case") == "2,000 cases"


def test_a_moment_is_shown_to_the_minute_with_its_zone() -> None:
    assert moment("2026-01-14T09:30:12+00:00") == "2026-01-14 09:30 UTC"
    assert moment("yesterday") == "yesterday"


def test_dimensions_have_readable_names() -> None:
    assert dimension_name("latency_s") == "Latency"
    assert dimension_name("accuracy") == "Accuracy"


@given(st.floats(0.00001, 10_000))
def test_an_amount_of_dollars_loses_at_most_five_percent_to_rounding(value: float) -> None:
    shown = float(usd(value).strip("$").replace(",", ""))
    assert shown == pytest.approx(value, rel=0.051)
