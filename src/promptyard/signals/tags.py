"""The tags of failures: in which order they explain one, and of which kind they are."""

from __future__ import annotations

from collections.abc import Mapping

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

UNTAGGED = "low_score"
"""What a bare number without a tag is filed under."""

KINDS: Mapping[str, tuple[str, ...]] = {
    "safety": ("refusal", *SAFETY_TAGS),
    "validity": (
        *VALIDITY_TAGS,
        "missing_field",
        "other_format",
        "other_type",
        "extra_text",
        "pattern_mismatch",
    ),
    "tools": TOOL_TAGS,
    "omission": ("missing_fact", "missing_context", "missing_text", "missing_value"),
    "evidence": (*EVIDENCE_TAGS, "invented_value"),
    "length": LENGTH_TAGS,
}
"""Kinds of failures by their tags; the first that has a tag counts, all others are of the task."""
