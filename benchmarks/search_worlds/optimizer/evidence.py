"""Reads what a request tells about mistakes: tags, symptoms, and inputs with expected and got."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from search_worlds.grading import same
from search_worlds.phrases import Phrasebook, pieces
from search_worlds.plan import Plan, Skill

MOST_OF_ONE_COUNT = 8
TAG_WEIGHT = 0.5
"""What a tag weighs beside a mistake that is shown."""
UNMARKED = 0.02
"""The weight of a skill whose mistake would look like this, but whose mark the input lacks."""
LOOK_BACK = 1500

_COUNT = re.compile(
    r"(?:n_cases|count|cases|failures|n)\W{1,4}(\d+)|[x×]\s?(\d+)"
    r"|(\d+)\s?(?:x\b|×|times|cases|failures|of\b)"
)
_MISTAKE = re.compile(
    r'Field "(\w+)": expected (.+?), got (.+?)(?: \((?P<symptom>[^()]+)\))?\.(?=\s|"|$)'
)
_ALSO = re.compile(r"Also: ([^.]+)\.")
_TRIED = re.compile(
    r"tried|rejected|in vain|without effect|did not help|no effect|failed before|earlier attempt",
    re.IGNORECASE,
)
_REASONED = re.compile(
    r"reason|critique|gradient|diagnos|analysis|summary|observation|insight|lesson", re.IGNORECASE
)
_EXPECTED = re.compile(r"\b(?:expected|gold|correct|reference|target|answer)\b\W{0,8}$", re.I)


@dataclass(frozen=True)
class Episode:
    """What a request says about one case: everything from its reference to the next one."""

    ref: str
    text: str


class Mistake(NamedTuple):
    """A wrong field, expected and got as JSON texts, and what the request says about it."""

    field: str
    expected: str
    got: str
    symptom: str | None = None


@dataclass
class Evidence:
    """What there is to go by.

    Attributes:
        failures: weight of the mistakes that point at each skill.
        hints: weight of right examples that show it.
        told: skills whose rules somebody describes in the request outside of the prompt.
        tried: sentences of the request that are said to have been tried in vain.
        examples: references with the answer that the request gives as right, as text.
    """

    failures: dict[str, float] = field(default_factory=dict[str, float])
    hints: dict[str, float] = field(default_factory=dict[str, float])
    told: list[str] = field(default_factory=list[str])
    tried: set[str] = field(default_factory=set[str])
    examples: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


def read_evidence(plan: Plan, book: Phrasebook, body: str) -> Evidence:
    """Gather the evidence of a request's text without the prompt."""
    text = plain(body)
    found = Evidence()
    episodes = list(_episodes(plan, text))
    for episode in episodes:
        mistakes = list(_mistakes(plan, episode))
        for mistake in mistakes:
            _blame(_suspects(plan, mistake), episode.text, 1.0, found)
        for symptom in _ALSO.findall(episode.text):
            named = [skill for skill in plan.skills if skill.symptom == symptom]
            _blame(named, episode.text, 1.0, found)
        if mistakes:
            found.examples.append((episode.ref, _right_answer(plan, mistakes)))
        else:
            _by_example(plan, episode, found)
    _by_names(plan, text, episodes, found)
    _by_prose(book, text, found)
    return found


def plain(text: str) -> str:
    """Undo one level of JSON escapes, as data stands quoted in requests."""
    text = re.sub(r"\\u003c", "<", re.sub(r"\\u003e", ">", text))
    return text.replace("\\\\", "\\").replace('\\"', '"').replace("\\n", "\n")


def _episodes(plan: Plan, text: str) -> Iterator[Episode]:
    marks = list(re.finditer(rf"{plan.mark}-\d{{5,6}}", text))
    for number, mark in enumerate(marks):
        end = marks[number + 1].start() if number + 1 < len(marks) else len(text)
        yield Episode(mark.group(), text[mark.end() : end])


def _by_names(plan: Plan, text: str, episodes: Sequence[Episode], found: Evidence) -> None:
    """Count tags, and symptoms that stand outside of any mistake."""
    bare = _ALSO.sub("", _MISTAKE.sub("", text))
    shown = "\n".join(item.text for item in episodes)
    for tag in dict.fromkeys(skill.tag for skill in plan.skills):
        sharers = [skill for skill in plan.skills if skill.tag == tag]
        _blame(sharers, shown, TAG_WEIGHT * _counted(bare, tag), found)
    for symptom in dict.fromkeys(skill.symptom for skill in plan.skills):
        sharers = [skill for skill in plan.skills if skill.symptom == symptom]
        _blame(sharers, shown, _counted(bare, symptom), found)


def _blame(suspects: Sequence[Skill], shown: str, weight: float, found: Evidence) -> None:
    """Share a weight among skills, nearly all to those whose mark is shown, if it is."""
    if not weight or not suspects:
        return
    marks = [1.0 if not skill.marker or _marked(skill, shown) else UNMARKED for skill in suspects]
    for skill, mark in zip(suspects, marks, strict=True):
        share = weight * mark / max(1.0, sum(marks))
        found.failures[skill.name] = found.failures.get(skill.name, 0.0) + share


