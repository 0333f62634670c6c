"""Where solution sketches and verifier steps stand in a prompt: behind its reasoning, never before.

Both are sentences, so that they can be credited and taken back like any other. Source: anchors on
algorithms, A10.
"""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.candidates.reply import RawEdit, locate
from promptyard.candidates.trace_rules import (
    REASONING,
    VERIFYING,
    mentions_hint,
    n_tokens,
    reasoning_field,
)
from promptyard.records.base import Json, as_list
from promptyard.records.edits import Replace
from promptyard.records.prompts import Prompt, Step
from promptyard.records.regions import Region, region_of, regions
from promptyard.records.sentences import Piece, pieces_of, sentences

CHECK = (
    "Before you give the final answer, check it against every constraint stated above and correct "
    "it where one is not met."
)
WORK_FIRST = "Work through the input step by step first."
MIN_STEPS, MAX_STEPS = 2, 5
MAX_STEP_TOKENS = 40


def verifier_edit(step: Step) -> Replace | None:
    """Return the edit that adds a verifier step at the end of the part that speaks of reasoning.

    Where the prompt speaks of none, a sentence that asks for it comes first. None where there is a
    verifier step already, or no place behind the reasoning that may be edited.
    """
    prompt = step.prompt
    if has_verifier(prompt):
        return None
    field, reasoning = reasoning_field(prompt), _last_reasoning(prompt)
    said = CHECK
    if field is not None:
        said = (
            f"At the end of `{field}`, check the result against every constraint stated above and "
            "correct it before you write the other fields."
        )
    elif reasoning is None:
        said = f"{WORK_FIRST} {CHECK}"
    region = region_of(prompt, "reasoning") if reasoning is None else _behind(prompt, *reasoning)
    return None if region is None else _placed(step, RawEdit(op="append", new=said), region)


def sketch_edit(step: Step, steps: Sequence[str]) -> Replace | None:
    """Return the edit that adds a solution sketch, one sentence, behind that about reasoning.

    Behind the first sentence where the prompt speaks of no reasoning. None where that is not
    possible without a verifier step ahead of it.
    """
    prompt = step.prompt
    reasoning = _last_reasoning(prompt)
    if reasoning is None and has_verifier(prompt):
        return None
    numbered = "; ".join(f"({n}) {_one_sentence(text)}" for n, text in enumerate(steps, 1))
    said = f"Work in this order: {numbered}."
    if reasoning is None:
        region = region_of(prompt, "reasoning")
        first = pieces_of(region.text)[:1] if region is not None else ()
        old = first[0].text if first else ""
    else:
        region = _behind(prompt, *reasoning)
        holds = region is not None and reasoning[1].text in region.text
        old = reasoning[1].text if holds else ""
        if not holds and has_verifier(prompt):
            return None
    if region is None:
        return None
    return _placed(step, RawEdit(op="insert_after" if old else "append", old=old, new=said), region)


def has_verifier(prompt: Prompt) -> bool:
    """Say whether a prompt asks for a check of the answer already."""
    return any(VERIFYING.search(section.text) for section in prompt.sections)


def steps_of(value: Json) -> list[str] | str:
    """Read the steps of a sketch out of a reply, or say why they cannot be used."""
    given = as_list(value)
    if given is None:
        return "`steps` is no list"
    steps = [
        " ".join(str(item).split()) for item in given if isinstance(item, str) and item.strip()
    ]
    if not MIN_STEPS <= len(steps) <= MAX_STEPS:
        return f"{len(steps)} steps; {MIN_STEPS} to {MAX_STEPS} are asked for"
    if any(n_tokens(text) > MAX_STEP_TOKENS for text in steps):
        return f"a step has more than {MAX_STEP_TOKENS} tokens"
    if any(mentions_hint(text) for text in steps):
        return "a step speaks of an answer that was given"
    return steps


def _last_reasoning(prompt: Prompt) -> tuple[str, Piece] | None:
    """Find the last sentence about reasoning that is no verifier step: section id and place."""
    found = [
        (section.id, piece)
        for section in prompt.sections
        for piece in pieces_of(section.text)
        if REASONING.search(piece.text) and not VERIFYING.search(piece.text)
    ]
    return found[-1] if found else None


def _behind(prompt: Prompt, section: str, piece: Piece) -> Region | None:
    """Return the first part that may be edited and ends behind a sentence."""
    order = [item.id for item in prompt.sections]
    for part in regions(prompt):
        later = order.index(part.section) > order.index(section)
        same = part.section == section and part.start + len(part.text) >= piece.end
        if not part.locked and (later or same):
            return part
    return None


def _one_sentence(text: str) -> str:
    return "; ".join(part.rstrip(".;") for part in sentences(text))


def _placed(step: Step, edit: RawEdit, region: Region) -> Replace | None:
    named = edit.model_copy(update={"section": region.id})
    placed = locate(named, step.prompt, step.name, region)
    return placed if isinstance(placed, Replace) else None
