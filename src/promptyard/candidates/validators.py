"""The ordered validators V1-V10: pure checks between a proposal and its first evaluation.

Source: anchors on algorithms, part D. Each returns the reason for refusing, or None.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from promptyard.candidates.leakage import LeakageIndex
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
from promptyard.records.prompts import Program, Prompt

MAX_STEP_GROWTH_CHARS = 1500
MAX_STEP_FACTOR = 2
MAX_PROMPT_CHARS = 60_000
MIN_KEPT_SHARE = 0.4

META_RESIDUE = re.compile(
    r"</?(?:edit|old|new|hypothesis|part|bucket|prompt|ins)(?:-[0-9a-f]{8})?\b[^>]*>"
    r"|here (?:is|are) the (?:improved|revised|new|updated) prompt"
    r"|different from the previous|\bscore:\s*\d",
    re.IGNORECASE,
)
URL = re.compile(r"https?://[^\s)>\"']+", re.IGNORECASE)
SECRET = re.compile(
    r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
GRADER = re.compile(
    r"\b(?:the )?(?:grader|evaluator|test cases?|test set|eval set|scoring function|answer key"
    r"|being (?:graded|evaluated|tested))\b",
    re.IGNORECASE,
)
CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
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
        return tuple(
            edit.text
            for edit in self.edits
            if isinstance(edit, Replace | SetSection | InsertSection)
        )

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
    return "\n".join(" ".join(step.prompt.text.casefold().split()) for step in program.steps)


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
    return None


def _variable_counts(prompt: Prompt) -> Counter[str]:
    return Counter(
        match.group("variable").strip("{} \t")
        for section in prompt.sections
        for match in TOKEN.finditer(section.text)
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
    return None


def _roles(prompt: Prompt) -> list[str]:
    return [block.role for block in prompt.layout.blocks if block.role != "demos"]


def _outline(prompt: Prompt) -> list[tuple[str, str, bool]]:
    return [(section.id, section.role, section.locked) for section in prompt.sections]


def no_meta_residue(change: Change) -> str | None:
    """V6: nothing of the request's own tags or phrases is left in the text."""
    for text in change.new_texts:
        if found := META_RESIDUE.search(text):
            return f"the edit holds remains of the request: {found.group(0)[:60]!r}"
    return None


def no_leakage(change: Change) -> str | None:
    """V7: no case is repeated in the instructions, and no demonstration repeats a sealed case."""
    for text in change.new_texts:
        if found := change.leakage.find(text):
            return f"the edit repeats an eval case: {found[:60]!r}"
    for edit in change.edits:
        if isinstance(edit, SetDemos):
            for demo in edit.demos:
                if change.leakage.is_sealed(demo.input):
                    return f"the demonstration of '{demo.case_id}' is also a dev or holdout case"
    return None


def nothing_forbidden(change: Change) -> str | None:
    """V8: no secrets, no new URLs, nothing about how answers are graded."""
    parent_text = "\n".join(step.prompt.text for step in change.parent.steps)
    for text in change.new_texts:
        if SECRET.search(text):
            return "the edit holds something that looks like a secret"
        if any(url not in parent_text for url in URL.findall(text)):
            return "the edit brings in a URL that the prompt did not have"
        if (found := GRADER.search(text)) and not GRADER.search(parent_text):
            return f"the edit speaks of how answers are graded: {found.group(0)!r}"
    return None


def clean_characters(change: Change) -> str | None:
    """V9: no control or direction-changing characters, no lone surrogates."""
    for text in change.new_texts:
        if found := CONTROL.search(text):
            return f"the edit holds the character U+{ord(found.group(0)):04X}"
    return None


def reasons_first(change: Change) -> str | None:
    """V10: where an edit brings in reasoning and answer fields, reasoning comes first."""
    for before, after in change.pairs:
        if _answers_first(after.text) and not _answers_first(before.text):
            return "the answer field would stand before the reasoning field"
    return None


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
