"""Applies lessons to a prompt: as local edits that quote it, or by writing it anew."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from search_worlds.optimizer.lessons import STRONG, WEAK, Lesson
from search_worlds.optimizer.prompts import Part
from search_worlds.phrases import Phrasebook, pieces
from search_worlds.plan import Plan

Op: TypeAlias = Literal["append", "insert_after", "replace", "delete"]
SHORT_TOKENS, LONG_TOKENS = 300, 7000
LOSS_SHORT, LOSS_LONG = 0.01, 0.15
"""The chance that writing a prompt anew loses one of its rules."""
SHORTENS = 0.25
"""The share of other sentences that writing a long prompt anew leaves out."""


@dataclass(frozen=True)
class Edit:
    """One edit as a model writes it: `old` is what it quotes out of the part `section`."""

    op: Op
    section: str
    old: str
    new: str


def edits_of(
    plan: Plan,
    taught: Sequence[Lesson],
    parts: Sequence[Part],
    target: str | None,
    rng: random.Random,
) -> list[Edit]:
    """Turn lessons into edits; quotations are not always exact."""
    temper = WEAK if "weak" in plan.options else STRONG
    open_parts = [part for part in parts if not part.locked] or list(parts)
    home = next((part for part in open_parts if part.id == target), None)
    home = home or (open_parts[-1] if open_parts else Part("", ""))
    edits: list[Edit] = []
    for lesson in taught:
        if lesson.old:
            place = next((part for part in open_parts if lesson.old in part.text), None)
            if place is None:
                continue
            quote = lesson.old
            if rng.random() < temper.misquotes:
                quote = quote[:-2] + "!"
            edits.append(Edit("replace" if lesson.new else "delete", place.id, quote, lesson.new))
            continue
        anchor = _anchor(plan, lesson, home.text) if rng.random() < 0.4 else ""
        edits.append(Edit("insert_after" if anchor else "append", home.id, anchor, lesson.new))
    return edits


def _anchor(plan: Plan, lesson: Lesson, text: str) -> str:
    """The first sentence that speaks of the field that a lesson is about."""
    if lesson.skill is None:
        return ""
    name = plan.by_name[lesson.skill].field
    return next(
        (
            piece.strip()
            for piece in pieces(text)
            if name in piece and not piece.strip().startswith("#")
        ),
        "",
    )


def rewritten(
    plan: Plan, book: Phrasebook, prompt: str, taught: Sequence[Lesson], rng: random.Random
) -> str:
    """Write a prompt anew. Rules get lost, the more the longer it is; harmless models lose none."""
    share = (len(prompt) / 4 - SHORT_TOKENS) / (LONG_TOKENS - SHORT_TOKENS)
    share = min(1.0, max(0.0, share))
    loss = LOSS_SHORT + (LOSS_LONG - LOSS_SHORT) * share
    keeps_all = bool(plan.options & {"null", "harmful"})
    changes = {lesson.old: lesson.new for lesson in taught if lesson.old}
    kept: list[str] = []
    for piece in pieces(prompt):
        bare = piece.strip()
        old = next((text for text in changes if text and text in bare), None)
        if old is not None:
            replaced = piece.replace(old, changes[old], 1)
            if re.search(r"\w", replaced):
                kept.append(replaced)
            continue
        says = {phrase.kind for phrase in book.find(bare.lstrip("- "))}
        lost = loss if says & {"rule", "trap"} else SHORTENS * share
        if not keeps_all and not bare.startswith("#") and rng.random() < lost:
            kept.append("\n" if piece.endswith("\n") else "")
            continue
        kept.append(piece)
    added = [lesson.new for lesson in taught if not lesson.old and lesson.new not in prompt]
    return ("".join(kept).rstrip() + "".join(f"\n- {text}" for text in added)).strip()


def shortened(book: Phrasebook, prompt: str) -> str:
    """Leave out what says nothing, and second wordings of a rule."""
    kept: list[str] = []
    stated: set[object] = set()
    for piece in pieces(prompt):
        phrases = book.find(piece.strip().lstrip("- "))
        rules = {phrase for phrase in phrases if phrase.kind == "rule"}
        idle = bool(phrases) and all(phrase.kind in {"idle", "vague"} for phrase in phrases)
        if idle or (rules and rules <= stated):
            continue
        stated |= rules
        kept.append(piece)
    return "".join(kept).strip()
