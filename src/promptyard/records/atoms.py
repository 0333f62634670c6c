"""Atoms: edits of one sentence each, and the composition of many of them in one prompt.

An atom can be credited, taken back, banned and found again by bisection; whole rewrites cannot. An
atom names its place by the text that stands there, so that it can be applied to a prompt that has
changed since. Source: anchors on search, sections 2 and 9.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Literal, TypeAlias

from promptyard.records.base import Record
from promptyard.records.edits import (
    Edit,
    Replace,
    SetDemos,
    SetSection,
    apply_edits,
)
from promptyard.records.prompts import Demo, Program, Prompt, Step
from promptyard.records.region_text import RegionText, is_fence, region_text
from promptyard.records.regions import Region, region_of, regions
from promptyard.records.sentences import folded, sentences

TextEdit = Replace | SetSection
AtomKind: TypeAlias = Literal["append", "insert_after", "replace", "delete"]


class Atom(Record):
    """One sentence appended, inserted behind `anchor`, put in its place, or `anchor` deleted.

    `region` is the section or marked span it belongs to. An anchor that is gone turns an insertion
    and a replacement into an append, and a deletion into nothing; an insertion without one goes in
    front.
    """

    kind: AtomKind
    step: str = "main"
    region: str
    anchor: str = ""
    text: str = ""

    @property
    def key(self) -> str:
        """What makes two atoms the same, wherever they stand: the folded text that they change."""
        return folded(self.text) if self.text else f"delete {folded(self.anchor)}"


class Composition(Record):
    """A program with atoms applied, the edits of the seed that make it, and who has a part in it.

    `placed` are the atoms that changed something, in order.
    """

    program: Program
    edits: tuple[Edit, ...]
    placed: tuple[Atom, ...]


def atoms_of(program: Program, edits: Sequence[Edit]) -> tuple[Atom, ...]:
    """Cut text edits of a program into atoms; edits of other kinds have none.

    The sentences of a region are compared before and after each edit, so that each keeps atoms of
    its own; where edits cut through the same sentences, before and after all of them.
    """
    atoms: list[Atom] = []
    for step in program.steps:
        own = [edit for edit in edits if isinstance(edit, TextEdit) and edit.step == step.name]
        for region in regions(step.prompt) if own else ():
            if not region.locked:
                atoms += _region_atoms(step, region, own)
    return tuple(atoms)


def _region_atoms(step: Step, region: Region, edits: Sequence[TextEdit]) -> list[Atom]:
    together = _edited(region, edits)
    if together == region.text:
        return []
    alone = [
        atom
        for edit in edits
        if (after := _edited(region, [edit])) != region.text
        for atom in _sentence_atoms(step.name, region, after)
    ]
    text = region_text(step.prompt, region)
    for atom in alone:
        _applied(atom, text, [text])
    if set(map(folded, sentences(text.text))) == set(map(folded, sentences(together))):
        return alone
    return _sentence_atoms(step.name, region, together)


def _edited(region: Region, edits: Sequence[Replace | SetSection]) -> str:
    """Apply the edits of one region to its text; of two that collide the first one counts."""
    cuts: list[tuple[int, int, str]] = []
    for edit in edits:
        if edit.section != region.section:
            continue
        if isinstance(edit, SetSection):
            cuts.append((0, len(region.text), edit.text))
        elif region.start <= edit.start and edit.end <= region.start + len(region.text):
            cuts.append((edit.start - region.start, edit.end - region.start, edit.text))
    text, at = "", 0
    for start, end, new in sorted(cuts, key=lambda cut: cut[:2]):
        if start >= at:
            text, at = text + region.text[at:start] + new, end
    return text + region.text[at:]


def _sentence_atoms(step: str, region: Region, text: str) -> list[Atom]:
    atoms: list[Atom] = []
    old, new = sentences(region.text), sentences(text)
    anchor, at = "", 0
    for i1, i2, j1, j2 in differences(old, new):
        anchor = old[i1 - 1] if i1 > at else anchor
        removed, added = old[i1:i2], new[j1:j2]
        for gone, said in zip(removed, added, strict=False):
            anchor = said
            atoms.append(Atom(kind="replace", step=step, region=region.id, anchor=gone, text=said))
        for gone in removed[len(added) :]:
            atoms.append(Atom(kind="delete", step=step, region=region.id, anchor=gone))
        at_end = i2 == len(old) and not removed
        for said in added[len(removed) :]:
            kind: AtomKind = "append" if at_end else "insert_after"
            where = "" if at_end else anchor
            atoms.append(Atom(kind=kind, step=step, region=region.id, anchor=where, text=said))
            anchor = said
        at = i2
    return atoms


def differences(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Yield where two lists differ: old[i1:i2] became new[j1:j2]. Quick where little differs."""
    n_before = 0
    while n_before < min(len(old), len(new)) and old[n_before] == new[n_before]:
        n_before += 1
    n_behind = 0
    while (
        n_behind < min(len(old), len(new)) - n_before and old[-1 - n_behind] == new[-1 - n_behind]
    ):
        n_behind += 1
    middle = old[n_before : len(old) - n_behind], new[n_before : len(new) - n_behind]
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, *middle, autojunk=False).get_opcodes():
        if tag != "equal":
            yield i1 + n_before, i2 + n_before, j1 + n_before, j2 + n_before


