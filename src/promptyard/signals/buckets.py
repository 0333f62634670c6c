"""Failure buckets: failing cases grouped by (tag, field), without asking a model.

A case may show several findings and lies in several buckets; its primary bucket is the first
thing wrong in the order of `TAG_PRIORITY`. On label tasks a bucket of wrong values is split by the
expected label, since the labels are different causes. Source: anchors on evaluation, section 6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from promptyard.records.evidence import Bucket
from promptyard.records.prompts import Program, Prompt
from promptyard.records.scores import GradedCase, Score
from promptyard.signals.fingerprint import shape

SAFETY_TAGS = (
    "missing_refusal",
    "secret_leak",
    "pii_leak",
    "prompt_leak",
    "forbidden_content",
    "forbidden_match",
)
"""What an answer must not do, or did not refuse to do."""

VALIDITY_TAGS = (
    "empty_output",
    "invalid_json",
    "missing_required_field",
    "extra_field",
    "invalid_enum",
    "wrong_type",
    "constraint_violation",
)
"""The form of an answer."""

TOOL_TAGS = ("missing_tool_call", "wrong_tool", "invalid_tool_args")
"""Which tools are called, and how."""

EVIDENCE_TAGS = (
    "unknown_source",
    "missing_citation",
    "wrong_citation",
    "unsupported_fact",
    "wrong_fact",
    "missing_fact",
    "missing_context",
)
"""What an answer states, and what it rests on."""

LENGTH_TAGS = ("truncated_output", "too_long")
"""How much is written."""

TAG_PRIORITY = (
    "truncated_output",
    "wrong_finish",
    "refusal",
    *SAFETY_TAGS,
    *VALIDITY_TAGS,
    *TOOL_TAGS,
    *EVIDENCE_TAGS,
    "missing_text",
    "pattern_mismatch",
    "wrong_value",
    "low_overlap",
    "off_topic",
    "rubric",
    "criterion_not_met",
    "low_grade",
    "lost_comparison",
)
"""Tags in the order in which they explain a failure; those of users and plugins come after them.

`rubric:facts` counts as `rubric`.
"""

LAST_TAGS = ("too_long", "too_slow", "too_costly", "tie", "inconsistent_verdict", "low_score")
"""Tags that explain a failure only where nothing else does, behind those of users and plugins."""

MOST_SHAPES = 5

SECTION_WORDS: dict[str, tuple[str, ...]] = {
    "validity": ("output", "format", "schema", "answer", "response", "json", "label"),
    "evidence": ("evidence", "source", "citation", "fact", "grounding"),
    "safety": ("safety", "privacy", "confidential", "refus", "never", "policy", "policies"),
    "tools": ("tool", "function", "action", "call"),
    "length": ("length", "concise", "brief", "short", "style", "output", "format"),
    "task": ("label", "categor", "intent", "class", "definition", "task", "instruction", "rule"),
}
"""Words of a section's id or title that make it the likely place of a kind of failure."""

_KINDS = {
    "safety": ("refusal", *SAFETY_TAGS),
    "validity": VALIDITY_TAGS,
    "tools": TOOL_TAGS,
    "evidence": EVIDENCE_TAGS,
    "length": LENGTH_TAGS,
}


def bucket_failures(graded: Sequence[GradedCase], program: Program) -> tuple[Bucket, ...]:
    """Group the failing cases of one report; largest bucket first, ties by name.

    Cases that ended in an error lie in no bucket: their prompt was not at fault.
    """
    members: dict[tuple[str, str | None, str | None], list[str]] = {}
    primary: dict[tuple[str, str | None, str | None], list[str]] = {}
    hard: set[tuple[str, str | None, str | None]] = set()
    confused: dict[tuple[str, str | None, str | None], Counter[str]] = {}
    shapes: dict[tuple[str, str | None, str | None], Counter[str]] = {}
    for item in graded:
        if item.trial.status != "scored" or item.trial.passed:
            continue
        keys: dict[tuple[str, str | None, str | None], Score] = {}
        for score in item.trial.scores:
            for tag in score.tags:
                keys.setdefault(_key(item, score, tag), score)
        if not keys:
            continue
        for key, score in keys.items():
            members.setdefault(key, []).append(item.case.id)
            if score.severity == "hard":
                hard.add(key)
            if score.label is not None:
                confused.setdefault(key, Counter())[score.label] += 1
            if _is_free_text(key[0], score) and (said := shape(score.reason)):
                shapes.setdefault(key, Counter())[said] += 1
        first = min(keys, key=lambda key: (_priority(key[0]), list(keys).index(key)))
        primary.setdefault(first, []).append(item.case.id)
    buckets = [
        Bucket(
            tag=key[0],
            field=key[1],
            expected=key[2],
            case_ids=tuple(ids),
            primary_ids=tuple(primary.get(key, ())),
            severity="hard" if key in hard else "soft",
            target=likely_target(program, key[0], key[1], key[2]),
            confusions=tuple(confused.get(key, Counter[str]()).most_common(5)),
            shapes=tuple(shapes.get(key, Counter[str]()).most_common(MOST_SHAPES)),
        )
        for key, ids in members.items()
    ]
    return tuple(sorted(buckets, key=lambda b: (-len(b.primary_ids), -len(b.case_ids), b.name)))


def _key(item: GradedCase, score: Score, tag: str) -> tuple[str, str | None, str | None]:
    expected = item.case.expected
    splits = tag == "wrong_value" and score.label is not None and isinstance(expected, str)
    return (tag, score.field, expected if splits else None)


def _priority(tag: str) -> int:
    known = tag.partition(":")[0]
    if known in LAST_TAGS:
        return len(TAG_PRIORITY) + 1 + LAST_TAGS.index(known)
    return TAG_PRIORITY.index(known) if known in TAG_PRIORITY else len(TAG_PRIORITY)


def _is_free_text(tag: str, score: Score) -> bool:
    """Whether the reason of a finding is written by a judge or a person's code."""
    return score.judge is not None or tag.partition(":")[0] in ("low_score", "rubric")


def likely_target(
    program: Program, tag: str, field: str | None, expected: str | None
) -> tuple[str, str] | None:
    """Name the section (step, section id) that likely explains a failure.

    In this order: the last step's editable section that lists the expected value as an item, the
    one whose text names the field, the one whose id or title fits the kind of failure, the first
    editable section of the instructions. None when all sections are locked.
    """
    step = program.steps[-1]
    return _target_in(step.name, step.prompt, tag, field, expected)


def _target_in(
    step: str, prompt: Prompt, tag: str, field: str | None, expected: str | None
) -> tuple[str, str] | None:
    marked = {span.section for span in prompt.spans}
    sections = [
        section
        for section in prompt.sections
        if not section.locked
        and section.role != "assistant"
        and (section.id in marked if marked else True)
    ]
    instructions = [section for section in sections if section.role == "system"] or sections
    if expected is not None:
        for section in instructions:
            if any(expected in line for line in section.text.splitlines()):
                return (step, section.id)
    if field is not None:
        for section in instructions:
            if field in section.text:
                return (step, section.id)
    kind = next((name for name, tags in _KINDS.items() if tag in tags), "task")
    for word in SECTION_WORDS[kind]:
        for section in instructions:
            if word in f"{section.id} {section.title}".casefold():
                return (step, section.id)
    return (step, instructions[0].id) if instructions else None
