"""Finds the prompt that a request is about, whatever framework wrote the request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from search_worlds.shapes import Turn

LEAST_CHARS = 15
"""A shorter text between tags is no prompt but a placeholder of the instructions."""

_PART = re.compile(
    r"<((?:part|section|span|region)(?:-\w+)?)\b([^>]*)>\n?(.*?)\n?</\1>", re.DOTALL | re.IGNORECASE
)
_ATTRIBUTE = re.compile(r"\b(id|name|part|section|locked)\s*=\s*[\"']([^\"']*)[\"']", re.IGNORECASE)
_TAGGED = re.compile(
    r"<((?:[a-z]+[_-])?(?:prompt|instructions?|candidate)(?:-\w+)?)\b[^>]*>\n?(.*?)\n?</\1>",
    re.DOTALL | re.IGNORECASE,
)
_DSPY = re.compile(r"^\[\[ ## (\w+) ## \]\][ \t]*\n", re.MULTILINE)
_FENCE = re.compile(r"(`{3,})[^\n`]*\n(.*?)\n?\1", re.DOTALL)
_SCORED = re.compile(
    r"(?:<INS>\s*(?P<ins>.*?)\s*</INS>|text:\s*(?P<text>.*?))\s*\n\s*score:\s*(?P<score>[\d.]+)",
    re.DOTALL | re.IGNORECASE,
)
_HEADED = re.compile(
    r"(?:^|\n)[#* ]*(?:the |my )?(?:current |existing |base |parent |zero-shot )?"
    r"(?:system )?(?:prompt|instruction)s?(?: is)?\s*:\s*\n+(.+?)(?=\n\n|\n#|\Z)",
    re.DOTALL | re.IGNORECASE,
)


class Part(NamedTuple):
    """A part of a prompt that the request names: edits say where they belong by its id."""

    id: str
    text: str
    locked: bool = False


class Shown(NamedTuple):
    """The prompt as the request shows it; `body` is the rest of the request."""

    prompt: str
    parts: tuple[Part, ...]
    body: str


def shown_prompt(turns: Sequence[Turn]) -> Shown:
    """Find the prompt: parts with ids first, then tags, fields, fences, scored texts, headings."""
    text = "\n\n".join(turn.text for turn in turns)
    parts = tuple(_parts(text))
    if parts:
        body = _PART.sub(" ", text)
        return Shown("\n".join(part.text for part in parts), parts, body)
    prompt = next((found for found in _candidates(text) if len(found) >= LEAST_CHARS), "")
    body = text.replace(prompt, " ", 1) if prompt else text
    return Shown(prompt, (), body)


def _parts(text: str) -> Iterator[Part]:
    for match in _PART.finditer(text):
        attributes = {key.lower(): value for key, value in _ATTRIBUTE.findall(match.group(2))}
        name = attributes.get("id") or attributes.get("name") or attributes.get("section")
        if name is not None:
            locked = attributes.get("locked", "no") not in {"no", "false", ""}
            yield Part(name, match.group(3), locked)


def _candidates(text: str) -> Iterator[str]:
    yield from _dspy_fields(text)
    scored = [
        (float(match["score"]), match["ins"] or match["text"]) for match in _SCORED.finditer(text)
    ]
    if scored:
        yield max(scored, key=lambda item: item[0])[1].strip()
    for match in _TAGGED.finditer(text):
        yield match.group(2).strip()
    for match in _FENCE.finditer(text):
        before = text[max(0, match.start() - 300) : match.start()]
        if re.search(r"instruction|prompt", before, re.IGNORECASE):
            yield match.group(2).strip()
    for match in _HEADED.finditer(text):
        yield match.group(1).strip()


def _dspy_fields(text: str) -> Iterator[str]:
    """The prompt in a DSPy request: the field of that name, the current or basic one first."""
    pieces = _DSPY.split(text)
    fields = [
        (name, value.split("\n\nRespond with ")[0].strip())
        for name, value in zip(pieces[1::2], pieces[2::2], strict=False)
        if re.search(r"instruction|prompt", name) and not re.search(r"previous|proposed", name)
    ]
    fields.sort(key=lambda item: not re.search(r"current|basic|original", item[0]))
    for name, value in fields:
        if not value.startswith("{" + name):
            yield value
