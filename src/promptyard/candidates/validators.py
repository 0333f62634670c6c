"""The ordered validators V1-V10: pure checks between a proposal and its first evaluation.

Source: anchors on algorithms, part D. Each returns the reason for refusing, or None.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from promptyard.candidates.forbidden import forbidden, remains_of_request, unclean
from promptyard.candidates.leakage import LeakageIndex
from promptyard.candidates.plain_text import script_counts
from promptyard.records.edits import (
    DropSection,
    Edit,
    InsertSection,
    PermuteDemos,
    Replace,
    SetDemos,
    SetSection,
)
from promptyard.records.prompt_text import TOKEN
from promptyard.records.prompts import Demo, Program, Prompt
from promptyard.records.sentences import folded_text

MAX_STEP_GROWTH_CHARS = 1500
MAX_STEP_FACTOR = 2
MAX_PROMPT_CHARS = 60_000
MIN_KEPT_SHARE = 0.4
MAX_FOREIGN_LETTERS = 3

REASONING_NAME = re.compile(
    r"[\"'`](?:reason(?:ing|s)?|rationale|explanation|thoughts?|analysis|steps)[\"'`]",
    re.IGNORECASE,
)
ANSWER_NAME = re.compile(
    r"[\"'`](?:answer|final_answer|result|label|verdict|conclusion)[\"'`]", re.IGNORECASE
)


@dataclass(frozen=True)
class Change:
    """What a validator looks at: parent and child, the edits, and the texts that the edits bring.

    `single_step` is False for candidates joined out of validated parts: growth limits are meant
    for one step.
    """

    parent: Program
    child: Program
    edits: Sequence[Edit]
    seen: frozenset[str]
    leakage: LeakageIndex
    single_step: bool = True

    @property
    def new_texts(self) -> tuple[str, ...]:
        """The texts that the edits write into sections, demonstrations apart."""
        texts: list[str] = []
        for edit in self.edits:
            if isinstance(edit, Replace | SetSection | InsertSection):
                texts.append(edit.text)
            if isinstance(edit, InsertSection):
                texts.append(edit.title)
        return tuple(texts)

    @property
    def written_demos(self) -> tuple[Demo, ...]:
        """The new demonstrations whose answers the optimizer model wrote."""
        before = {demo.output for step in self.parent.steps for demo in step.prompt.demos}
        return tuple(
            demo
            for edit in self.edits
            if isinstance(edit, SetDemos)
            for demo in edit.demos
            if demo.source == "rationalised" and demo.output not in before
        )

    @property
    def written(self) -> Iterable[tuple[str, str]]:
        """Each text that a model wrote, with the text in which what it says is no news."""
        parent = "\n".join(step.prompt.text for step in self.parent.steps)
        yield from ((text, parent) for text in self.new_texts)
        for demo in self.written_demos:
            yield demo.output, f"{parent}\n{demo.input}"

    @property
    def pairs(self) -> Iterable[tuple[Prompt, Prompt]]:
        """Each step's prompt before and after."""
        for step in self.parent.steps:
            yield step.prompt, self.child.step(step.name).prompt


def first_violation(change: Change) -> tuple[str, str] | None:
    """Return (code, reason) of the first validator that refuses, or None when all agree."""
    for code, validator in VALIDATORS.items():
        reason = validator(change)
        if reason is not None:
            return code, reason
    return None


def not_empty(change: Change) -> str | None:
    """V1: every step still says something."""
    for _, after in change.pairs:
        if not any(section.text.strip() for section in after.sections):
            return "the prompt would be empty"
    return None


def is_new(change: Change) -> str | None:
    """V2: the program is new, white space and case apart."""
    if fingerprint(change.child) == fingerprint(change.parent):
        return "nothing changes"
    if fingerprint(change.child) in change.seen:
        return "the same prompt was proposed before"
    return None


def fingerprint(program: Program) -> str:
    """Return the text of all steps with case and white space folded."""
    return "\n".join(folded_text(step.prompt.text) for step in program.steps)


def right_size(change: Change) -> str | None:
    """V3: at most twice the parent or 1,500 characters more a step; never far below it."""
    for before, after in change.pairs:
        old, new = _instruction_chars(before), _instruction_chars(after)
        if new > MAX_PROMPT_CHARS:
            return f"the prompt would have {new} characters, more than {MAX_PROMPT_CHARS}"
        limit = max(MAX_STEP_FACTOR * old, old + MAX_STEP_GROWTH_CHARS)
        if change.single_step and new > limit:
            return f"the prompt would grow from {old} to {new} characters in one step"
        if new < MIN_KEPT_SHARE * old and old > 500:
            return f"the prompt would shrink from {old} to {new} characters"
    return None


def _instruction_chars(prompt: Prompt) -> int:
    return sum(len(section.text) for section in prompt.sections)


def same_variables(change: Change) -> str | None:
    """V4: variables stay as they are, and no new double braces appear."""
    for before, after in change.pairs:
        old, new = _variable_counts(before), _variable_counts(after)
        if missing := old - new:
            return f"the variable {{{{{next(iter(missing))}}}}} would be lost"
        if added := new - old:
            return f"the variable {{{{{next(iter(added))}}}}} would be added"
    for text in change.new_texts:
        bare = TOKEN.sub("", text)
        if "{{" in bare or "}}" in bare:
            return "the edit brings in double braces"
    if any("{{" in demo.output for demo in change.written_demos):
        return "a demonstration brings in double braces"
    return None


