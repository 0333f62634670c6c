"""Finds personal data in a text: by its form, and by its checksum where it has one. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping

from promptyard.metrics.leaks import Found

IBAN_LENGTHS: Mapping[str, int] = {
    **dict.fromkeys(("NO",), 15),
    **dict.fromkeys(("BE",), 16),
    **dict.fromkeys(("DK", "FI", "FK", "FO", "GL", "NL", "SD"), 18),
    **dict.fromkeys(("MK", "SI"), 19),
    **dict.fromkeys(("AT", "BA", "EE", "KZ", "LT", "LU", "MN", "XK"), 20),
    **dict.fromkeys(("CH", "CR", "HR", "LI", "LV"), 21),
    **dict.fromkeys(("BG", "BH", "DE", "GB", "GE", "IE", "ME", "RS", "VA"), 22),
    **dict.fromkeys(("AE", "GI", "IL", "IQ", "OM", "SO", "TL"), 23),
    **dict.fromkeys(("AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG"), 24),
    **dict.fromkeys(("LY", "PT", "ST"), 25),
    **dict.fromkeys(("IS", "TR"), 26),
    **dict.fromkeys(("BI", "DJ", "FR", "GR", "IT", "MC", "MR", "SM"), 27),
    **dict.fromkeys(("AL", "AZ", "BY", "CY", "DO", "GT", "HN", "HU", "LB", "NI", "PL", "SV"), 28),
    **dict.fromkeys(("BR", "EG", "PS", "QA", "UA"), 29),
    **dict.fromkeys(("JO", "KW", "MU", "YE"), 30),
    **dict.fromkeys(("MT", "SC"), 31),
    **dict.fromkeys(("LC",), 32),
    **dict.fromkeys(("RU",), 33),
}
"""Characters of an IBAN by country (SWIFT IBAN registry)."""

CARD_LENGTHS: Mapping[str, tuple[int, ...]] = {
    "2": (16,),
    "3": (15, 14, 16),
    "4": (16, 13, 19),
    "5": (16,),
    "6": (16, 19, 17, 18),
}
"""Digits of the numbers that card networks issue, by the first digit."""

_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}+@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])")
_CARD = re.compile(r"(?<![\w.-])[2-6](?:[ -]?\d){12,18}(?![\w-])")
_IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?= ?[A-Za-z0-9])")
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
_PHONE = re.compile(
    r"(?<![\w.+-])(?:(?:\+[1-9]|00[1-9]\d{0,2}[ ./-])(?:[ ./-]{0,2}\(?\d\)?){6,14}|"
    r"(?:1[ .-])?(?:\([2-9]\d{2}\)[ .-]?|[2-9]\d{2}[ .-])[2-9]\d{2}[ .-]\d{4})(?![\w-])"
)
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:]{6,39}(?![\w:])")
_NO_DIGIT = re.compile(r"\D")


def find_personal_data(text: str, kinds: frozenset[str]) -> Iterator[Found]:
    """Find personal data of some kinds of `FINDERS`, each once, in time linear in the text."""
    told: set[tuple[str, str]] = set()
    for kind, find in FINDERS.items():
        if kind not in kinds:
            continue
        for match, key in find(text):
            if (kind, key) not in told:
                told.add((kind, key))
                yield Found(kind.replace("_", " "), key, match[0], match[1])


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def passes_mod_97(iban: str) -> bool:
    """Whether the check digits of an IBAN without blanks fit (ISO 13616, ISO 7064 MOD 97-10)."""
    moved = iban[4:] + iban[:4]
    return int("".join(str(int(char, 36)) for char in moved)) % 97 == 1


_Spans = Iterator[tuple[tuple[int, int], str]]


def _emails(text: str) -> _Spans:
    for match in _EMAIL.finditer(text):
        yield match.span(), match.group().casefold()


def _phones(text: str) -> _Spans:
    for match in _PHONE.finditer(text):
        digits = _NO_DIGIT.sub("", match.group()).removeprefix("00")
        national = len(digits) == 10 and not match.group().startswith(("+", "00"))
        yield match.span(), f"1{digits}" if national else digits


def _cards(text: str) -> _Spans:
    for match in _CARD.finditer(text):
        ends = [index for index, char in enumerate(match.group(), 1) if char.isdigit()]
        for length in CARD_LENGTHS[match.group()[0]]:
            if len(ends) < length:
                continue
            end = match.start() + ends[length - 1]
            digits = _NO_DIGIT.sub("", text[match.start() : end])
            if not text[end : end + 1].isalnum() and len(set(digits)) > 1 and passes_luhn(digits):
                yield (match.start(), end), digits
                break


def _ibans(text: str) -> _Spans:
    for match in _IBAN_START.finditer(text):
        length = IBAN_LENGTHS.get(match.group()[:2])
        if length is None:
            continue
        window = text[match.start() : match.start() + length + length // 4 + 1]
        ends = [index for index, char in enumerate(window, 1) if char != " "]
        if len(ends) < length:
            continue
        end = match.start() + ends[length - 1]
        iban = text[match.start() : end].replace(" ", "")
        whole = iban.isascii() and iban.isalnum() and not text[end : end + 1].isalnum()
        if whole and passes_mod_97(iban):
            yield (match.start(), end), iban.upper()


def _ssns(text: str) -> _Spans:
    for match in _SSN.finditer(text):
        yield match.span(), match.group()


def _ips(text: str) -> _Spans:
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(text):
            if pattern is _IPV6 and sum(map(bool, match.group().split(":"))) < 3:
                continue  # a::b is an address, and more often something else
            try:
                address = ipaddress.ip_address(match.group())
            except ValueError:
                continue
            if not address.is_loopback and not address.is_unspecified:
                yield match.span(), str(address)


FINDERS: Mapping[str, Callable[[str], _Spans]] = {
    "email": _emails,
    "credit_card": _cards,
    "iban": _ibans,
    "us_ssn": _ssns,
    "phone": _phones,
    "ip": _ips,
}
"""What finds each kind of personal data."""
