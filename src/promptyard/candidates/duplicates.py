"""Which sentences of a prompt say the same again. Pure; in doubt they do not.

A single word can turn a rule round ("before", "not", another label), so two sentences are second
wordings only where their weighty words are equal (negations, numbers, conditions, labels, names)
and, unless a model says so, their other words too, filler and inflection apart.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from pydantic import Field

from promptyard.records.base import Record
from promptyard.records.prompts import Program
from promptyard.records.regions import Region, regions
from promptyard.records.sentences import BULLET, Piece, pieces_of


class CompressSettings(Record):
    """How alike sentences must be, in [0, 1], and when a model is asked.

    `min_token_overlap` is the share of all their words that both have, `min_edit_similarity` that
    of words in the same order. Filler is not counted; 1 asks for equal words. A model is asked
    where the prompt has `min_sentences` or more.
    """

    min_token_overlap: float = Field(default=1.0, ge=0, le=1)
    min_edit_similarity: float = Field(default=1.0, ge=0, le=1)
    min_words: int = Field(default=3, ge=1)
    min_sentences: int = Field(default=6, ge=2)
    max_deleted_share: float = Field(default=0.5, gt=0, le=1)


@dataclass(frozen=True)
class Sentence:
    """A sentence that may go: `piece` is its place in the text of `region`.

    `scope` tells sentences apart that equal words would not: the list under a line with a colon.
    """

    id: str
    step: str
    role: str
    region: Region
    piece: Piece
    scope: str


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NEGATION = _words(
    "not no never none nor neither nothing nobody without cannot except unless avoid exclude omit"
    " skip refuse ignore forbidden prohibited instead rather hardly"
    " nicht kein keine keinen nie niemals ohne ne pas jamais sans nunca sin nada não"
)
_WEIGHTY = _words(
    "if when whenever unless until only every all any some each both either or and but than more"
    " less fewer most least before after above below over under first last next previous earlier"
    " later between may might can optional sometimes usually once twice half one two three four"
    " five six seven eight nine ten eleven twelve second third"
)
_FILLER = _words(
    "the a an please always must should shall that also then thus so kindly carefully you your"
    " ensure sure"
)
_PHRASES = re.compile(
    r"\b(?:(?:make|be) sure(?: to| that)?|ensure that|remember (?:to|that)|take care (?:to|that)"
    r"|it is important (?:to|that)|you (?:need|have) to)\b"
)
_NOT = re.compile(r"\b(?:do not|don't|must not|never)\b")
_SAME = {
    **dict.fromkeys(("output", "return", "provide", "emit", "give"), "give"),
    **dict.fromkeys(("pick", "select", "choose"), "choose"),
}
_WORD = re.compile(r"[^\W_]+(?:['’_.-][^\W_]+)*", re.UNICODE)
_QUOTED = re.compile(r"`[^`]+`|\"[^\"]+\"|“[^”]+”|(?<!\w)'[^']+'(?!\w)")
_NAME = re.compile(r"\w*\d[\w.,:/-]*|\w+_\w+|[A-Z]{2,}\w*|\w+[a-z][A-Z]\w*")
_CAPITAL = re.compile(r"(?<=[a-z,;] )[A-Z]\w*")
_REFERS_BACK = re.compile(
    r"(?:this|that|these|those|it|they|them|he|she|otherwise|else|then|instead|if so|if not|here"
    r"|in (?:this|that) case|the (?:former|latter)|such|for example|e\.g\.|also|however|but|and)\b",
    re.IGNORECASE,
)
_CONDITION = ("if", "when", "where", "whenever", "for", "unless")


def sentences_of(program: Program, settings: CompressSettings) -> list[Sentence]:
    """Return the sentences that may go, in order.

    Not those of locked sections, code fences, tables and numbered or nested lists; not those with
    variables, those that refer back to the one before, that the next one refers back to, or that
    introduce a list; nor very short ones.
    """
    found: list[Sentence] = []
    for step in program.steps:
        roles = {section.id: section.role for section in step.prompt.sections}
        for region in regions(step.prompt):
            if region.locked:
                continue
            for piece, scope in _movable(region.text):
                if len(_WORD.findall(piece.text)) >= settings.min_words:
                    role = roles.get(region.section, "")
                    name = f"s{len(found) + 1}"
                    found.append(Sentence(name, step.name, role, region, piece, scope))
    return found


def _movable(text: str) -> Iterator[tuple[Piece, str]]:
    pieces = pieces_of(text)
    scope = fence = ""
    for index, piece in enumerate(pieces):
        line_start = text.rfind("\n", 0, piece.start) + 1
        line = text[line_start:].splitlines()[0]
        mark = line.strip()[:3]
        if mark in ("```", "~~~") and not text[line_start : piece.start].strip():
            fence = "" if fence == mark else (fence or mark)
            continue
        if fence:
            continue
        is_item = BULLET.match(line.lstrip()) is not None
        gap = text[pieces[index - 1].end : piece.start] if index else ""
        if gap.count("\n") > 1 and not is_item:
            scope = ""
        if line.rstrip().endswith(":") and not is_item:
            scope = str(line_start)  # what follows holds for what this line names
            continue
        follower = pieces[index + 1] if index + 1 < len(pieces) else None
        if not _stays(piece, line, follower, text):
            yield piece, scope


def _stays(piece: Piece, line: str, follower: Piece | None, text: str) -> bool:
    bare, shown = BULLET.sub("", piece.text), line.lstrip()
    if shown[:1].isdigit() or shown.startswith(("|", "#", ">")):
        return True
    is_nested = shown != line and BULLET.match(shown) is not None
    if is_nested or "{" in piece.text or "}" in piece.text:
        return True
    if bare.endswith(":") or _REFERS_BACK.match(bare):
        return True
    if follower is None or not _REFERS_BACK.match(follower.text):
        return False
    return "\n" not in text[piece.end : follower.start]


def duplicates(
    sentences: Sequence[Sentence], labels: frozenset[str], settings: CompressSettings
) -> list[Sentence]:
    """Return the sentences that an earlier one of the same region says, in order."""
    kept: dict[tuple[str, ...], list[Sentence]] = {}
    gone: list[Sentence] = []
    for sentence in sentences:
        place = (sentence.step, sentence.region.id, sentence.scope)
        heavy = sorted(f"{word} {n}" for word, n in weight(sentence.piece.text, labels).items())
        alike = kept.setdefault((*place, *heavy), [])
        if any(says_the_same(o.piece.text, sentence.piece.text, labels, settings) for o in alike):
            gone.append(sentence)
        else:
            alike.append(sentence)
    return gone


def says_the_same(one: str, other: str, labels: frozenset[str], settings: CompressSettings) -> bool:
    """Say whether two sentences are wordings of one rule, by their words alone."""
    if weight(one, labels) != weight(other, labels):
        return False
    left, right = _content(one), _content(other)
    if not left or not right:
        return False
    counts, others = Counter(left), Counter(right)
    overlap = sum((counts & others).values()) / sum((counts | others).values())
    if overlap < settings.min_token_overlap:
        return False
    if left == right or _is_turned(left, right):
        return True
    edit = SequenceMatcher(None, left, right, autojunk=False).ratio()
    return edit >= settings.min_edit_similarity


def may_merge(one: Sentence, other: Sentence, labels: frozenset[str]) -> bool:
    """Say whether a model's word suffices: same step, message and list, same weighty words."""
    same_place = (one.step, one.role, one.scope) == (other.step, other.role, other.scope)
    return same_place and weight(one.piece.text, labels) == weight(other.piece.text, labels)