def compose(
    program: Program, atoms: Sequence[Atom], demos: tuple[str, tuple[Demo, ...]] | None = None
) -> Composition:
    """Apply atoms to a program in their order, and set demonstrations of a step where given.

    An atom whose sentence the prompt holds already changes nothing. Bytes that no atom names stay
    as they are. Raises EditError where the demonstrations cannot stand in the prompt.
    """
    edits: list[Edit] = []
    placed: list[Atom] = []
    for step in program.steps:
        own = [atom for atom in atoms if atom.step == step.name]
        if own:
            changes, done = _compose_step(step, own)
            placed += done
            edits += changes
    if demos is not None:
        edits.append(SetDemos(step=demos[0], demos=demos[1]))
    if not edits:
        return Composition(program=program, edits=(), placed=())
    return Composition(
        program=apply_edits(program, edits), edits=tuple(edits), placed=tuple(placed)
    )


def _compose_step(step: Step, atoms: Sequence[Atom]) -> tuple[list[Edit], list[Atom]]:
    prompt = step.prompt
    cells = {region.id: region for region in regions(prompt) if not region.locked}
    texts, placed = _applied_to(prompt, cells, atoms)
    if any(text.splits_fence for text in texts.values()):
        # Half a code fence would take what follows for code, and a locked section out of its lock.
        whole = [item for item in atoms if not (is_fence(item.anchor) or is_fence(item.text))]
        texts, placed = _applied_to(prompt, cells, whole)
    edits: list[Edit] = [
        Replace(
            step=step.name,
            section=cells[name].section,
            start=cells[name].start + change.start,
            end=cells[name].start + change.end,
            old=change.old,
            text=change.new,
        )
        for name, text in texts.items()
        for change in text.changes()
    ]
    return edits, placed


def _applied_to(
    prompt: Prompt, cells: Mapping[str, Region], atoms: Sequence[Atom]
) -> tuple[dict[str, RegionText], list[Atom]]:
    texts = {name: region_text(prompt, region) for name, region in cells.items()}
    placed: list[Atom] = []
    for atom in atoms:
        name = _cell_of(prompt, atom, texts)
        if name is not None and _applied(atom, texts[name], list(texts.values())):
            placed.append(atom)
    return texts, placed


def _cell_of(prompt: Prompt, atom: Atom, texts: Mapping[str, RegionText]) -> str | None:
    """Find the region that an atom belongs in: its own, else where its anchor stands."""
    if atom.region in texts and (not atom.anchor or texts[atom.region].holds(atom.anchor)):
        return atom.region
    if atom.anchor:
        elsewhere = next((name for name, text in texts.items() if text.holds(atom.anchor)), None)
        if elsewhere is not None:
            return elsewhere
    if atom.region in texts:
        return atom.region
    fallback = region_of(prompt, atom.region)
    return fallback.id if fallback is not None else None


def _applied(atom: Atom, text: RegionText, texts: Sequence[RegionText]) -> bool:
    """Apply an atom; say whether it changed anything."""
    if atom.kind == "delete":
        return text.delete(atom.anchor)
    if atom.kind == "replace" and text.holds(atom.anchor):
        return text.replace(atom.anchor, atom.text)
    if any(item.says(atom.text) for item in texts):
        return False
    if atom.kind == "insert_after" and not atom.anchor:
        text.prepend(atom.text)
    elif atom.kind != "insert_after" or not text.insert_after(atom.anchor, atom.text):
        text.append(atom.text)
    return True