def _suspects(plan: Plan, mistake: Mistake) -> list[Skill]:
    """The skills that make such a mistake, by what is said about it or by how it looks."""
    difference = f"{mistake.expected} -> {mistake.got}"
    same_field = [skill for skill in plan.skills if skill.field == mistake.field]
    if mistake.symptom is not None:
        return [skill for skill in same_field if skill.symptom == mistake.symptom]
    return [skill for skill in same_field if not skill.sign or re.search(skill.sign, difference)]


def _counted(text: str, name: str) -> float:
    """How often a name is said; a count in the same line behind or before it multiplies."""
    total = 0.0
    for match in re.finditer(re.escape(name), text):
        line_from = text.rfind("\n", 0, match.start()) + 1
        line_to = text.find("\n", match.end())
        before = text[max(line_from, match.start() - 25) : match.start()]
        after = text[match.end() : min(len(text) if line_to < 0 else line_to, match.end() + 70)]
        count = _COUNT.search(after) or _COUNT.search(before)
        numbers = [int(group) for group in count.groups() if group] if count else [1]
        total += min(MOST_OF_ONE_COUNT, max(1, numbers[0]))
    return total


def _marked(skill: Skill, text: str) -> bool:
    return bool(skill.marker and re.search(skill.marker, text))


def _mistakes(plan: Plan, episode: Episode) -> Iterator[Mistake]:
    """The mistakes of a case: said outright, or seen in two answers."""
    said = list(_MISTAKE.finditer(episode.text))
    if said:
        for match in said:
            yield Mistake(match.group(1), match.group(2), match.group(3), match["symptom"])
    elif plan.kind == "object":
        yield from _object_mistakes(plan, episode.text)
    else:
        yield from _label_mistakes(plan, episode.text)


def _object_mistakes(plan: Plan, text: str) -> Iterator[Mistake]:
    answers = [
        (bool(_EXPECTED.search(text[max(0, at - 40) : at])), value)
        for at, value in _objects(text)
        if any(name in value for name in plan.fields)
    ]
    expected = next((value for right, value in answers if right), None)
    got = next((value for right, value in answers if not right), None)
    if expected is None or got is None:
        return
    for name in plan.fields:
        if name in expected and not same(expected[name], got.get(name)):
            yield Mistake(name, json.dumps(expected[name]), json.dumps(got.get(name)))


def _objects(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    decoder = json.JSONDecoder()
    at = text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except ValueError:
            end = at + 1
        else:
            if isinstance(value, dict):
                yield at, value
        at = text.find("{", end)


def _label_mistakes(plan: Plan, text: str) -> Iterator[Mistake]:
    labels = "|".join(map(re.escape, plan.labels))
    right = re.search(
        rf"(?:expected|gold|correct|reference|target)\W{{1,12}}({labels})\b", text, re.IGNORECASE
    )
    got = re.search(
        r"(?:got|output|predicted|prediction|response)s?\W{1,12}([^\n\"]+)", text, re.IGNORECASE
    )
    if right and got and right.group(1) != got.group(1).strip():
        yield Mistake("label", json.dumps(right.group(1)), json.dumps(got.group(1).strip()))


def _right_answer(plan: Plan, mistakes: Sequence[Mistake]) -> str:
    if plan.kind == "label":
        return mistakes[0].expected.strip('"')
    return ", ".join(f"{mistake.field} {mistake.expected}" for mistake in mistakes)


def _by_example(plan: Plan, episode: Episode, found: Evidence) -> None:
    """A right example hints at the skills that its input calls for."""
    for skill in plan.skills:
        if _marked(skill, episode.text):
            found.hints[skill.name] = found.hints.get(skill.name, 0.0) + 1.0
        elif not skill.marker and f'"{skill.field}"' in episode.text:
            found.hints[skill.name] = found.hints.get(skill.name, 0.0) + 0.2


def _by_prose(book: Phrasebook, text: str, found: Evidence) -> None:
    """Find rules that the request describes, and those that it says were tried in vain."""
    at = 0
    told: Counter[str] = Counter()
    for piece in pieces(text):
        bare = piece.strip().strip('-*" ,')
        for phrase in book.find(bare) if bare else ():
            if phrase.kind not in {"rule", "vague", "trap", "idle"}:
                continue
            if _tried(text[max(0, at - LOOK_BACK) : at]):
                found.tried.add(bare)
            elif phrase.kind == "rule":
                told[phrase.key] += 1
        at += len(piece)
    found.told = sorted(told)


def _tried(before: str) -> bool:
    tried = [match.start() for match in _TRIED.finditer(before)]
    reasoned = [match.start() for match in _REASONED.finditer(before)]
    return bool(tried) and (not reasoned or tried[-1] > reasoned[-1])