def _variable_counts(prompt: Prompt) -> Counter[str]:
    return Counter(name for section in prompt.sections for name in _variables_in(section.text))


@lru_cache(maxsize=1024)
def _variables_in(text: str) -> tuple[str, ...]:
    return tuple(
        match.group("variable").strip("{} \t")
        for match in TOKEN.finditer(text)
        if match.group("variable")
    )


def structure_kept(change: Change) -> str | None:
    """V5: locked sections are equal to the byte, and text brings in no messages or sections.

    A role line, a heading or an open fence inside an edit would move other sections into another
    message; only the edits that are made for it may add or drop sections and demonstrations.
    """
    for step in change.parent.steps:
        before, after = step.prompt, change.child.step(step.name).prompt
        edits = [edit for edit in change.edits if getattr(edit, "step", None) == step.name]
        locked = {section.id: section.text for section in after.sections if section.locked}
        for section in before.sections:
            if section.locked and locked.get(section.id) != section.text:
                return f"the locked section '{section.id}' would change"
        if _roles(before) != _roles(after):
            return "the edit would add, drop or swallow a message (a role line or an open fence)"
        if not any(isinstance(edit, SetDemos | PermuteDemos) for edit in edits) and (
            before.demos != after.demos
        ):
            return "the edit would smuggle in demonstrations"
        if not any(isinstance(edit, InsertSection | DropSection) for edit in edits) and (
            _outline(before) != _outline(after)
        ):
            return "the edit would add, drop or move a section (a heading or an open fence)"
        if emptied := _emptied(before, after):
            return f"nothing would be left of section '{emptied}'"
    return None


def _roles(prompt: Prompt) -> list[str]:
    return [block.role for block in prompt.layout.blocks if block.role != "demos"]


def _emptied(before: Prompt, after: Prompt) -> str | None:
    left = {section.id for section in after.sections if section.text.strip()}
    kept = {section.id for section in after.sections}
    for section in before.sections:
        if section.title and section.text.strip() and section.id in kept - left:
            return section.id
    return None


def _outline(prompt: Prompt) -> list[tuple[str, str, bool]]:
    return [(section.id, section.role, section.locked) for section in prompt.sections]


def no_meta_residue(change: Change) -> str | None:
    """V6: nothing of the request's own tags, phrases or turns is left in the text."""
    return _refused(remains_of_request(text, known) for text, known in change.written)


def no_leakage(change: Change) -> str | None:
    """V7: no case is repeated in the instructions, and no demonstration repeats a sealed case.

    A demonstration whose answer the optimizer wrote repeats no other case either.
    """
    for text in change.new_texts:
        if found := change.leakage.find(text):
            return f"the edit repeats an eval case: {found[:60]!r}"
    for demo in change.written_demos:
        if found := change.leakage.find(demo.output, own=demo.case_id):
            return f"the answer shown for '{demo.case_id}' repeats another case: {found[:60]!r}"
    steps = {step.name for step in change.parent.steps}
    for edit in change.edits:
        if isinstance(edit, SetDemos):
            for demo in edit.demos:
                # Answers of earlier steps stand beside the inputs of the case.
                own = {name: value for name, value in demo.input.items() if name not in steps}
                if change.leakage.is_sealed(own):
                    return f"the demonstration of '{demo.case_id}' is also a dev or holdout case"
    return None


def nothing_forbidden(change: Change) -> str | None:
    """V8: no secrets, no new addresses, nothing about grading, nothing that cancels the rest."""
    return _refused(forbidden(text, known) for text, known in change.written)


def clean_characters(change: Change) -> str | None:
    """V9: nothing hidden, mixed or encoded, and no script that neither prompt nor cases have."""
    reason = _refused(unclean(text, known) for text, known in change.written)
    if reason is not None:
        return reason
    for text, known in change.written:
        spoken = change.leakage.scripts | script_counts(known).keys()
        for script, n_letters in script_counts(text).items():
            if n_letters > MAX_FOREIGN_LETTERS and script not in spoken:
                return f"the edit is written in {script.capitalize()} letters, unlike the task"
    return None


def _refused(reasons: Iterable[str | None]) -> str | None:
    return next((f"the edit {reason}" for reason in reasons if reason is not None), None)


def reasons_first(change: Change) -> str | None:
    """V10: where an edit brings in reasoning and answer fields, reasoning comes first."""
    for before, after in change.pairs:
        if _answers_first(after.text) and not _answers_first(before.text):
            return "the answer field would stand before the reasoning field"
    return None


@lru_cache(maxsize=512)
def _answers_first(text: str) -> bool:
    reasoning, given = REASONING_NAME.search(text), ANSWER_NAME.search(text)
    return bool(reasoning and given and given.start() < reasoning.start())


VALIDATORS: Mapping[str, Callable[[Change], str | None]] = {
    "V1": not_empty,
    "V2": is_new,
    "V3": right_size,
    "V4": same_variables,
    "V5": structure_kept,
    "V6": no_meta_residue,
    "V7": no_leakage,
    "V8": nothing_forbidden,
    "V9": clean_characters,
    "V10": reasons_first,
}
