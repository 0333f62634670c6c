"""Where failures are likely mended: the step at fault, and the section of its prompt.

What the user says stands first. Then rules: the visits tell the step, the expected value, the kind
of failure and the field tell the section. Where several sections fit equally or none does, none is
named, and the optimizer model chooses. Source: anchors on algorithms, part B.
"""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from promptyard.records.base import Json, as_list, as_object
from promptyard.records.evidence import DEMOS
from promptyard.records.prompts import Program, Prompt, Section
from promptyard.records.scores import GradedCase
from promptyard.signals.tags import KINDS

SECTION_WORDS: Mapping[str, tuple[str, ...]] = {
    "validity": ("schema", "format", "output", "answer", "response", "json", "label"),
    "evidence": ("evidence", "source", "citation", "fact", "grounding"),
    "omission": ("task", "definition", "content", "include", "instruction", "field", "event"),
    "safety": ("safety", "privacy", "confidential", "refus", "never", "policy", "policies"),
    "tools": ("tool", "function", "action", "call"),
    "length": ("length", "concise", "brief", "short", "style", "output", "format"),
    "task": ("label", "categor", "intent", "class", "definition", "task", "instruction", "rule"),
}
"""Words of a section's id or title that make it the likely place of a kind of failure.

The earlier a word stands, the better it fits.
"""

MIN_VALUE_CHARS = 3
"""Shorter values stand in every text."""


class Target(NamedTuple):
    """The step at fault, and (step, section) where it is likely mended, None where that is unclear.

    `pinned` says that the user named it, `by_demos` that demonstrations are to mend it.
    """

    step: str
    section: tuple[str, str] | None = None
    pinned: bool = False
    by_demos: bool = False


class Failure(NamedTuple):
    """What is to be mended: the key of a bucket."""

    tag: str
    field: str | None = None
    expected: str | None = None


def target_of(
    program: Program,
    failure: Failure,
    rows: Sequence[GradedCase] = (),
    named: Mapping[str, str] | None = None,
) -> Target:
    """Name where a bucket of failures is likely mended. `named` is what the user says, by tag."""
    step = step_at_fault(program, rows)
    for key in _keys(failure):
        if named and key in named:
            if named[key] == DEMOS:
                return Target(step, pinned=True, by_demos=True)
            place = place_of(program, named[key], step)
            if place is not None:
                return Target(place[0], place, pinned=True)
    section = likely_section(program.step(step).prompt, failure)
    return Target(step, None if section is None else (step, section))


def _keys(failure: Failure) -> Iterator[str]:
    if failure.field is not None:
        yield f"{failure.tag}:{failure.field}"
    yield failure.tag
    yield failure.tag.partition(":")[0]


def place_of(program: Program, place: str, step: str | None = None) -> tuple[str, str] | None:
    """Read `SECTION` or `STEP/SECTION`; None where there is none that may be edited.

    A section without its step is looked for in `step` first, then from the last step on.
    """
    given, slash, section = place.rpartition("/")
    names = [item.name for item in reversed(program.steps)]
    order = [given] if slash else sorted(names, key=lambda name: name != step)
    for name in order:
        if name in names:
            prompt = program.step(name).prompt
            if section in (item.id for item in open_sections(prompt)):
                return (name, section)
    return None


def near_places(program: Program, place: str) -> list[str]:
    """Return the places that a wrong one may mean, the nearest first; all where none is near."""
    known = [section.id for step in program.steps for section in open_sections(step.prompt)]
    if len(program.steps) > 1:
        known += [f"{s.name}/{item.id}" for s in program.steps for item in open_sections(s.prompt)]
    known = list(dict.fromkeys([*known, DEMOS]))
    return difflib.get_close_matches(place, known, n=1) or known


def open_sections(prompt: Prompt) -> list[Section]:
    """Return the sections that may be edited, all or in part."""
    marked = {span.section for span in prompt.spans}
    return [
        section
        for section in prompt.sections
        if not section.locked and (section.id in marked if marked else True)
    ]


def likely_section(prompt: Prompt, failure: Failure) -> str | None:
    """Return the section that fits best; None where none does, or several equally well.

    A section that lists the expected value as an item fits best, then one that names it. What is
    wrong in a way of its own (form, evidence, safety, tools) is looked for by title and then by
    field, everything else by field and then by title.
    """
    sections = [item for item in open_sections(prompt) if item.role != "assistant"]
    sections = [item for item in sections if item.role == "system"] or sections
    sections = [item for item in sections if item.text.strip() or item.title] or sections[:1]
    if len(sections) < 2:
        return sections[0].id if sections else None
    fits = {section.id: _fit(section, failure) for section in sections}
    best = max(fits.values())
    found = [name for name, fit in fits.items() if fit == best]
    return found[0] if len(found) == 1 and any(best) else None


