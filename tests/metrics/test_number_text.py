from __future__ import annotations

import time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.metrics.number_text import first_number, last_number, number_of, read_number

PLAIN = st.decimals(
    min_value=Decimal(-(10**12)), max_value=Decimal(10**12), allow_nan=False, places=4
)


@settings(deadline=None)
@given(PLAIN)
def test_a_number_is_read_as_it_was_written(number: Decimal) -> None:
    for written in (str(number), f"{number:f}", f"{number:,f}", f"{number:+f}", f" ${number:,f}. "):
        assert read_number(written) == number
    assert read_number(f"{number:.30e}") == number
    assert number_of(float(number)) == Decimal(str(float(number)))


@settings(deadline=None)
@given(PLAIN, PLAIN)
def test_the_first_and_the_last_number_of_a_sentence(first: Decimal, last: Decimal) -> None:
    text = f"From {first:,f} it goes to {last:f}, says GPT4."
    assert first_number(text) == first
    assert last_number(text) == last
    assert last_number(text + "." * 40_000) == last


@settings(deadline=None)
@given(st.text(alphabet="0123456789.,-+eE %$'\u00a0\u2212×^ab()", max_size=30))
def test_what_is_read_is_finite_whatever_the_text(text: str) -> None:
    for number in (read_number(text), first_number(text), last_number(text)):
        assert number is None or number.is_finite()
    if (whole := read_number(text)) is not None:
        assert first_number(text) in {whole, -whole, None}


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "1,5", "1.234.567", "1,23,456,7", "12,34", "--5", "-$-5", "5%%", "1e400"),
        *("nan", "inf", "-Infinity", "½", "10²", "5 kg", "1 2", "9" * 401, "1e-999", "1/2", "³"),
    ],
)
def test_what_is_no_number_by_itself(text: str) -> None:
    assert read_number(text) is None


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("x = -5", "-5"),
        ("f(2)-5", "5"),
        ("10-5", "5"),
        ("costs -$5, or $-6", "-6"),
        ("a dash--5", "5"),
        ("from 3 - 5", "5"),
        ("US$1,234.50 in all", "1234.50"),
        ("**42**", "42"),
        (r"\boxed{42}", "42"),
        ("$42$", "42"),
        ("5kg", "5"),
        ("version 1.2.3", None),
        ("1,5 and 2,5", None),
        ("about 3,000, or so", "3000"),
        ("3.0 × 10⁻² m", "0.03"),
        ("3 x 10^{8}", "3e8"),
        ("it is 10² = 100", "100"),
        ("wait...", None),
        ("GPT4", None),
        ("1e5", "1e5"),
        ("2em", "2"),
        ("on 9/7/2003", "2003"),
        ("#### −1,000", "-1000"),
        ("1" * 500, None),
    ],
)
def test_the_last_number_in_a_text(text: str, last: str | None) -> None:
    assert last_number(text) == (None if last is None else Decimal(last))


@pytest.mark.parametrize(
    "value", [True, None, [], {}, "five", float("nan"), float("inf"), 10**500, "1" * 10**6]
)
def test_what_is_no_number_as_json(value: object) -> None:
    assert number_of(value) is None


@pytest.mark.parametrize(
    "text",
    [
        *("7 " * 500_000, "1" * 1_000_000, "1,1" * 300_000, " " * 1_000_000),
        *("x" * 1_000_000, "-" * 1_000_000, "1e" * 500_000, "$ " * 500_000),
    ],
    ids=lambda text: repr(text[:4]),
)
def test_a_megabyte_is_searched_in_reasonable_time(text: str) -> None:
    started = time.process_time()
    read_number(text)
    first_number(text)
    last_number(text)
    assert time.process_time() - started < 20
