"""The metric of the worlds: score, feedback and tags of an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, cast

from search_worlds.cases import WorldCase
from search_worlds.plan import Plan, Skill, Value

PART_SCORE = 0.5
"""The score of an answer with all but no wrong fields; a right one has 1."""


class Graded(NamedTuple):
    """What the metric says: a score in [0, 1], one line of feedback, the tags of the mistakes."""

    score: float
    feedback: str
    tags: tuple[str, ...]


def grade(plan: Plan, case: WorldCase, output: str) -> Graded:
    """Grade an answer. Feedback names field, expected, got and, unless terse, a symptom."""
    if isinstance(case.gold, str):
        return _grade_label(plan, case, case.gold, output.strip())
    got = read_object(output)
    if got is None:
        return Graded(0.0, "The answer is no JSON object.", _tags(plan, ["answer:no_object"]))
    lines: list[str] = []
    tags: list[str] = []
    for field in plan.fields:
        value = got.get(field, "(absent)")
        if same(case.gold[field], value):
            continue
        skill = _culprit(plan, case, field, value)
        lines.append(_line(plan, field, case.gold[field], value, skill))
        tags.append(skill.tag if skill else f"{field}:wrong")
    if not lines:
        return Graded(1.0, "Correct.", ())
    share = 1 - len(lines) / len(plan.fields)
    return Graded(PART_SCORE * share, " ".join(lines), _tags(plan, tags))


def _grade_label(plan: Plan, case: WorldCase, gold: str, got: str) -> Graded:
    if got == gold:
        return Graded(1.0, "Correct.", ())
    skills = _culprits_of_label(plan, case, gold, got)
    lines = [_line(plan, "label", gold, got, skills[0] if skills else None)]
    lines += [f"Also: {skill.symptom}." for skill in skills[1:] if "terse" not in plan.options]
    tags = [skill.tag for skill in skills] or ["label:wrong"]
    return Graded(0.0, " ".join(lines), _tags(plan, tags))


def _line(plan: Plan, field: str, gold: Value, got: Value, skill: Skill | None) -> str:
    symptom = f" ({skill.symptom})" if skill and "terse" not in plan.options else ""
    return f'Field "{field}": expected {json.dumps(gold)}, got {json.dumps(got)}{symptom}.'


def _tags(plan: Plan, tags: Sequence[str]) -> tuple[str, ...]:
    return () if "notags" in plan.options else tuple(dict.fromkeys(tags))


def _culprit(plan: Plan, case: WorldCase, field: str, value: Value) -> Skill | None:
    for name, wrong in case.wrongs.items():
        if field in wrong and same(wrong[field], value):
            return plan.by_name[name]
    return None


def _culprits_of_label(plan: Plan, case: WorldCase, gold: str, got: str) -> list[Skill]:
    """The skills whose mistakes together make this answer of the right label."""
    for skills, label in label_mistakes(case, gold):
        if label == got:
            return [plan.by_name[name] for name in skills]
    return []


def label_mistakes(case: WorldCase, gold: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """All answers that mistakes can make of a label, with the skills that fail."""
    swaps: list[tuple[tuple[str, ...], str]] = [((), gold)]
    wraps: list[tuple[str, str]] = []
    for name, wrong in case.wrongs.items():
        if "{}" in str(wrong["label"]):
            wraps.append((name, str(wrong["label"])))
        else:
            swaps.append(((name,), str(wrong["label"])))
    for skills, label in swaps:
        yield skills, label
        for name, wrap in wraps:
            yield (*skills, name), wrap.format(label)


def read_object(text: str) -> dict[str, Value] | None:
    """The first JSON object in a text, or None."""
    decoder = json.JSONDecoder()
    for match in re.finditer(r"\{", text):
        try:
            value = decoder.raw_decode(text, match.start())[0]
        except ValueError:
            continue
        if isinstance(value, dict):
            return cast("dict[str, Value]", value)
    return None


def same(one: Value, other: Value) -> bool:
    """Equality of JSON values that tells true from 1 and ignores the order of lists."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) < 1e-9
    if isinstance(one, list) and isinstance(other, list):
        first, second = cast("list[Value]", one), cast("list[Value]", other)
        return sorted(map(str, first)) == sorted(map(str, second))
    return json.dumps(one) == json.dumps(other)


def field_skills(case: WorldCase) -> Mapping[str, Sequence[str]]:
    """The skills of a case by the field that they would spoil."""
    found: dict[str, list[str]] = {}
    for name, wrong in case.wrongs.items():
        for field in wrong:
            found.setdefault(field, []).append(name)
    return found
