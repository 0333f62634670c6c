"""Amounts as reports write them: a number with a scale, in its own text or in a field beside it."""

from __future__ import annotations

import re
from decimal import Decimal

from promptyard.metrics.expected_number import times
from promptyard.metrics.json_text import ABSENT
from promptyard.metrics.number_text import number_of, read_number
from promptyard.records.base import Json

SCALES: dict[str, Decimal] = {
    "": Decimal(1),
    "percent": Decimal("0.01"),
    "hundred": Decimal(100),
    "thousand": Decimal(1000),
    "million": Decimal(10) ** 6,
    "billion": Decimal(10) ** 9,
    "trillion": Decimal(10) ** 12,
}
"""What the words in a `scale` field multiply by; a plural s and case do not count."""

_IN_BRACKETS = re.compile(r"(?P<currency>[^\w\s().,-]?)\s?\((?P<inner>[^()]*)\)")
_OWN_SCALE = re.compile(r"(?P<number>.*\d\)?)\s?(?P<scale>%|[a-z]{7,9})", re.IGNORECASE | re.DOTALL)
_LONGEST = 1000


def scale_factor(word: Json) -> Decimal | None:
    """Return what a scale field multiplies by: 1 where it is absent or null, None if unknown."""
    if word is ABSENT or word is None:
        return Decimal(1)
    plain = word.strip().casefold() if isinstance(word, str) else None
    return None if plain is None else SCALES.get(plain, SCALES.get(plain.removesuffix("s")))


def amount_of(value: Json, factor: Decimal) -> Decimal | None:
    """Read a JSON number, or a text that is one amount, and scale it; None for anything else.

    A text may bring its own scale, which then stands instead of `factor` (`$9.5 million`, `49%`),
    and brackets make it negative (`$(31.5)`), as in accounts.
    """
    if not isinstance(value, str):
        number = number_of(value)
        return None if number is None else times(number, factor)
    if len(value) > _LONGEST:
        return None
    body, own = _without_scale(value.strip())
    bracketed = _IN_BRACKETS.fullmatch(body)
    if bracketed is not None:
        body, inner_scale = _without_scale(bracketed["currency"] + bracketed["inner"].strip())
        own = inner_scale if own is None else own
    number = read_number(body)
    if number is None or (bracketed is not None and number.is_signed()):
        return None
    signed = number.copy_negate() if bracketed is not None and number else number
    return times(signed, factor if own is None else own)


def _without_scale(text: str) -> tuple[str, Decimal | None]:
    """Take a percent sign or scale word off the end of a text that has one behind a number."""
    match = _OWN_SCALE.fullmatch(text)
    word = "" if match is None else match["scale"]
    factor = scale_factor("percent" if word == "%" else word) if word else None
    return (text, None) if match is None or factor is None else (match["number"], factor)