def _fit(section: Section, failure: Failure) -> tuple[int, ...]:
    listed = named = 0
    if failure.expected is not None:
        lines = [line.strip().lstrip("-*+ ").strip("`\"'") for line in section.text.splitlines()]
        listed = sum(_begins(line, failure.expected) for line in lines)
        named = int(_names(section.text, failure.expected))
    kind = next((name for name, tags in KINDS.items() if failure.tag in tags), "task")
    title = f"{section.id} {section.title}".casefold()
    words = SECTION_WORDS[kind]
    by_title = next((len(words) - n for n, word in enumerate(words) if word in title), 0)
    by_field = int(failure.field is not None and _names(section.text, failure.field))
    order = (by_field, by_title) if kind in ("task", "omission") else (by_title, by_field)
    return (min(listed, 1), named, *order)


def _names(text: str, word: str) -> bool:
    # Looked for without an expression first: most words stand nowhere in most texts.
    return word in text and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def _begins(line: str, word: str) -> bool:
    return line.startswith(word) and re.match(rf"{re.escape(word)}(?!\w)", line) is not None


def step_at_fault(program: Program, rows: Sequence[GradedCase]) -> str:
    """Return the step that most of the failing cases went wrong in; the last where nothing tells.

    Costs nothing: only the answers of the steps are compared with each other.
    """
    last = program.steps[-1].name
    if len(program.steps) == 1:
        return last
    votes = Counter(_step_of(program, row) for row in rows)
    return max(votes, key=lambda name: (votes[name], name == last)) if votes else last


def _step_of(program: Program, row: GradedCase) -> str:
    names = [step.name for step in program.steps]
    answers = {visit.step: visit.completion for visit in row.trial.visits if visit.step in names}
    for name, answer in answers.items():
        cut = answer.finish_reason in ("length", "content_filter")
        empty = not answer.text.strip() and not answer.tool_calls
        if cut or empty or _breaks_contract(program.step(name).prompt, answer.text):
            return name
    texts = {name: answer.text for name, answer in answers.items()}
    return _where_lost(program, row, texts) or _where_mistaken(row, texts) or names[-1]


def _breaks_contract(prompt: Prompt, text: str) -> bool:
    contract = prompt.output
    if contract.format == "label":
        return bool(contract.labels) and text.strip() not in contract.labels
    if contract.format != "json":
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return True
    return False


def _where_lost(program: Program, row: GradedCase, texts: Mapping[str, str]) -> str | None:
    """Return the step behind the last one that still had an expected value which is missing."""
    order = list(texts)
    for value in _values(row.case.expected):
        holders = [n for n, name in enumerate(order) if _names(texts[name], value)]
        if holders and holders[-1] < len(order) - 1:
            return order[holders[-1] + 1]
        if not holders and any(_names(given, value) for given in _values(row.case.input)):
            # Who sees the case itself could have read it there.
            readers = [n for n in order if _reads(program.step(n).prompt, row.case.input)]
            return readers[-1] if readers else None
    return None


def _where_mistaken(row: GradedCase, texts: Mapping[str, str]) -> str | None:
    """Return the first step whose answer holds a wrong value of the last one."""
    if len(texts) < 2:
        return None
    right = set(_values(row.case.expected))
    output = as_object(_parsed(row.trial.output)) or row.trial.output.strip()
    for value in _values(output):
        if value not in right:
            return next((name for name, text in texts.items() if _names(text, value)), None)
    return None


def _reads(prompt: Prompt, given: Mapping[str, Json]) -> bool:
    return any(name in given for name in prompt.variables)


def _values(value: Json) -> Iterator[str]:
    """Yield the texts and numbers in a value that are long enough to be told apart."""
    if (found := as_object(value)) is not None:
        for item in found.values():
            yield from _values(item)
    elif (items := as_list(value)) is not None:
        for item in items:
            yield from _values(item)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        text = str(value).strip()
        if len(text) >= MIN_VALUE_CHARS:
            yield text


def _parsed(text: str) -> Json:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
