"""Finds repetitions of eval cases in text that a generator wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from promptyard.records.base import Json
from promptyard.records.cases import Case

WINDOW_CHARS = 30
WINDOW_WORDS = 8
BLOCK_CHARS = WINDOW_CHARS // 2
BLOCK_WORDS = WINDOW_WORDS // 2
WORD = re.compile(r"\w+", re.UNICODE)
NUMBER = re.compile(r"\d[\d,.]*\d|\d{2,}")


class LeakageIndex:
    """The texts of an eval set, ready to be searched for pieces of another text.

    A text leaks when it shares 30 characters or 8 words in a row with an input or a long gold
    answer. Where all gold answers are numbers, any gold number of two or more digits leaks too.

    Only every 15th character position and every 4th word is indexed: a shared piece always holds
    one of these blocks whole, and the rest is compared in place. So the index takes a few times
    the memory of the texts, not a hundred times.
    """

    def __init__(self, cases: Sequence[Case], *, allowed: Sequence[str] = ()) -> None:
        """Index the cases; pieces that stand in the `allowed` texts (the seed prompt) may recur."""
        self._chars = _Blocks(BLOCK_CHARS, WINDOW_CHARS)
        self._words = _Blocks(BLOCK_WORDS, WINDOW_WORDS)
        self._sealed: set[str] = set()
        self._allowed_text = "\n".join(_folded(text) for text in allowed)
        self._allowed_words = " ".join(WORD.findall(self._allowed_text))
        for case in cases:
            for text in _texts(case):
                folded = _folded(text)
                self._chars.add(folded)
                self._words.add(tuple(WORD.findall(folded)))
            if case.split != "train":
                self._sealed.add(_input_key(case.input))
        golds = [case.expected for case in cases]
        numeric = bool(golds) and all(_is_number(gold) for gold in golds)
        self._gold_numbers = {str(gold) for gold in golds if len(str(gold)) >= 2} if numeric else ()

    def find(self, text: str) -> str | None:
        """Return the first piece that the text shares with a case, or None."""
        folded = _folded(text)
        for start in self._chars.shared(folded):
            piece = folded[start : start + WINDOW_CHARS]
            if piece not in self._allowed_text:
                return piece
        words = tuple(WORD.findall(folded))
        for start in self._words.shared(words):
            piece = " ".join(words[start : start + WINDOW_WORDS])
            if piece not in self._allowed_words:
                return piece
        if self._gold_numbers:
            for number in NUMBER.findall(text):
                if number.replace(",", "") in self._gold_numbers:
                    return number
        return None

    def is_sealed(self, input_values: Mapping[str, Json]) -> bool:
        """Say whether these inputs are, but for case and spacing, those of a sealed case."""
        return _input_key(input_values) in self._sealed


class _Blocks:
    """Finds where a sequence shares a window of a given length with one of many sequences."""

    def __init__(self, block: int, window: int) -> None:
        self._block = block
        self._window = window
        self._sequences: list[Sequence[str]] = []
        self._places: dict[int, list[tuple[int, int]]] = {}

    def add(self, sequence: Sequence[str]) -> None:
        """Index every block-th piece of a sequence."""
        if len(sequence) < self._window:
            return
        number = len(self._sequences)
        self._sequences.append(sequence)
        for start in range(0, len(sequence) - self._block + 1, self._block):
            key = hash(sequence[start : start + self._block])
            self._places.setdefault(key, []).append((number, start))

    def shared(self, sequence: Sequence[str]) -> list[int]:
        """Return where windows start in `sequence` that stand in an indexed one, in order."""
        found: set[int] = set()
        for at in range(len(sequence) - self._block + 1):
            for number, start in self._places.get(hash(sequence[at : at + self._block]), ()):
                found.update(self._windows(sequence, at, self._sequences[number], start))
        return sorted(found)

    def _windows(self, sequence: Sequence[str], at: int, other: Sequence[str], start: int) -> range:
        """Extend a common block to both sides, as far as a window can reach."""
        reach = self._window - self._block
        before = 0
        while (
            before < min(reach, at, start)
            and sequence[at - before - 1] == other[start - before - 1]
        ):
            before += 1
        after, longest = 0, min(len(sequence) - at, len(other) - start, self._window)
        while after < longest and sequence[at + after] == other[start + after]:
            after += 1
        return range(at - before, at + after - self._window + 1)


def _texts(case: Case) -> list[str]:
    return [
        value
        for value in (*case.input.values(), case.expected)
        if isinstance(value, str) and len(value) >= WINDOW_CHARS
    ]


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


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
