"""Reads a prompt the way the embedded model understands one: labels, definitions, demonstrations.

Nothing but the text of the messages is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

BULLET = re.compile(r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+(.*\S)[ \t]*$")
INLINE_LIST = re.compile(
    r"(?:labels?|categor(?:y|ies)|class(?:es)?|intents?|options?|topics?|emotions?|values?|one of)"
    r"[^:\n]{0,80}:[ \t]*([^\n]+)",
    re.IGNORECASE,
)
ONLY = re.compile(
    r"\b(only|exactly one|nothing else|just the|no other|no explanation"
    r"|without (?:any )?explanation)\b",
    re.IGNORECASE,
)
QUOTED_NAME = re.compile(r"[`\"']([A-Za-z_][\w-]*)[`\"']")
MAX_LABEL_WORDS = 6


@dataclass(frozen=True)
class Reading:
    """What the model found in the messages.

    `query` is the text to answer for, `demos` are pairs of input and answer. `wants_only_label`
    says whether an output contract was stated; `fields` are the names of a JSON answer.
    """

    labels: tuple[str, ...]
    definitions: Mapping[str, str]
    demos: tuple[tuple[str, str], ...]
    query: str
    wants_only_label: bool
    fields: tuple[str, ...] = ()
    field_values: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


def read_messages(messages: Sequence[tuple[str, str]]) -> Reading:
    """Read (role, text) turns. The last user turn is what to answer for.

    Without a system message the last paragraph of that turn is the query and the rest of it the
    instruction.
    """
    instruction = "\n".join(text for role, text in messages if role == "system")
    turns = [(role, text) for role, text in messages if role != "system"]
    users = [index for index, (role, _) in enumerate(turns) if role == "user"]
    query = turns[users[-1]][1] if users else ""
    demos = _demos(turns[: users[-1]] if users else [])
    if not instruction:
        head, _, tail = query.rstrip().rpartition("\n\n")
        instruction, query = (head, tail) if head else (query, query)
    told = _read_instruction(instruction)
    labels = told.labels or _short_answers(demos)
    return Reading(
        labels=labels,
        definitions=told.definitions,
        demos=demos,
        query=query,
        wants_only_label=told.wants_only_label,
        fields=told.fields,
        field_values=told.field_values,
    )


@dataclass(frozen=True)
class Instruction:
    """What the instruction alone says."""

    labels: tuple[str, ...]
    definitions: Mapping[str, str]
    wants_only_label: bool
    fields: tuple[str, ...]
    field_values: Mapping[str, tuple[str, ...]]


@lru_cache(maxsize=256)
def _read_instruction(instruction: str) -> Instruction:
    """Read an instruction. Kept for the next call, since a run asks one prompt many times."""
    labels = _labels(instruction)
    fields, values = _fields(instruction)
    return Instruction(
        labels=labels,
        definitions=_definitions(instruction, labels),
        wants_only_label=bool(ONLY.search(instruction)),
        fields=fields,
        field_values=values,
    )


def _demos(turns: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (text, answer.strip())
        for (role, text), (next_role, answer) in pairwise(turns)
        if role == "user" and next_role == "assistant"
    )


def _labels(instruction: str) -> tuple[str, ...]:
    """Return the largest list of short items, written as bullets or in one line."""
    found = [*_bullet_lists(instruction), *_inline_lists(instruction)]
    return max(found, key=len, default=())


def _bullet_lists(instruction: str) -> list[tuple[str, ...]]:
    lists: list[list[str]] = [[]]
    for line in instruction.splitlines():
        if item := BULLET.match(line):
            lists[-1].append(label_of(item.group(1)))
        elif line.strip() or len(lists[-1]) == 0:
            lists.append([])
    return [
        tuple(dict.fromkeys(items))
        for items in lists
        if len(items) >= 2 and sum(map(_is_short, items)) == len(items)
    ]


def _inline_lists(instruction: str) -> list[tuple[str, ...]]:
    lists: list[tuple[str, ...]] = []
    for match in INLINE_LIST.finditer(instruction):
        source = re.split(r"\.(?:\s|$)", match.group(1), maxsplit=1)[0]
        parts = re.split(r"\s*[,;|]\s*(?:or\s+|and\s+)?|\s+or\s+|\s+and\s+", source)
        items = [_bare(part) for part in parts if _bare(part)]
        if len(items) >= 2 and all(map(_is_short, items)):
            lists.append(tuple(dict.fromkeys(items)))
    return lists


def label_of(item: str) -> str:
    """Return what stands before the colon of a list item, without quotes."""
    return _bare(re.split(r":\s|:$|\s[-–—]\s", item, maxsplit=1)[0])


def _bare(text: str) -> str:
    return text.strip().strip("`\"'*").strip()


def _is_short(label: str) -> bool:
    return 0 < len(label.split()) <= MAX_LABEL_WORDS and len(label) <= 60


def _short_answers(demos: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    answers = tuple(dict.fromkeys(answer for _, answer in demos))
    return answers if len(answers) >= 2 and all(map(_is_short, answers)) else ()


def _definitions(instruction: str, labels: Sequence[str]) -> dict[str, str]:
    """Join everything that lines of the form `label: text` say about each label."""
    known = {label.casefold(): label for label in labels}
    said: dict[str, list[str]] = {}
    for line in instruction.splitlines():
        item = BULLET.match(line)
        source = item.group(1) if item else line.strip()
        label = known.get(label_of(source).casefold())
        rest = re.split(r":\s|\s[-–—]\s", source, maxsplit=1)
        if label is not None and len(rest) == 2:
            said.setdefault(label, []).append(rest[1])
    return {label: " ".join(texts) for label, texts in said.items()}


def _fields(instruction: str) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Return the field names of a JSON answer, and the values that a field may take."""
    if "json" not in instruction.casefold():
        return (), {}
    names: dict[str, None] = {}
    values: dict[str, tuple[str, ...]] = {}
    for line in instruction.splitlines():
        item = BULLET.match(line)
        if item and re.fullmatch(r"[A-Za-z_]\w*", label_of(item.group(1))):
            name = label_of(item.group(1))
            names[name] = None
            choice = re.search(r"one of:?\s*([^.]+)", line)
            if choice:
                values[name] = tuple(
                    _bare(part) for part in re.split(r"[,|]|\bor\b", choice.group(1)) if _bare(part)
                )
        elif "json" in line.casefold() or "field" in line.casefold():
            names.update(dict.fromkeys(QUOTED_NAME.findall(line)))
    return tuple(names), values
