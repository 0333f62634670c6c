"""Whole texts out of replies of the optimizer model, and the edits that they become.

A text stands in a fence of four backticks that carries the nonce of its request; tags with it, or a
single fence without, are read as well. Prose around it is never taken for the text. Source: anchors
on algorithms, part D.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from promptyard.candidates.asking import after_reply, or_say
from promptyard.candidates.meta_prompt import MetaPrompts
from promptyard.candidates.reply import tagged
from promptyard.protocols import Bench
from promptyard.records.base import Record
from promptyard.records.edits import Candidate, Replace
from promptyard.records.evidence import Evidence
from promptyard.records.fences import FENCE_LINE, fence_after
from promptyard.records.messages import Message
from promptyard.records.prompt_text import HEADING_LINE, ROLE_LINE, parse_layout
from promptyard.records.prompts import Step
from promptyard.records.regions import Region, components, regions

MARK = "new"
FENCE = re.compile(
    r"^(?P<ticks>```+)(?P<info>[^`\n]*)\n(?P<text>.*?)\n(?P=ticks)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u00ab": "\u00bb"}


class WholeText(Record):
    """The text of a reply and the sentence before it; `problem` says why there is none."""

    text: str = ""
    hypothesis: str = ""
    problem: str | None = None


async def ask_for_text(
    bench: Bench,
    meta_prompts: MetaPrompts,
    messages: Sequence[Message],
    nonce: str,
    *,
    replicate: int = 0,
) -> tuple[str, WholeText]:
    """Return (reply as it came, text). Costs one optimizer call, two where none can be read.

    A call that failed is a text with a problem. Raises ModelUnusable.
    """
    asked = _asked(bench, meta_prompts, messages, nonce, replicate)
    return await or_say(asked, lambda problem: ("", WholeText(problem=problem)))


async def _asked(
    bench: Bench,
    meta_prompts: MetaPrompts,
    messages: Sequence[Message],
    nonce: str,
    replicate: int,
) -> tuple[str, WholeText]:
    raw = (await bench.complete("optimizer", messages, replicate=replicate)).text
    found = read_text(raw, nonce)
    if found.problem is None:
        return raw, found
    values = {"problem": found.problem, "tag": MARK, "nonce": nonce}
    repair = meta_prompts.fill("repair_text", values)
    again = after_reply(messages, raw, repair)
    raw = (await bench.complete("optimizer", again, replicate=replicate)).text
    return raw, read_text(raw, nonce)


def read_text(reply: str, nonce: str) -> WholeText:
    """Read the text out of a reply, and the sentence before it as the hypothesis.

    Models draft before they decide, so the last block counts. A text that holds its own mark again
    is dropped. Without the mark one outermost fence will do.
    """
    marked = [
        match for match in FENCE.finditer(reply) if match["info"].strip() == f"{MARK}-{nonce}"
    ]
    found = [(match["text"], match.start()) for match in marked]
    if not found:
        tags = tagged(reply, MARK, nonce)
        found = [(text, reply.lower().find(f"<{MARK}-{nonce}")) for text in tags]
    if not found:
        fences = list(FENCE.finditer(reply))
        longest = max((len(match["ticks"]) for match in fences), default=0)
        outer = [match for match in fences if len(match["ticks"]) == longest]
        found = [(match["text"], match.start()) for match in outer if len(outer) == 1]
    whole = [(unwrapped(text), at) for text, at in found if f"{MARK}-{nonce}" not in text.lower()]
    whole = [(text, at) for text, at in whole if text]
    if not whole:
        return WholeText(problem=f"the reply holds no fence that begins with ````{MARK}-{nonce}")
    return WholeText(text=whole[-1][0], hypothesis=one_sentence(reply[: whole[0][1]]))


def one_sentence(text: str) -> str:
    """Return the last paragraph before a text on one line; empty where it only announces."""
    said = " ".join(text.strip().rsplit("\n\n", 1)[-1].split())
    return "" if said.endswith(":") else said[:300]


def unwrapped(text: str) -> str:
    """Take off blank lines around a text and one fence or pair of quotes that wraps all of it."""
    text = text.strip("\r\n").rstrip()
    if fenced := re.fullmatch(r"(```+)[^`\n]*\n(.*?)\n?\1", text.strip(), re.DOTALL):
        return fenced[2].strip("\r\n").rstrip()
    bare = text.strip()
    closing = QUOTES.get(bare[:1])
    if closing and len(bare) > 2 and bare.endswith(closing):
        inner = bare[1:-1]
        if bare[0] not in inner and closing not in inner:
            return inner.strip()
    return text


def target_of(base: Candidate, evidence: Evidence) -> tuple[Step, Region] | None:
    """Return what a rewrite should change; None where nothing may be rewritten.

    The target that the policy chose, else where the largest bucket points, else the longest part.
    """
    known = components(base.program)
    parts = [
        (step, region)
        for step in base.program.steps
        for region in regions(step.prompt)
        if (step.name, region.id) in known
    ]
    buckets = sorted(evidence.buckets, key=lambda bucket: -len(bucket.case_ids))
    for wanted in (evidence.target, *(bucket.target for bucket in buckets)):
        for step, region in parts:
            if wanted in ((step.name, region.id), (step.name, region.section)):
                return step, region
    return max(parts, key=lambda part: len(part[1].text), default=None)


def rewritten(step: Step, region: Region, text: str) -> Replace | str:
    """Turn a new text of a region into an edit, or say why it is none.

    White space around the old text stays. A reply that holds the whole prompt is cut down to the
    part. Lines that the file format would read as headings become bold: a text brings in no
    sections and no messages.
    """
    section = next(item for item in step.prompt.sections if item.id == region.section)
    part = _part_of(text.replace("\r\n", "\n"), region)
    if part is None:
        return "the reply is a whole prompt in which the part cannot be found"
    new, old = _as_body(part, section.title), region.text.strip()
    if not new:
        return "the new text is empty"
    if new.split() == old.split():
        return "the new text is the old one"
    newline = step.prompt.layout.newline
    start = region.text.index(old)
    return Replace(
        step=step.name,
        section=region.section,
        start=region.start + start,
        end=region.start + start + len(old),
        old=old,
        text=new.replace("\n", newline) + ("" if old else newline),
    )


def _part_of(text: str, region: Region) -> str | None:
    """Return a text as it is, or its part where it has messages; None where that is not there."""
    if not any(free and ROLE_LINE.match(line) for line, free in _lines(text)):
        return text
    section = parse_layout(text).section(region.section)
    if section is None or region.id != region.section:
        return None
    return text[section.body : section.end]


def _as_body(text: str, title: str) -> str:
    """Write a text as the body of a section, which has no headings outside of its fences."""
    body: list[str] = []
    for number, (line, free) in enumerate(_lines(text.strip("\n"))):
        heading = HEADING_LINE.match(line) if free else None
        if heading is None:
            body.append(line)
        elif number > 0 or heading.group(2).strip().casefold() != title.casefold():
            body.append(f"**{heading.group(2)}**" if heading.group(2) else "")
    return "\n".join(body).strip("\n").rstrip()


def _lines(text: str) -> list[tuple[str, bool]]:
    """Return the lines, each with whether it is free: neither in a fence nor a line of one."""
    lines: list[tuple[str, bool]] = []
    fence: str | None = None
    for line in text.split("\n"):
        lines.append((line, FENCE_LINE.match(line) is None and fence is None))
        fence = fence_after(line, fence)
    return lines
