"""The text of a region while sentences are added, replaced and deleted in it.

Sentences and the white space between them lie in one list, so that each change touches its own
place and what the seed had there is known: the edits fall out without a comparison of texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from promptyard.records.fences import open_fence
from promptyard.records.prompts import Prompt
from promptyard.records.regions import Region
from promptyard.records.sentences import BULLET, folded, parted, pieces_of

MAX_ITEM_WORDS = 3
"""Longer texts are sentences: they join no list of names."""


class Change(NamedTuple):
    """The characters [start, end) of the seed's text, `old`, become `new`."""

    start: int
    end: int
    old: str
    new: str


@dataclass(eq=False)
class _Cell:
    """A sentence, or the white space before, between and behind sentences.

    `start` and `end` say where it stands in the seed; a sentence that is new stands nowhere.
    """

    text: str
    start: int | None = None
    end: int | None = None
    is_changed: bool = False


class RegionText:
    """Sentences of one region. Cells alternate: white space, sentence, ... , white space."""

    def __init__(self, text: str, newline: str, *, lead: str = "", tail: str = "") -> None:
        """Cut `text`; `lead` and `tail` stand around what is put into an empty region."""
        self._seed = text
        self._newline = newline
        self._lead, self._tail = lead, tail
        self._cells: list[_Cell] = []
        self._by_key: dict[str, list[_Cell]] = {}
        at = 0
        for piece in pieces_of(text):
            self._cells.append(_Cell(text[at : piece.start], at, piece.start))
            cell = _Cell(piece.text, piece.start, piece.end)
            self._cells.append(cell)
            self._by_key.setdefault(folded(piece.text), []).append(cell)
            at = piece.end
        self._cells.append(_Cell(text[at:], at, len(text)))

    @property
    def text(self) -> str:
        """The text as it is now."""
        return "".join(cell.text for cell in self._cells)

    @property
    def splits_fence(self) -> bool:
        """Whether a code block has lost its end, or come without one."""
        return open_fence(self.text) != open_fence(self._seed)

    def holds(self, anchor: str) -> bool:
        """Say whether a sentence stands here, or the words of the anchor within one."""
        return self._find(anchor) is not None

    def says(self, sentence: str) -> bool:
        """Say whether all sentences of `sentence` stand here. Marks without a word never do."""
        keys = [folded(piece.text) for piece in pieces_of(sentence)]
        return bool(keys) and all(self._by_key.get(key) and _has_words(key) for key in keys)

    def delete(self, anchor: str) -> bool:
        """Take a sentence out; False where it does not stand here."""
        cell = self._find(anchor)
        if cell is None:
            return False
        if folded(cell.text) != folded(anchor):
            before, _, after = cell.text.partition(anchor.strip())
            self._rewrite(cell, f"{before.rstrip()} {after.lstrip()}".strip())
        else:
            self._take_out(cell)
        return True

    def replace(self, anchor: str, text: str) -> bool:
        """Put text in the place of a sentence; False where that one does not stand here."""
        cell = self._find(anchor)
        if cell is None:
            return False
        if folded(cell.text) != folded(anchor):
            self._rewrite(cell, cell.text.replace(anchor.strip(), text, 1))
        else:
            self._rewrite(cell, _as_item(text, cell.text))
        return True

    def insert_after(self, anchor: str, text: str) -> bool:
        """Put text behind a sentence; False where that one does not stand here."""
        cell = self._find(anchor)
        if cell is None:
            return False
        at = self._cells.index(cell)
        alone = self._fills_line(cell) and ("\n" in self.text.strip() or BULLET.match(cell.text))
        lead = self._newline + _indent(self._line_of(at)) if alone else " "
        self._cells[at + 1 : at + 1] = [_Cell(lead), self._new(_as_item(text, cell.text))]
        self._keep_apart(at + 2)
        self._keep_apart(at + 4)
        return True

    def prepend(self, text: str) -> None:
        """Put text in front of all sentences."""
        if len(self._cells) == 1:
            self.append(text)
            return
        first = self._cells[1]
        lead = self._newline if self._fills_line(first) else " "
        if not parted(text, lead, first.text):
            lead = self._newline
        self._cells[1:1] = [self._new(text), _Cell(lead)]

    def append(self, text: str) -> None:
        """Put text on a line of its own behind all sentences."""
        gap = self._cells[-1]
        if len(self._cells) == 1:
            gap.text, gap.is_changed = self._tail + gap.text, gap.is_changed or bool(self._tail)
            self._cells[0:0] = [_Cell(self._lead), self._new(text)]
            return
        line = self._line_of(len(self._cells) - 2)
        indent = _indent(line) if BULLET.match(line.strip()) else ""
        new = self._new(_as_item(text, line.strip()))
        self._cells[-1:] = [_Cell(self._newline + indent), new, gap]

    def changes(self) -> Iterator[Change]:
        """Yield what makes the present text of the seed's, in order; each as small as it can be."""
        at = 0
        run: list[str] = []
        for cell in self._cells:
            if cell.start is None or cell.end is None or cell.is_changed:
                run.append(cell.text)
                continue
            yield from self._change(at, cell.start, "".join(run))
            run, at = [], cell.end
        yield from self._change(at, len(self._seed), "".join(run))

    def _change(self, start: int, end: int, new: str) -> Iterator[Change]:
        """Leave the white space that both have at their ends where it is."""
        old = self._seed[start:end]
        if old == new:
            return
        while old and new and old[-1] == new[-1] and old[-1].isspace():
            old, new, end = old[:-1], new[:-1], end - 1
        while old and new and old[0] == new[0] and old[0].isspace():
            old, new, start = old[1:], new[1:], start + 1
        yield Change(start, end, old, new)

    def _find(self, anchor: str) -> _Cell | None:
        """Find a sentence; what this composition put in last goes before what was there."""
        found = self._by_key.get(folded(anchor))
        if found:
            return found[-1] if found[-1].start is None else found[0]
        bare = anchor.strip()
        if not bare:
            return None
        for cell in self._cells[1::2]:
            at = cell.text.find(bare)
            if at >= 0 and _is_whole(cell.text, at, at + len(bare)):
                return cell
        return None

    def _new(self, text: str) -> _Cell:
        cell = _Cell(text)
        self._by_key.setdefault(folded(text), []).append(cell)
        return cell

    def _rewrite(self, cell: _Cell, text: str) -> None:
        self._forget(cell)
        cell.text, cell.is_changed = text, True
        self._by_key.setdefault(folded(text), []).append(cell)
        at = self._cells.index(cell)
        self._keep_apart(at)
        self._keep_apart(at + 2)

    def _forget(self, cell: _Cell) -> None:
        known = self._by_key[folded(cell.text)]
        known.remove(cell)
        if not known:
            del self._by_key[folded(cell.text)]

    def _keep_apart(self, at: int) -> None:
        """Break the line before a sentence that would become a part of the one before it."""
        if not 2 < at < len(self._cells):
            return
        gap = self._cells[at - 1]
        if not parted(self._cells[at - 2].text, gap.text, self._cells[at].text):
            gap.text, gap.is_changed = self._newline, True

    def _take_out(self, cell: _Cell) -> None:
        """Delete a sentence: with its line where it fills it, else with the space before it."""
        self._forget(cell)
        at = self._cells.index(cell)
        before, after = self._cells[at - 1], self._cells[at + 1]
        head, newline, _ = before.text.rpartition("\n")
        if not newline and at > 1:
            left = after.text
        elif "\n" not in after.text:
            left = after.text if self._cells[-1] is after else before.text
        elif newline and after.text.count("\n") >= before.text.count("\n"):
            left = after.text
        else:
            left = head + newline + after.text.partition("\n")[2]
        gap = _Cell(left, before.start, after.end, is_changed=True)
        self._cells[at - 1 : at + 2] = [gap]
        self._keep_apart(at)

    def _fills_line(self, cell: _Cell) -> bool:
        at = self._cells.index(cell)
        before, after = self._cells[at - 1].text, self._cells[at + 1].text
        starts = "\n" in before or at == 1
        return starts and ("\n" in after or at + 1 == len(self._cells) - 1)

    def _line_of(self, at: int) -> str:
        """Return the line that the sentence at `at` ends, with its indentation."""
        parts: list[str] = []
        while at >= 0:
            head, newline, tail = self._cells[at].text.rpartition("\n")
            parts.append(tail)
            if newline or head:
                break
            at -= 1
        return "".join(reversed(parts))


