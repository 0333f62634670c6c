"""Finds repetitions of eval cases in text that a generator wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from promptyard.records.base import Json
from promptyard.records.cases import Case

WINDOW_CHARS = 30
WINDOW_WORDS = 8
WORD = re.compile(r"\w+", re.UNICODE)
NUMBER = re.compile(r"\d[\d,.]*\d|\d{2,}")


class LeakageIndex:
    """All texts of an eval set, cut into overlapping pieces.

    A text leaks when it shares 30 characters or 8 words in a row with an input or a long gold
    answer. Where all gold answers are numbers, any gold number of two or more digits leaks too.
    """

    def __init__(self, cases: Sequence[Case], *, allowed: Sequence[str] = ()) -> None:
        """Index the cases; pieces that stand in the `allowed` texts (the seed prompt) may recur."""
        self._chars: set[str] = set()
        self._words: set[str] = set()
        self._sealed: set[str] = set()
        for case in cases:
            for text in _texts(case):
                folded = _folded(text)
                self._chars.update(_char_windows(folded))
                self._words.update(_word_windows(folded))
            if case.split != "train":
                self._sealed.add(_input_key(case.input))
        for text in allowed:
            folded = _folded(text)
            self._chars.difference_update(_char_windows(folded))
            self._words.difference_update(_word_windows(folded))
        golds = [case.expected for case in cases]
        numeric = bool(golds) and all(_is_number(gold) for gold in golds)
        self._gold_numbers = {str(gold) for gold in golds if len(str(gold)) >= 2} if numeric else ()

    def find(self, text: str) -> str | None:
        """Return the first piece that the text shares with a case, or None."""
        folded = _folded(text)
        for window in _char_windows(folded):
            if window in self._chars:
                return window
        for window in _word_windows(folded):
            if window in self._words:
                return window
        if self._gold_numbers:
            for number in NUMBER.findall(text):
                if number.replace(",", "") in self._gold_numbers:
                    return number
        return None

    def is_sealed(self, input_values: Mapping[str, Json]) -> bool:
        """Say whether these inputs are those of a dev or holdout case, but for case and spacing."""
        return _input_key(input_values) in self._sealed


def _texts(case: Case) -> Iterator[str]:
    for value in (*case.input.values(), case.expected):
        if isinstance(value, str) and len(value) >= WINDOW_CHARS:
            yield value


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _char_windows(folded: str) -> Iterator[str]:
    for start in range(len(folded) - WINDOW_CHARS + 1):
        yield folded[start : start + WINDOW_CHARS]


def _word_windows(folded: str) -> Iterator[str]:
    words = WORD.findall(folded)
    for start in range(len(words) - WINDOW_WORDS + 1):
        yield " ".join(words[start : start + WINDOW_WORDS])


def _input_key(input_values: Mapping[str, Json]) -> str:
    return "\n".join(
        f"{name}={' '.join(WORD.findall(str(value).casefold()))}"
        for name, value in sorted(input_values.items())
    )


def _is_number(value: Json) -> bool:
    try:
        float(str(value).replace(",", ""))
    except ValueError:
        return False
    return not isinstance(value, bool)
