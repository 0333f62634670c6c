"""Finds personal data in a text: by its form, and by its checksum where it has one. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping

from promptyard.records.sightings import Found

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

# Each pattern begins with a character or a set, which `re` looks for fast, and only then looks at
# what stands before it.
_AT_DOMAIN = re.compile(r"@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])")
_LOCAL_PART = re.compile(r"[\w.+%-]{1,65}$")
_CARD = re.compile(r"[2-6](?<![\w.-].)(?:[ -]?[0-9]){12,18}(?![\w-])")
_IBAN_START = re.compile(r"[A-Z](?<![A-Za-z0-9].)[A-Z][0-9][0-9](?= ?[A-Za-z0-9])")
_SSN = re.compile(r"[0-8](?<![\w.-].)[0-9][0-9]-(?!00)[0-9][0-9]-(?!0000)[0-9]{4}(?![\w-])")
_WITH_PLUS = re.compile(r"\+(?<![\w.+-].)[1-9](?:[ ./-]{0,2}\(?[0-9]\)?){6,14}(?![\w-])")
_WITH_ZEROS = re.compile(
    r"0(?<![\w.+-].)0[1-9][0-9]{0,2}[ ./-](?:[ ./-]{0,2}\(?[0-9]\)?){6,14}(?![\w-])"
)
_AMERICAN = re.compile(r"[2-9][0-9][0-9]\)?[ .-]?[2-9][0-9][0-9][ .-][0-9]{4}(?![\w-])")
_BEFORE_AMERICAN = re.compile(r"(?:1[ .-])?\(?$")
_IPV4 = re.compile(r"[0-9](?<![\w.:].)[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?!\w|\.[0-9])")
_FROM_COLON = re.compile(r":[0-9A-Fa-f:]{3,38}(?![\w:])")
_HEX_BEFORE = re.compile(r"[0-9A-Fa-f]{0,4}$")
_WITH_DIGITS = re.compile(r"[0-9](?:[0-9 ./()-]{6}|[0-9](?<=[A-Z][A-Z]..))")
"""What a card, a number of a phone or person, an address or an IBAN has at least."""
_NO_DIGIT = re.compile(r"\D")
_WITHIN_NUMBER = re.compile(r"[\w.+-]")
_WITHIN_ADDRESS = re.compile(r"[\w.:]")


def may_hold_personal_data(text: str) -> bool:
    """Whether a search can find anything, of any kind; far cheaper than the search."""
    return bool(_possible(text))


def find_personal_data(text: str, kinds: frozenset[str]) -> Iterator[Found]:
    """Find personal data of some kinds of `FINDERS`, each once, in time linear in the text."""
    told: set[tuple[str, str]] = set()
    for kind in _possible(text):
        if kind not in kinds:
            continue
        find = FINDERS[kind]
        for match, key in find(text):
            if (kind, key) not in told:
                told.add((kind, key))
                yield Found(kind.replace("_", " "), key, match[0], match[1])


def _possible(text: str) -> tuple[str, ...]:
    """Return the kinds that a text may hold: most hold none, and one look is faster than six."""
    emails = ("email",) if "@" in text else ()
    if _WITH_DIGITS.search(text) is not None:
        return (*emails, *_OF_DIGITS, "ip")
    return (*emails, "ip") if _FROM_COLON.search(text) is not None else emails


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
    for match in _AT_DOMAIN.finditer(text):
        at = match.start()
        local = _LOCAL_PART.search(text, max(0, at - 65), at)
        if local is not None and at - local.start() <= 64:
            start = local.start()
            yield (start, match.end()), text[start : match.end()].casefold()


def _phones(text: str) -> _Spans:
    for pattern in (_WITH_PLUS, _WITH_ZEROS):
        for match in pattern.finditer(text):
            yield match.span(), _NO_DIGIT.sub("", match.group()).removeprefix("00")
    for match in _AMERICAN.finditer(text):
        before = _BEFORE_AMERICAN.search(text, max(0, match.start() - 3), match.start())
        start = before.start() if before is not None else match.start()
        number = text[start : match.end()]
        in_brackets = ("(" in number, ")" in number)
        has_separator = in_brackets[1] or number[-9] in " .-"
        if (
            in_brackets[0] == in_brackets[1]
            and has_separator
            and not _is_within(_WITHIN_NUMBER, text, start)
        ):
            yield (start, match.end()), "1" + _NO_DIGIT.sub("", number)[-10:]


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
        if not match.group().startswith(("000", "666")):
            yield match.span(), match.group()


def _ips(text: str) -> _Spans:
    spans = [match.span() for match in _IPV4.finditer(text)]
    for match in _FROM_COLON.finditer(text):
        before = _HEX_BEFORE.search(text, max(0, match.start() - 4), match.start())
        start = before.start() if before is not None else match.start()
        n_groups = sum(map(bool, text[start : match.end()].split(":")))
        if n_groups > 2 and not _is_within(
            _WITHIN_ADDRESS, text, start
        ):  # a::b is more often something else
            spans.append((start, match.end()))
    for start, end in spans:
        try:
            address = ipaddress.ip_address(text[start:end])
        except ValueError:
            continue
        if not address.is_loopback and not address.is_unspecified:
            yield (start, end), str(address)


def _is_within(longer: re.Pattern[str], text: str, start: int) -> bool:
    """Whether what begins here is the rest of something longer."""
    return start > 0 and longer.match(text, start - 1) is not None


FINDERS: Mapping[str, Callable[[str], _Spans]] = {
    "email": _emails,
    "credit_card": _cards,
    "iban": _ibans,
    "us_ssn": _ssns,
    "phone": _phones,
    "ip": _ips,
}
"""What finds each kind of personal data."""

_OF_DIGITS = tuple(kind for kind in FINDERS if kind not in ("email", "ip"))