def region_text(prompt: Prompt, region: Region) -> RegionText:
    """Cut a region; a section that is or becomes empty needs line ends around what comes in."""
    newline = prompt.layout.newline
    section = prompt.layout.section(region.section)
    if section is None or prompt.spans:
        return RegionText(region.text, newline)
    begins = section.body == 0 or prompt.text[section.body - 1] == "\n"
    ends = section.end == len(prompt.text) and not region.text
    lead, tail = "" if begins else newline, "" if ends else newline
    return RegionText(region.text, newline, lead=lead, tail=tail)


def _as_item(text: str, neighbour: str) -> str:
    """Make a text a list item where its neighbour is one, with the neighbour's mark.

    In a list of labels or names a whole sentence is no item.
    """
    mark = BULLET.match(neighbour)
    if mark is None or mark.group(0)[0].isdigit() or BULLET.match(text) or "\n" in text:
        return text
    if len(text.split()) > MAX_ITEM_WORDS and not neighbour.rstrip().endswith((".", "!", "?")):
        return text
    return mark.group(0) + text


def is_fence(line: str) -> bool:
    """Say whether a line opens or closes a code fence."""
    return line.startswith(("```", "~~~"))


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _has_words(key: str) -> bool:
    """Say whether a line says something; marks and code fences only stand around what does."""
    return not is_fence(key) and any(map(str.isalnum, key))


def _is_whole(text: str, start: int, end: int) -> bool:
    """Say whether [start, end) neither begins nor ends within a word."""
    ends = text[max(0, start - 1) : start + 1], text[end - 1 : end + 1]
    return not any(re.fullmatch(r"\w\w", pair) for pair in ends)
