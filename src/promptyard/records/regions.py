"""The parts of a prompt that may be edited: whole sections, or the spans that the user marked."""

from __future__ import annotations

from functools import lru_cache

from promptyard.records.base import Record
from promptyard.records.prompt_text import TOKEN
from promptyard.records.prompts import Program, Prompt


class Region(Record):
    """A section, or a marked span of one; `start` is its offset in the text of `section`."""

    id: str
    section: str
    start: int
    text: str
    locked: bool = False


def regions(prompt: Prompt) -> tuple[Region, ...]:
    """Return what may be edited, in order: the marked spans where there are any, else sections.

    Locked sections are among them, to be read and not edited.
    """
    return _regions_of(prompt.text)


@lru_cache(maxsize=512)
def _regions_of(text: str) -> tuple[Region, ...]:
    prompt = Prompt(text=text)  # what a prompt refers to by name changes no region
    if prompt.spans:
        return tuple(
            Region(id=span.id, section=span.section, start=span.start, text=span.text)
            for span in prompt.spans
        )
    return tuple(
        Region(id=item.id, section=item.id, start=0, text=item.text, locked=item.locked)
        for item in prompt.sections
        if item.text.strip() or item.title
    )


def region_of(prompt: Prompt, section: str) -> Region | None:
    """Return the first editable region of a section, else the first editable one of the prompt."""
    editable = [region for region in regions(prompt) if not region.locked]
    return next(
        (region for region in editable if section in (region.section, region.id)),
        editable[0] if editable else None,
    )


def components(program: Program) -> tuple[tuple[str, str], ...]:
    """Return (step, region id) of each part that can be rewritten as a whole, in order.

    These are the regions that may be edited and that say something beside their variables.
    """
    return tuple(
        (step.name, region.id)
        for step in program.steps
        for region in regions(step.prompt)
        if not region.locked and any(map(str.isalnum, TOKEN.sub("", region.text)))
    )
