"""Counts words, sentences and paragraphs of a text. Pure, in time linear in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator

_WORD = re.compile(r"\w+")

# Only the first of a run of full stops is tried, and nothing is given back: linear in the text.
_SENTENCE_END = re.compile(
    r"(?<![.!?…])[.!?…]++[\"'”’»)\]*_]*+(?=\s|$)|[。！？]++[」』”’)]*+|\n[^\S\n]*(?=\n)|"
    r"\n[^\S\n]*(?=(?:[-*•+]|\d{1,3}[.)])[^\S\n])"
)
_LAST_WORD = re.compile(r"[\w.]{1,10}+$")
_LIST_NUMBER = re.compile(r"\s*\d{1,3}")

_ABBREVIATIONS = frozenset(
    {"mr", "mrs", "ms", "dr", "prof", "sr", "jr", "st", "vs", "e.g", "i.e", "u.s", "p.s", "p.p.s"}
)


def words(text: str) -> list[str]:
    r"""Return the words of a text: runs of letters, digits and underscores (`\w+`)."""
    return _WORD.findall(text)


def count_sentences(text: str) -> int:
    """Count sentences: what stands between two ends of sentences and has a word in it.

    A sentence ends at `.`, `!`, `?` or `…` before white space, at their ideographic forms, at an
    empty line and before an item of a list. Common English abbreviations, initials and the number
    of a list's item end none.
    """
    return sum(1 for piece in _sentences(text) if _WORD.search(piece))


def _sentences(text: str) -> Iterator[str]:
    start = 0
    for match in _SENTENCE_END.finditer(text):
        one_stop = match.group()[0] == "." and match.group()[1:2] != "."
        if one_stop and _is_no_end(text, start, match.start()):
            continue
        yield text[start : match.end()]
        start = match.end()
    yield text[start:]


def _is_no_end(text: str, start: int, at: int) -> bool:
    """Whether the full stop at `at` belongs to an abbreviation, an initial or a list's number."""
    if _LIST_NUMBER.fullmatch(text, start, at):
        return True
    found = _LAST_WORD.search(text, max(start, at - 10), at)
    word = found.group().lower() if found else ""
    return word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha() and word != "i")
