"""Chooses what to teach, and with which sentence: as imperfectly as a model does."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from search_worlds.optimizer.evidence import Evidence
from search_worlds.phrases import Phrasebook, sentences, words
from search_worlds.plan import Plan, Skill


@dataclass(frozen=True)
class Temper:
    """How good the model is.

    Attributes:
        most_lessons: skills that one reply teaches at most.
        sharp: share of its rules that say something definite.
        trap: chance to fall for a trap that would mend what it sees.
        idle: chance of a sentence that changes nothing.
        memorised: chance to write down one of the cases that it was shown.
        contrary: chance of a sentence that spoils another skill.
        sees_conflict: chance to notice a sentence that a failing rule suffers from.
        misquotes: chance that a quotation from the prompt is not exact.
    """

    most_lessons: int = 5
    sharp: float = 0.85
    trap: float = 0.15
    idle: float = 0.2
    memorised: float = 0.06
    contrary: float = 0.03
    sees_conflict: float = 0.7
    misquotes: float = 0.02


STRONG = Temper()
WEAK = Temper(
    most_lessons=2,
    sharp=0.6,
    trap=0.3,
    idle=0.4,
    memorised=0.1,
    contrary=0.06,
    sees_conflict=0.4,
    misquotes=0.04,
)


@dataclass(frozen=True)
class Lesson:
    """One change of a prompt: `old` is a sentence of it (none: add), `new` replaces it."""

    new: str
    old: str = ""
    skill: str | None = None


def lessons(
    plan: Plan, book: Phrasebook, prompt: str, evidence: Evidence, rng: random.Random
) -> list[Lesson]:
    """What one reply teaches."""
    said = sentences(prompt)
    if "null" in plan.options:
        texts = rng.sample(plan.idle, rng.choice((1, 1, 2)))
        return [Lesson(text) for text in texts if text not in said]
    if "harmful" in plan.options:
        texts = rng.sample(plan.harm, min(len(plan.harm), rng.choice((1, 1, 2))))
        return [Lesson(text) for text in texts if text not in said]
    temper = WEAK if "weak" in plan.options else STRONG
    chosen = _chosen(evidence, temper, rng)
    found = [
        _lesson(plan, book, plan.by_name[name], said, evidence, temper, rng) for name in chosen
    ]
    return [item for item in found if item] + _slips(plan, chosen, evidence, temper, rng)


def _chosen(evidence: Evidence, temper: Temper, rng: random.Random) -> list[str]:
    """Mistakes come first, by weight; then what others describe; then what examples hint at."""
    chosen: list[str] = []
    for name, weight in _shuffled(evidence.failures, rng):
        if len(chosen) < temper.most_lessons and rng.random() < _notices(weight):
            chosen.append(name)
    for name in evidence.told:
        if name not in chosen and len(chosen) < temper.most_lessons + 2 and rng.random() < 0.75:
            chosen.append(name)
    for name, weight in _shuffled(evidence.hints, rng):
        fits = name not in chosen and len(chosen) < temper.most_lessons
        if fits and rng.random() < min(0.35, 0.08 * weight):
            chosen.append(name)
    return chosen


def _notices(weight: float) -> float:
    """The chance to make something of evidence of this weight."""
    return 0.95 * weight**2 / (weight**2 + 0.2)


def _shuffled(weights: dict[str, float], rng: random.Random) -> list[tuple[str, float]]:
    jittered = [(weight * rng.uniform(0.6, 1.4), name) for name, weight in sorted(weights.items())]
    return [(name, weights[name]) for _, name in sorted(jittered, reverse=True)]


def _lesson(
    plan: Plan,
    book: Phrasebook,
    skill: Skill,
    said: Sequence[str],
    evidence: Evidence,
    temper: Temper,
    rng: random.Random,
) -> Lesson | None:
    """Mend one skill: by a rule, or by touching the sentence that is in the way."""
    stated = [item for item in said if book.says(item, "rule", skill.name)]
    contrary = [item for item in said if book.says(item, "contrary", skill.name)]
    if contrary and rng.random() < temper.sees_conflict:
        new = "" if stated else _wording(skill, said, evidence, temper, rng)
        return Lesson(new, contrary[0], skill.name)
    if not stated:
        return Lesson(_wording(skill, said, evidence, temper, rng), "", skill.name)
    traps = [
        item
        for number, trap in enumerate(plan.traps)
        if skill.name in trap.hurts
        for item in said
        if book.says(item, "trap", str(number))
    ]
    if traps and rng.random() < temper.sees_conflict:
        return Lesson("", traps[0], None)
    new = _wording(skill, said, evidence, temper, rng)
    if any(words(new) == words(item) for item in said):
        return None
    replaces = new in skill.rules and rng.random() < 0.5
    return Lesson(new, stated[0] if replaces else "", skill.name)


def _wording(
    skill: Skill, said: Sequence[str], evidence: Evidence, temper: Temper, rng: random.Random
) -> str:
    """A sentence for a skill; what stands in the prompt or was tried is avoided if possible."""
    used = {words(text) for text in (*said, *evidence.tried)}
    sharp = [text for text in skill.rules if words(text) not in used]
    vague = [text for text in skill.vague if words(text) not in used]
    if vague and rng.random() >= temper.sharp:
        return rng.choice(vague)
    return rng.choice(sharp or list(skill.rules))


def _slips(
    plan: Plan, chosen: Sequence[str], evidence: Evidence, temper: Temper, rng: random.Random
) -> list[Lesson]:
    """Sentences that a model adds beyond what was asked."""
    slips: list[Lesson] = []
    if chosen and rng.random() < temper.idle and plan.idle:
        slips.append(Lesson(rng.choice(plan.idle)))
    for trap in plan.traps:
        tempting = any(name in evidence.failures for name in trap.lifts)
        if tempting and rng.random() < temper.trap:
            slips.append(Lesson(rng.choice(trap.sentences)))
    contrary = [text for item in plan.skills if item.name not in chosen for text in item.contrary]
    if contrary and rng.random() < temper.contrary:
        slips.append(Lesson(rng.choice(contrary)))
    if evidence.examples and rng.random() < temper.memorised:
        ref, answer = rng.choice(evidence.examples)
        slips.append(Lesson(f"For {ref} the right answer is {answer}."))
    return slips
