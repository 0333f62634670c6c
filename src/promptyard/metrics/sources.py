"""The sources that an answer may cite: read out of a case's input, normalised once a case."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Generic, TypeVar

from promptyard.metrics.comparison import compatible
from promptyard.metrics.json_text import ABSENT, as_array, clean, lookup, path_parts
from promptyard.records.base import Json, as_object
from promptyard.records.cases import Case

REMEMBERED_CHARS = 16_000_000
"""How many characters of sources one check keeps normalised: those of the last cases."""

INPUT = "input."

Made = TypeVar("Made")


class Remembered(Generic[Made]):
    """What was made of the last values, found again by the identity of the value.

    For values inside of cases, which are shared by all trials and never changed. Holds at most
    `budget` in all, by `size_of`; a larger thing is made anew each time.
    """

    def __init__(
        self, make: Callable[[Json], Made], budget: int, size_of: Callable[[Made], int]
    ) -> None:
        self._make = make
        self._budget = budget
        self._size_of = size_of
        self._total = 0
        self._kept: OrderedDict[int, tuple[Json, Made, int]] = OrderedDict()

    def of(self, value: Json) -> Made:
        """Return what was made of this very value, or make it."""
        kept = self._kept.get(id(value))
        if kept is not None and kept[0] is value:
            self._kept.move_to_end(id(value))
            return kept[1]
        made = self._make(value)
        size = self._size_of(made)
        if size <= self._budget:
            self._kept[id(value)] = (value, made, size)
            self._total += size
            while self._total > self._budget:
                self._total -= self._kept.popitem(last=False)[1][2]
        return made


class SourceText:
    """One source: its text as it stands, and as it is compared."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def spaced(self) -> str:
        """The text in NFKC, each run of white space one blank."""
        return spaced(clean(self.text))

    def has(self, quote: str) -> bool:
        """Whether the quote occurs verbatim: as it stands, or both as they are compared."""
        if quote in self.text:
            return True
        if self.text.isascii() and quote.isascii():
            words = quote.split()  # the two may differ in white space only, so not in a word
            return all(word in self.text for word in words) and " ".join(words) in self.spaced
        return spaced(quote) in self.spaced


class Sources:
    """The sources that some input variables of a case hold, by their ids.

    A variable holds a text, whose id is the variable's name; a mapping of ids to texts; a list of
    `{id, text}`; or a list of texts, whose ids count from 1. Ids are compared as texts: 1 is "1".
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(name.removeprefix(INPUT) for name in names)
        self._read = [
            (name, Remembered(_Reader(name), REMEMBERED_CHARS // len(self._names), _n_chars))
            for name in self._names
        ]

    def of(self, case: Case) -> Mapping[str, SourceText]:
        """Return the sources of a case. Raises ValueError that says what is wrong with them."""
        found: dict[str, SourceText] = {}
        for name, read in self._read:
            value = case.input.get(name, ABSENT)
            if value is ABSENT:
                value = lookup(case.input, path_parts(case.input, name))
            if value is ABSENT:
                raise ValueError(f"its input has no '{name}', which holds the source")
            texts = read.of(value)
            if len(self._names) == 1:
                return texts
            twice = next((key for key in texts if key in found), None)
            if twice is not None:
                raise ValueError(f"two sources have the id '{twice}'")
            found.update(texts)
        return found


def spaced(text: str) -> str:
    """Bring a text into NFKC and each run of white space in it to one blank, none at the ends."""
    return " ".join(compatible(text).split())


def source_id(value: Json) -> str | None:
    """Write an id as the text as which it is compared; None for what can be no id."""
    if isinstance(value, str):
        return value.strip() or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


class _Reader:
    """Reads the sources out of the value of one variable."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, value: Json) -> dict[str, SourceText]:
        if isinstance(value, str):
            return {self._name: SourceText(value)}
        pairs = self._pairs(value)
        if not pairs:
            raise self._unreadable()
        found: dict[str, SourceText] = {}
        for key, text in pairs:
            known = source_id(key)
            if known is None or not isinstance(text, str):
                raise self._unreadable()
            if known in found:
                raise ValueError(f"two sources in '{self._name}' have the id '{known}'")
            found[known] = SourceText(text)
        return found

    def _pairs(self, value: Json) -> list[tuple[Json, Json]]:
        by_id = as_object(value)
        if by_id is not None:
            return list(by_id.items())
        pairs: list[tuple[Json, Json]] = []
        for number, item in enumerate(as_array(value) or (), 1):
            entry = as_object(item)
            pairs.append((number, item) if entry is None else (entry.get("id"), entry.get("text")))
        return pairs

    def _unreadable(self) -> ValueError:
        return ValueError(
            f"input '{self._name}' must be a text, a mapping of ids to texts, or a list of "
            "{id, text}"
        )


def _n_chars(texts: Mapping[str, SourceText]) -> int:
    n_chars = len(texts)
    for source in texts.values():
        n_chars += len(source.text)
    return n_chars
