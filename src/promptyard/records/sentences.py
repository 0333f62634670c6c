"""Cuts instructions into sentences, the units that local edits add, replace and delete."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

BULLET = re.compile(r"^(?:[-*+]|\d+[.)])[ \t]+")
# A sentence ends with its line, or with a full stop before something that begins a new one.
_END = re.compile(r"(?<=[.!?\u2026])[ \t]+(?=\S)|(?<=[\u3002\uff01\uff1f])[ \t]*(?=\S)|\s*\n\s*")
_NUMBER = re.compile(r"\s*\d+\.")
_OPENING = frozenset("\"'`([<*\u00ab\u201e\u201c\u2018\u00bf\u00a1\u300c\u300e\uff08")


class Piece(NamedTuple):
    """A sentence at [start, end) of its text, without the white space around it."""

    start: int
    end: int
    text: str


@lru_cache(maxsize=1024)
def pieces_of(text: str) -> tuple[Piece, ...]:
    """Return the sentences of a text in order; what lies between them is white space."""
    found: list[Piece] = []
    at = 0
    for start, end in [*_ends(text), (len(text), len(text))]:
        piece = text[at:start]
        stripped = piece.strip()
        if stripped:
            lead = at + len(piece) - len(piece.lstrip())
            found.append(Piece(start=lead, end=lead + len(stripped), text=stripped))
        at = end
    return tuple(found)


def _ends(text: str) -> Iterator[tuple[int, int]]:
    at = 0
    for match in _END.finditer(text):
        start, end = match.span()
        numbers = _NUMBER.fullmatch(text, at, start)
        if "\n" in text[start:end] or (_begins(text[end]) and not numbers):
            yield start, end
            at = end


def _begins(character: str) -> bool:
    """Say whether a character can begin a sentence: no small letter, no dash, no closing mark."""
    if character.isalnum():
        return not character.islower()
    return character in _OPENING or unicodedata.category(character) == "So"


def parted(before: str, between: str, after: str) -> bool:
    """Say whether white space between two sentences keeps them apart."""
    if not before or not after or "\n" in between:
        return True
    joined = before[-1] + between + after[0]
    found = _END.match(joined, 1)
    return found is not None and found.end() == len(joined) - 1 and _begins(after[0])


def sentences(text: str) -> tuple[str, ...]:
    """Return the sentences of a text without what separates them."""
    return tuple(piece.text for piece in pieces_of(text))


@lru_cache(maxsize=8192)
def folded(sentence: str) -> str:
    """Fold case, bullets, white space and final punctuation: equal results say the same."""
    bare = sentence.strip()
    words = " ".join(BULLET.sub("", bare).casefold().split()).rstrip(".;:,")
    return unicodedata.normalize("NFC", words or bare)


def says(texts: Sequence[str], sentence: str) -> bool:
    """Say whether the texts hold every sentence of `sentence` as a sentence of their own.

    Case, bullets, white space and final punctuation apart. A part of a longer sentence says
    something else.
    """
    wanted = {folded(piece.text) for piece in pieces_of(sentence)}
    return bool(wanted) and wanted <= frozenset[str]().union(*map(_said, texts))


@lru_cache(maxsize=256)
def _said(text: str) -> frozenset[str]:
    return frozenset(folded(piece.text) for piece in pieces_of(text))


@lru_cache(maxsize=512)
def folded_text(text: str) -> str:
    """Fold the case and the white space of a text; kept, since prompts are asked about again."""
    return " ".join(text.casefold().split())
