"""Instructions written anew as a whole: where they stand in a prompt, and how a reply is read.

Shared by the generators that write the task's instruction: from the score trajectory, and from
demonstrations.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from promptyard.candidates.meta_prompt import item_value
from promptyard.candidates.reply import json_objects, with_newline, without_fence
from promptyard.records.base import Json, Record, as_list
from promptyard.records.cases import Case
from promptyard.records.edits import Replace
from promptyard.records.prompt_text import TOKEN
from promptyard.records.prompts import Prompt
from promptyard.records.quoting import quoted
from promptyard.records.regions import Region, regions

INSTRUCTION_SCHEMA: Mapping[str, Json] = {
    "type": "object",
    "properties": {"instruction": {"type": "string"}},
    "required": ["instruction"],
    "additionalProperties": False,
}

TAGGED = re.compile(
    r"<INS(?:-[0-9a-f]{8})?>(.*?)(?:</INS(?:-[0-9a-f]{8})?\s*>|\Z)", re.DOTALL | re.I
)
LABELLED = re.compile(
    r"^[ \t]*(?:\*\*)?(?:new[ \t]+)?instruction(?:[ \t]+\d+)?(?:\*\*)?[ \t]*[:.](?:\*\*)?[ \t]*",
    re.IGNORECASE | re.MULTILINE,
)
QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "`": "`"}


class InstructionsReply(Record):
    """The instructions that a reply holds, most often one; `problem` says why there is none."""

    texts: tuple[str, ...] = ()
    problem: str | None = None


class Place(Record):
    """Where the instruction stands: the characters [start, end) of the text of `section`."""

    section: str
    start: int
    end: int
    text: str


def no_instructions(problem: str) -> InstructionsReply:
    """Return what a call that failed gave."""
    return InstructionsReply(problem=problem)


def read_instructions(text: str) -> InstructionsReply:
    """Read instructions out of a reply: JSON, `<INS>` tags, or a list of them; never bare prose."""
    found: list[str] = []
    for item in json_objects(text):
        value = item.get("instruction", item.get("instructions"))
        found += [part for part in as_list(value) or [value] if isinstance(part, str)]
    found = found or TAGGED.findall(text) or _json_list(text)
    texts = [clean for part in found for said in _split(part) if (clean := _clean(said))]
    if not texts:
        return InstructionsReply(problem="the reply holds no JSON object with `instruction`")
    return InstructionsReply(texts=tuple(texts))


def instruction_place(prompt: Prompt) -> Place | None:
    """Return where the task's instruction stands; None where nothing may be edited.

    It is the first editable section of the system message, else of the prompt, without the white
    space around it. Where a section holds variables it is what stands before the line of the first
    of them, or on that line before it, or else behind the last.
    """
    part = _instruction_region(prompt)
    if part is None:
        return None
    start, end = 0, len(part.text)
    variables = [found for found in TOKEN.finditer(part.text) if found.group("variable")]
    if variables:
        first, last = variables[0].start(), variables[-1].end()
        line = part.text.rfind("\n", 0, first) + 1
        if part.text[:line].strip():
            end = line
        elif part.text[:first].strip():
            end = first
        elif part.text[last:].strip():
            start = last
        else:
            end = 0
    text = part.text[start:end]
    if text.strip():
        start, end = start + len(text) - len(text.lstrip()), start + len(text.rstrip())
    else:
        end = start
    return Place(
        section=part.section,
        start=part.start + start,
        end=part.start + end,
        text=part.text[start:end],
    )


def instruction_edit(prompt: Prompt, step: str, place: Place, text: str) -> Replace:
    """Return the edit that puts an instruction in its place."""
    newline = prompt.layout.newline
    new = with_newline(text, newline)
    if place.start == place.end:
        section = next(item for item in prompt.sections if item.id == place.section)
        follows = section.text[place.end :]
        new += "" if follows[:1] in ("\n", "\r") else newline
    return Replace(
        step=step,
        section=place.section,
        start=place.start,
        end=place.end,
        old=place.text,
        text=new,
    )


def normalised(text: str) -> str:
    """Fold white space, case and final punctuation: equal results are the same instruction."""
    return " ".join(text.casefold().split()).rstrip(".!;: ")


def call_rows(prompt: Prompt, place: Place, case: Case, nonce: str, shown: str) -> list[str]:
    """Write a call for a case, one quoted row a message, with `shown` where the instruction stands.

    Sections without a variable are left out. `nonce` stands for the place until all is quoted, so
    that no case can hold it.
    """
    mark = f"instruction-{nonce}"
    skeleton = _skeleton(prompt, place, mark)
    values: dict[str, Json] = dict.fromkeys(
        skeleton.variables, "…"
    )  # what earlier steps answer is not at hand
    values.update((name, item_value(value)) for name, value in case.input.items())
    return [
        f"{message.role}: {quoted(message.text.strip()).replace(mark, shown)}"
        for message in skeleton.render(values)
    ]


def _instruction_region(prompt: Prompt) -> Region | None:
    editable = [part for part in regions(prompt) if not part.locked]
    roles = {section.id: section.role for section in prompt.sections}
    system = [part for part in editable if roles[part.section] == "system"]
    return next(iter([*system, *(p for p in editable if roles[p.section] != "assistant")]), None)


def _skeleton(prompt: Prompt, place: Place, mark: str) -> Prompt:
    """Return the prompt with a mark for its instruction, without what says nothing of a case."""
    layout = prompt.layout
    text = ""
    for block in layout.blocks:
        if block.role == "demos":
            continue
        body = ""
        for section in layout.sections:
            if not block.start <= section.start < block.end:
                continue
            own = prompt.text[section.body : section.end]
            if section.id == place.section:
                heading = prompt.text[section.start : section.body] if section.title else ""
                tail = own[place.end :] if TOKEN.search(own) else "\n"
                head = own[: place.start] if TOKEN.search(own) else ""
                body += f"{heading}{head}{mark}{tail}"
            elif TOKEN.search(own):
                body += own
        if body.strip():
            text += f"{block.role}:\n{body.strip()}\n"
    return Prompt(text=text)


def _json_list(text: str) -> list[str]:
    try:
        value = json.loads(without_fence(text).strip())
    except (ValueError, RecursionError):
        return []
    return [item for item in as_list(value) or () if isinstance(item, str)]


def _split(text: str) -> Sequence[str]:
    """Part a list of instructions that are called so; numbered steps are one instruction."""
    heads = list(LABELLED.finditer(text))
    if len(heads) < 2:
        return (LABELLED.sub("", text, count=1) if heads and heads[0].start() == 0 else text,)
    ends = [*(head.start() for head in heads[1:]), len(text)]
    return [text[head.end() : end] for head, end in zip(heads, ends, strict=True)]


def _clean(text: str) -> str:
    """Take off one fence and one pair of quotes around an instruction."""
    text = without_fence(text).strip()
    if len(text) > 1 and QUOTES.get(text[0]) == text[-1] and text[0] not in text[1:-1]:
        text = text[1:-1].strip()
    return text
