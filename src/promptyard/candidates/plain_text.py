"""Reads a text as a person does: look-alike letters as what they look like, nothing hidden. Pure.

A word that is written in other letters, or with invisible ones between, is the same word to a
model. So texts are compared by their plain reading, and never shown in it.
"""

from __future__ import annotations

import re
import unicodedata

from promptyard.records.look_alikes import LATIN_LOOK_ALIKES
from promptyard.records.quoting import HIDDEN

# What looks like a Latin letter, and the hyphens that are no hyphen-minus.
_LOOK_ALIKES = LATIN_LOOK_ALIKES | dict.fromkeys(map(ord, "‐‑‒–—―−﹣"), ord("-"))
_ASCII_HIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile(r"[A-Za-z]")
_LIKE_LATIN = re.compile(r"[\u0400-\u052f\u13a0-\u13ff\uab70-\uabbfΑΒΕΖΗΙΚΜΝΟΡΤΥΧονι]")


def plain(text: str) -> str:
    """Return the reading of a text: compatibility forms folded, look-alikes Latin, none hidden."""
    if text.isascii():
        return _ASCII_HIDDEN.sub("", text)
    shown = HIDDEN.sub(lambda found: found[0] if found[0] in "\n\r\t" else "", text)
    return unicodedata.normalize("NFKC", shown).translate(_LOOK_ALIKES)


def folded(text: str) -> str:
    """Return the reading of a text without case and with single spaces."""
    return " ".join(plain(text).casefold().split())


def mixed_word(text: str) -> str | None:
    """Return the first word that mixes Latin letters with those that look like them."""
    if text.isascii():
        return None
    for match in _WORD.finditer(text):
        if _LATIN.search(match[0]) and _LIKE_LATIN.search(match[0]):
            return match[0]
    return None


def script_counts(text: str) -> dict[str, int]:
    """Count the letters of each script that is not Latin, by the first word of their names.

    Greek letters are left out: they are signs of mathematics as well. Kana and Han are one script.
    """
    counts: dict[str, int] = {}
    if text.isascii():
        return counts
    for char in text:
        if not char.isascii() and char.isalpha():
            name = unicodedata.name(char, "").partition(" ")[0]
            name = "CJK" if name in ("HIRAGANA", "KATAKANA", "IDEOGRAPHIC") else name
            if name not in ("", "LATIN", "GREEK", "MICRO", "FULLWIDTH", "MATHEMATICAL", "FEMININE"):
                counts[name] = counts.get(name, 0) + 1
    return counts
