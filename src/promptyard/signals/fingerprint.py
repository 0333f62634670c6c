"""The shape of a free-text reason: what is left when ids, numbers, quotes and dates are taken out.

Reasons of judges and of code repeat themselves with other particulars; their shapes are few.
Source: anchors on evaluation, section 6.
"""

from __future__ import annotations

import re

MAX_CHARS = 120
"""Characters of a reason that count; what parts reasons of one cause stands at their end."""

_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]{0,6}\.?"
_PARTICULARS = (
    ("<url>", r"\b(?:https?://|www\.)\S+"),
    ("<email>", r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    (
        "<quote>",
        r'"[^"]*"|“[^”]*”|„[^“”]*[“”]|«[^»]*»|`[^`]*`'
        r"|(?<!\w)'[^']*'(?!\w)|(?<!\w)‘[^’]*’(?!\w)",
    ),
    ("<id>", r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"),
    (
        "<date>",
        r"\b\d{4}-\d\d?-\d\d?(?:[t ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:z|[+-]\d\d:?\d\d)?)?"
        r"|\b\d\d?[./]\d\d?[./]\d{2,4}\b"
        rf"|\b\d\d?(?:st|nd|rd|th)?\.? {_MONTH}(?:,? \d{{4}})?\b"
        rf"|\b{_MONTH} \d\d?(?:st|nd|rd|th)?(?:,? \d{{4}})?\b",
    ),
    ("<id>", r"\b(?=[\w-]*\d)(?=[\w-]*[a-z])[\w-]{4,}\b|#\w+"),
    ("<number>", r"[-+]?\d(?:[\d,.']*\d)?(?: ?%)?"),
)
_PATTERNS = tuple((mark, re.compile(pattern)) for mark, pattern in _PARTICULARS)
_MANY = re.compile(r"(<[a-z]+>)(?:(?:,| and| or|,? &)? \1)+")
_BLANKS = re.compile(r"\s+")


def shape(reason: str) -> str:
    """Return a reason in lower case with particulars as `<quote>`, `<number>`, `<date>` ...

    Lists of particulars of one kind become one. Empty where nothing is left but blanks.
    """
    text = _BLANKS.sub(" ", reason).strip().casefold()[: 4 * MAX_CHARS]
    for mark, pattern in _PATTERNS:
        text = pattern.sub(mark, text)
    return _MANY.sub(r"\1", text)[:MAX_CHARS].strip(" .:;,!")
