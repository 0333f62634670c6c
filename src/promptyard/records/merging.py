"""Merges two programs with a common ancestor, part by part, without asking anyone.

A part is a section or marked span, a step's demonstrations, one of its model parameters, or the
workflow. Where only one side changed a part, the merge has that side's; where both did, `one`
keeps its own. Source: the system-aware merge of GEPA (arXiv 2507.19457).
"""

from __future__ import annotations

from collections.abc import Iterator

from promptyard.records.edits import (
    DropSection,
    Edit,
    InsertSection,
    Replace,
    SetDemos,
    SetParam,
    SetWorkflow,
)
from promptyard.records.prompts import Program, Prompt, Section
from promptyard.records.regions import regions


def merge_edits(ancestor: Program, one: Program, other: Program) -> tuple[Edit, ...]:
    """Return the edits of `one` that bring in what only `other` changed since `ancestor`.

    Empty where that is nothing, and where the programs do not have the same steps. Locked sections
    are never among them.
    """
    names = [step.name for step in ancestor.steps]
    if any([step.name for step in side.steps] != names for side in (one, other)):
        return ()
    edits: list[Edit] = []
    for name in names:
        before, own, theirs = (side.step(name).prompt for side in (ancestor, one, other))
        edits += _text_edits(name, before, own, theirs)
        if not before.spans:
            edits += _section_edits(name, before, own, theirs)
        if before.demos == own.demos != theirs.demos:
            edits.append(SetDemos(step=name, demos=theirs.demos))
        edits += _param_edits(name, before, own, theirs)
    if ancestor.workflow == one.workflow != other.workflow:
        edits.append(SetWorkflow(workflow=other.workflow))
    return tuple(edits)


def _text_edits(step: str, before: Prompt, own: Prompt, theirs: Prompt) -> Iterator[Edit]:
    """Take over the text of regions that all three have and only `theirs` changed."""
    old = {region.id: region for region in regions(before)}
    new = {region.id: region for region in regions(theirs)}
    for region in regions(own):
        if region.locked or region.id not in old or region.id not in new:
            continue
        if old[region.id].text == region.text != new[region.id].text:
            yield Replace(
                step=step,
                section=region.section,
                start=region.start,
                end=region.start + len(region.text),
                old=region.text,
                text=new[region.id].text,
            )


def _section_edits(step: str, before: Prompt, own: Prompt, theirs: Prompt) -> Iterator[Edit]:
    """Add the sections that only `theirs` added, drop those that only `theirs` dropped."""
    old, mine = _by_id(before), _by_id(own)
    after = ""
    for section in theirs.sections:
        if section.id in mine:
            after = section.id
        elif section.id not in old and section.title and after:
            yield InsertSection(
                step=step, after=after, id=section.id, title=section.title, text=section.text
            )
    kept = _by_id(theirs)
    for name, section in mine.items():
        untouched = name in old and old[name].text == section.text
        if name not in kept and untouched and not section.locked:
            yield DropSection(step=step, section=name)


def _by_id(prompt: Prompt) -> dict[str, Section]:
    return {section.id: section for section in prompt.sections}


def _param_edits(step: str, before: Prompt, own: Prompt, theirs: Prompt) -> Iterator[Edit]:
    for name in sorted({*before.params, *own.params, *theirs.params}):
        old, mine, new = (side.params.get(name) for side in (before, own, theirs))
        if old == mine != new:
            yield SetParam(step=step, name=name, value=new)