@lru_cache(maxsize=4096)
def weight(sentence: str, labels: frozenset[str]) -> Counter[str]:
    """Count what must not differ: negations, numbers, conditions, labels, quotes, names."""
    bare = BULLET.sub("", sentence)
    found: Counter[str] = Counter()
    folded = " ".join(bare.casefold().split())
    for word in _WORD.findall(folded.replace("’", "'")):
        if word in _NEGATION or word.endswith("n't"):
            found["<negation>"] += 1
        elif word in _WEIGHTY:
            found[word] += 1
    if pattern := _any_of(labels):
        found.update(f"<label> {match[0]}" for match in pattern.finditer(folded))
    found.update(match[0].strip("`\"'“”").casefold() for match in _QUOTED.finditer(bare))
    found.update(match[0].rstrip(".,:").casefold() for match in _NAME.finditer(bare))
    found.update(match[0].casefold() for match in _CAPITAL.finditer(bare))
    return found


@lru_cache(maxsize=16)
def _any_of(labels: frozenset[str]) -> re.Pattern[str] | None:
    """Match any label as whole words, the longest where several begin at one place."""
    longest = sorted({" ".join(label.casefold().split()) for label in labels}, key=len)[::-1]
    if not longest:
        return None
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)")


@lru_cache(maxsize=4096)
def _content(sentence: str) -> tuple[str, ...]:
    folded = _NOT.sub("not", BULLET.sub("", sentence).casefold().replace("’", "'"))
    folded = _PHRASES.sub(" ", folded)
    words = [word for word in _WORD.findall(folded) if word not in _FILLER]
    return tuple(_SAME.get(word) or _stem(word) for word in words)


def _stem(word: str) -> str:
    """Take inflection off; derived words stay apart (employer, employee)."""
    for ending, put in (("ies", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", "")):
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) > 3:
            return (word[: -len(ending)] + put).rstrip("e")
    return word.rstrip("e") if len(word) > 4 else word


def _is_turned(left: Sequence[str], right: Sequence[str]) -> bool:
    """Say whether one is the other with its condition moved from the end to the front."""
    if sorted(left) != sorted(right):
        return False
    return any(
        (*right[at:], *right[:at]) == tuple(left)
        for at in range(1, len(right))
        if left[0] in _CONDITION or right[0] in _CONDITION
    )


def cuts_of(text: str, pieces: Sequence[Piece]) -> list[tuple[int, int]]:
    """Return what goes with sentences, in order: each with its line end, else a space beside it."""
    cuts: list[tuple[int, int]] = []
    for piece in sorted(pieces):
        start, end = _cut(text, piece)
        if cuts and start < cuts[-1][1]:
            start = cuts[-1][1]
        cuts.append((start, end))
    return cuts


def _cut(text: str, piece: Piece) -> tuple[int, int]:
    start, end = piece.start, piece.end
    while start > 0 and text[start - 1] in " \t":
        start -= 1
    opens = start == 0 or text[start - 1] in "\r\n"
    after = end
    while after < len(text) and text[after] in " \t":
        after += 1
    if not opens:
        return start, end
    line_end = re.compile(r"\r\n|\n|\r").match(text, after)
    if line_end:
        return start, line_end.end()
    if after < len(text):
        return piece.start, after
    before = len(text[:start].removesuffix("\n").removesuffix("\r")) if start else 0
    return before, end
