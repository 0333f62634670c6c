"""Reads numbers out of texts as people and models write them, exactly (`decimal`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from promptyard.records.base import Json

MAX_DIGITS = 400
"""Longer numbers are none: no double is that long, and no check may spend time on them."""

MAX_EXPONENT = 308

_SIGN = "[-+\u2212\u2013\ufe63\uff0b\uff0d]"
_CURRENCY = "[$\u00a2-\u00a5\u0e3f\u20a0-\u20cf]"
_GROUPED = (
    r"\d{1,3}(?P<mark>[,'\u2019\u00a0\u2009\u202f])\d{3}(?:(?P=mark)\d{3})*"
    r"|\d{1,2}(?:,\d{2})+,\d{3}"
)
_POWER = (
    r"[eE](?P<e>[-+\u2212]?\d{1,3})(?!\w)"
    r"|[ ]?[\u00d7x*\u00b7][ ]?10(?:\^\{?(?P<caret>[-+\u2212]?\d{1,3})\}?"
    r"|(?P<raised>[\u207b\u207a]?[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]{1,3}))"
)
_NUMBER = (
    rf"(?P<digits>(?:{_GROUPED}|\d+)(?:\.\d+)?|\.\d+)(?:{_POWER})?"
    r"(?!\d)(?![.,'\u2019]\d)"  # 1,5 and 1.2.3 are no numbers, and neither are their parts
)
_WHOLE = re.compile(
    rf"(?P<sign>{_SIGN})?[ ]?{_CURRENCY}?[ ]?(?P<inner>{_SIGN})?{_NUMBER}"
    rf"\s?(?:%|\uff05|{_CURRENCY})?\.?"
)
_INSIDE = re.compile(rf"(?<![\w.])(?<!\d[,'\u2019]){_NUMBER}")
_BEFORE = re.compile(rf"(?:(?<![\w.)\]%\-])(?P<sign>{_SIGN}))?(?:{_CURRENCY}(?P<inner>{_SIGN})?)?$")
_RAISED = str.maketrans("⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹", "-+0123456789")
_FIRST_WINDOW = 4096
_LONGEST_TOKEN = 2 * MAX_DIGITS


def read_number(text: str) -> Decimal | None:
    """Read a text that is one number and nothing else; None for any other.

    White space around it, a currency sign, a percent sign (which does not divide: 45% is 45) and
    one full stop at the end do not count. A comma, an apostrophe or a narrow space may part the
    thousands; the decimal mark is the point, so `1,5` is no number. Exponents are `1e6` and
    `1.5 × 10^6`. Digits of all scripts and the typographic minus are understood. NaN and
    infinities are no numbers, nor are those beyond a double's range or of more than 400 digits.
    """
    body = text.strip()
    match = _WHOLE.fullmatch(body) if len(body) <= _LONGEST_TOKEN else None
    return None if match is None else _value(match, match)


def first_number(text: str) -> Decimal | None:
    """Return the first number in a text; digits behind a letter, as in `GPT4`, are none."""
    return next(_numbers(text, 0), None)


def last_number(text: str) -> Decimal | None:
    """Return the last number in a text, read from its end: long texts cost no more."""
    window = _FIRST_WINDOW
    while True:
        start = max(0, len(text) - window)
        found = list(_numbers(text, start))
        if found or start == 0:
            return found[-1] if found else None
        window *= 8


def number_of(value: Json) -> Decimal | None:
    """Return a JSON number, or a text that is one number, as such; a bool is none."""
    if isinstance(value, str):
        return read_number(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int) and value.bit_length() > 4 * MAX_DIGITS:
        return None
    number = Decimal(str(value))
    return number if number.is_finite() else None


def _numbers(text: str, start: int) -> Iterator[Decimal]:
    """Yield the numbers behind `start`; one that may have been cut there is left out."""
    for match in _INSIDE.finditer(text, start):
        at = match.start()
        before = _BEFORE.search(text, max(0, at - 3), at)
        number = _value(match, before)
        if number is not None and (start == 0 or at > start + _LONGEST_TOKEN):
            yield number


def _value(match: re.Match[str], signs: re.Match[str] | None) -> Decimal | None:
    digits = re.sub(r"[^\d.]", "", match["digits"])
    sign, inner = (signs["sign"], signs["inner"]) if signs is not None else (None, None)
    if len(digits) > MAX_DIGITS or (sign and inner):
        return None
    raised = match["raised"]
    power = match["e"] or match["caret"] or (raised.translate(_RAISED) if raised else "0")
    exponent = int(power.replace("\u2212", "-"))
    number = Decimal(digits).scaleb(exponent) if exponent else Decimal(digits)
    if number and not -MAX_EXPONENT <= number.adjusted() <= MAX_EXPONENT:
        return None
    return number if (sign or inner or "+") in "+\uff0b" else number.copy_negate()
