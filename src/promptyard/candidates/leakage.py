"""Finds repetitions of eval cases in text that a generator wrote."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from promptyard.candidates.plain_text import folded, script_counts
from promptyard.records.base import Json, as_list, as_object
from promptyard.records.cases import Case
from promptyard.records.images import has_image_bytes

WINDOW_CHARS = 30
WINDOW_WORDS = 8
BLOCK_CHARS = WINDOW_CHARS // 2
BLOCK_WORDS = WINDOW_WORDS // 2
WORD = re.compile(r"\w+", re.UNICODE)
IDENTIFIER = re.compile(r"\b(?=[\w-]*\d)(?=[\w-]*[^\W\d_])[\w-]{5,}\b", re.UNICODE)
"""Names of single things: letters and digits in one word (`AB-1f3c`, `ticket_42`)."""
MANY_CASES = 20
SHARED_SCRIPT = 0.2
"""Share of the cases from which on a script belongs to the task."""
NUMBER = re.compile(r"\d[\d,.]*\d|\d{2,}")


class LeakageIndex:
    """The texts of an eval set, ready to be searched for pieces of another text.

    A text leaks when it shares 30 characters or 8 words in a row with an input or a long gold
    answer, or names an identifier that a single case has (of `MANY_CASES` or more: one or two, so
    that a case that names the identifier of another one does not make it common). Where all gold
    answers are numbers, any gold number of two or more digits leaks too. Texts inside JSON count,
    and all are compared in their plain reading.

    Attributes:
        scripts: scripts, Latin apart, in which the cases are written.

    Only every 15th character position and every 4th word is indexed: a shared piece always holds
    one of these blocks whole, and the rest is compared in place. So the index takes a few times
    the memory of the texts, not a hundred times.
    """

    def __init__(self, cases: Sequence[Case], *, allowed: Sequence[str] = ()) -> None:
        """Index the cases; pieces that stand in the `allowed` texts (the seed prompt) may recur."""
        self._chars = _Blocks(BLOCK_CHARS, WINDOW_CHARS)
        self._words = _Blocks(BLOCK_WORDS, WINDOW_WORDS)
        self._sealed: set[str] = set()
        self._allowed = _Known(allowed)
        self._cases = {case.id: case for case in cases}
        scripts: Counter[str] = Counter()
        for case in cases:
            texts = _texts(case)
            for text in texts:
                plain_text = folded(text)
                if len(text) >= WINDOW_CHARS:
                    self._chars.add(plain_text)
                    self._words.add(tuple(WORD.findall(plain_text)))
            if case.split != "train":
                self._sealed.add(_input_key(case.input))
            scripts.update({name for text in texts for name in script_counts(text)})
        self.scripts = frozenset(
            name for name, n_cases in scripts.items() if n_cases >= SHARED_SCRIPT * len(cases)
        )
        golds = [case.expected for case in cases]
        self._identifiers = _own_identifiers(cases)
        numeric = bool(golds) and all(_is_number(gold) for gold in golds)
        self._gold_numbers = {str(gold) for gold in golds if len(str(gold)) >= 2} if numeric else ()

    def find(self, text: str, own: str | None = None) -> str | None:
        """Return the first piece that the text shares with a case, or None.

        What stands in the case with the id `own` may recur.
        """
        known = [self._allowed]
        if own is not None and own in self._cases:
            known.append(_Known(tuple(_texts(self._cases[own]))))
        plain_text = folded(text)
        for start in self._chars.shared(plain_text):
            piece = plain_text[start : start + WINDOW_CHARS]
            if not any(piece in item.text for item in known):
                return piece
        words = tuple(WORD.findall(plain_text))
        for start in self._words.shared(words):
            piece = " ".join(words[start : start + WINDOW_WORDS])
            if not any(piece in item.words for item in known):
                return piece
        for name in IDENTIFIER.findall(plain_text):
            if name in self._identifiers and not any(name in item.text for item in known):
                return name
        if self._gold_numbers and own is None:
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


class _Known:
    """Texts in which a shared piece may stand."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.text = "\n".join(folded(text) for text in texts)
        self.words = " ".join(WORD.findall(self.text))


def _texts(case: Case) -> list[str]:
    """Return the texts of a case, those inside its JSON too; bytes of images are none."""
    values = (*case.input.values(), case.expected)
    return [text for value in values for text in _leaves(value)]


def _leaves(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif (items := as_list(value)) is not None:
        for item in items:
            yield from _leaves(item)
    elif (fields := as_object(value)) is not None and not has_image_bytes(value):
        for item in fields.values():
            yield from _leaves(item)


def _own_identifiers(cases: Sequence[Case]) -> frozenset[str]:
    """Return the identifiers that stand in one case only, of many cases in two; labels are none."""
    counts: Counter[str] = Counter()
    for case in cases:
        values = [*case.input.values()]
        if not isinstance(case.expected, str) or " " in case.expected:
            values.append(case.expected)
        texts = [text for value in values for text in _leaves(value)]
        counts.update({name for text in texts for name in IDENTIFIER.findall(folded(text))})
    most = 2 if len(cases) >= MANY_CASES else 1
    return frozenset(name for name, n_cases in counts.items() if n_cases <= most)


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
