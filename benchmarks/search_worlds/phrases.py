"""Recognises planted sentences in a text by the words that they share with it."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias

from search_worlds.plan import Plan

Kind: TypeAlias = Literal["rule", "vague", "contrary", "trap", "idle"]
SHARE = 0.75
"""The share of a planted sentence's words that makes another one say the same."""

_END = re.compile(r"(?<=[.!?])[ \t]+(?=[^a-z\s])|(?:[ \t]*\n)+")
_WORD = re.compile(r"[a-z0-9_]+(?:-[a-z0-9_]+)*")
_SMALL = frozenset(
    _WORD.findall(
        "a an and any are as at be by do does for from has have in into is it its never no not of "
        "on or that the their then there this to was what when where which with you your"
    )
)


class Phrase(NamedTuple):
    """A planted sentence: what it is, and for which skill (or which number of trap)."""

    kind: Kind
    key: str


def pieces(text: str) -> list[str]:
    """Cut a text into sentences that keep what parts them: joined they are the text again."""
    found: list[str] = []
    last = 0
    for match in _END.finditer(text):
        found.append(text[last : match.end()])
        last = match.end()
    found.append(text[last:])
    return [piece for piece in found if piece]


def sentences(text: str) -> list[str]:
    """The sentences of a text without what parts them, list marks and headings' signs."""
    bare = (piece.strip().lstrip("-*#0123456789. ").rstrip() for piece in pieces(text))
    return [sentence for sentence in bare if sentence]


def words(text: str) -> frozenset[str]:
    """The words of a text that carry meaning, in lower case."""
    return frozenset(_WORD.findall(text.lower())) - _SMALL


class Phrasebook:
    """All planted sentences of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._phrases: list[tuple[Phrase, frozenset[str], int]] = []
        self._by_word: defaultdict[str, list[int]] = defaultdict(list)
        self._known: dict[str, frozenset[Phrase]] = {}
        for skill in plan.skills:
            self._add("rule", skill.name, skill.rules)
            self._add("vague", skill.name, skill.vague)
            self._add("contrary", skill.name, skill.contrary)
        for number, trap in enumerate(plan.traps):
            self._add("trap", str(number), trap.sentences)
        self._add("idle", "", plan.idle)

    def _add(self, kind: Kind, key: str, texts: Iterable[str]) -> None:
        for text in texts:
            bag = words(text)
            for word in bag:
                self._by_word[word].append(len(self._phrases))
            needed = max(1, math.ceil(SHARE * len(bag)))
            self._phrases.append((Phrase(kind, key), bag, needed))

    def find(self, sentence: str) -> frozenset[Phrase]:
        """What a sentence says. Costs next to nothing for a sentence that was seen before."""
        known = self._known.get(sentence)
        if known is None:
            counts: defaultdict[int, int] = defaultdict(int)
            for word in words(sentence):
                for number in self._by_word.get(word, ()):
                    counts[number] += 1
            known = frozenset(
                self._phrases[number][0]
                for number, count in counts.items()
                if count >= self._phrases[number][2]
            )
            if len(self._known) > 50_000:
                self._known.clear()
            self._known[sentence] = known
        return known

    def says(self, sentence: str, kind: Kind, key: str) -> bool:
        """Whether a sentence says this."""
        return Phrase(kind, key) in self.find(sentence)
