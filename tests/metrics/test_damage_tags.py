"""Twelve kinds of damage to one gold answer, and more: each gets exactly its own tags.

The answer is JSON with fields, numbers, citations and a tool call. All checks run on every row, so
that a tag which another check adds without need would show.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from promptyard.metrics.build import build_metrics
from promptyard.metrics.context import MetricContext
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion, FinishReason
from promptyard.records.scores import Score

SCHEMA: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "topic": {"enum": ["billing", "login"]},
        "total": {"type": "number"},
        "due": {"type": "string"},
        "lines": {"type": "array", "items": {"type": "string"}},
        "sources": {"type": "array", "items": {"type": "string"}},
        "quote": {"type": "object"},
        "tool_calls": {"type": "array"},
    },
    "required": ["topic", "total", "due", "lines", "sources", "quote", "tool_calls"],
    "additionalProperties": False,
}
TOOLS: Json = [
    {
        "name": "refund",
        "parameters": {
            "type": "object",
            "properties": {"order": {"type": "integer"}, "reason": {"type": "string"}},
            "required": ["order"],
        },
    },
    {"name": "mail", "parameters": {"type": "object", "properties": {}}},
]
SOURCES = {
    "T": "Order 17 | 40.50 | paid twice",
    "P1": "Refunds are due within 14 days.",
    "P2": "Orders are sent by mail.",
}
GOLD: Mapping[str, Any] = {
    "topic": "billing",
    "total": 40.5,
    "due": "2024-03-15",
    "lines": ["order 17", "paid twice"],
    "sources": ["T", "P1"],
    "quote": {"source": "P1", "quote": "due within 14 days"},
    "tool_calls": [{"name": "refund", "arguments": {"order": 17}}],
}
CHECKS: tuple[tuple[str, Mapping[str, Json]], ...] = (
    ("finish_reason", {}),
    ("json_schema", {"schema": SCHEMA}),
    ("field_equals", {"field": "topic"}),
    ("field_numeric", {"field": "total"}),
    ("range", {"field": "total", "min": 0, "max": 100}),
    ("date_format", {"field": "due"}),
    ("field_set", {"field": "lines"}),
    ("unique", {"field": "lines"}),
    ("citation_ids", {"field": "sources", "source": "sources"}),
    ("citation_span", {"field": "quote", "source": "sources"}),
    ("tool_call_valid", {"tools": TOOLS, "from": "text"}),
    ("tool_args_match", {"from": "text"}),
    ("forbidden_content", {"values": ["sorry"]}),
    ("secret_leak", {}),
    ("pii_leak", {}),
)

Change = Callable[[dict[str, Any]], Any]


def put(key: str, value: Any) -> Change:
    return lambda answer: answer.update({key: value})


def call(**changes: Any) -> Change:
    return lambda answer: answer["tool_calls"][0].update(changes)


DAMAGES: tuple[tuple[str, Change, set[str]], ...] = (
    ("a field is gone", lambda a: a.pop("topic"), {"missing_required_field", "wrong_value"}),
    ("a field too many", put("mood", "good"), {"extra_field"}),
    ("a value of another type", put("total", "40.5"), {"wrong_type"}),
    ("a value beyond the list", put("topic", "sales"), {"invalid_enum", "wrong_value"}),
    ("another value of the list", put("topic", "login"), {"wrong_value"}),
    ("another number", put("total", 41), {"wrong_value"}),
    ("a number out of range", put("total", 4050), {"wrong_value", "constraint_violation"}),
    ("a date of another format", put("due", "15 March"), {"constraint_violation"}),
    ("an item is gone", put("lines", ["order 17"]), {"wrong_value"}),
    (
        "an item stands twice",
        put("lines", ["order 17", "paid twice", "order 17"]),
        {"wrong_value", "constraint_violation"},
    ),
    ("a source is gone", put("sources", ["T"]), {"missing_citation"}),
    ("a source too many", put("sources", ["T", "P1", "P2"]), {"wrong_citation"}),
    ("a source that is none", put("sources", ["T", "P1", "P9"]), {"unknown_source"}),
    (
        "a quote that stands nowhere",
        put("quote", {"source": "P1", "quote": "due within 30 days"}),
        {"wrong_citation"},
    ),
    (
        "a quote of an unknown source",
        put("quote", {"source": "P9", "quote": "due within 14 days"}),
        {"unknown_source"},
    ),
    ("no call", put("tool_calls", []), {"missing_tool_call"}),
    ("an unknown tool", call(name="pay"), {"wrong_tool", "missing_tool_call"}),
    ("another known tool", call(name="mail", arguments={}), {"wrong_tool", "missing_tool_call"}),
    ("an argument of another value", call(arguments={"order": 18}), {"invalid_tool_args"}),
    ("an argument of another type", call(arguments={"order": "17"}), {"invalid_tool_args"}),
    ("an argument is gone", call(arguments={}), {"invalid_tool_args"}),
    (
        "a forbidden word",
        lambda a: a["quote"].update(note="We are sorry"),
        {"forbidden_content"},
    ),
    (
        "a mail address",
        lambda a: a["quote"].update(note="ann.lee@example.com"),
        {"pii_leak"},
    ),
)


def scores_of(text: str, finish: FinishReason = "stop") -> list[Score]:
    specs = [CheckSpec(type=name, options=options) for name, options in CHECKS]
    case = Case(id="c1", input={"sources": SOURCES}, expected=GOLD)
    answer = Completion(text=text, finish_reason=finish)

    async def grade() -> list[Score]:
        metrics = build_metrics(specs, MetricContext())
        return [score for metric in metrics for score in await metric.score(case, answer)]

    return asyncio.run(grade())


def tags_of(text: str, finish: FinishReason = "stop") -> set[str]:
    return {tag for score in scores_of(text, finish) for tag in score.tags}


def test_the_gold_answer_has_no_tag_and_passes_every_check() -> None:
    scores = scores_of(json.dumps(GOLD))
    assert len(scores) == len(CHECKS)
    assert {score.value for score in scores} == {1.0}
    assert not tags_of(json.dumps(GOLD))


def test_there_are_at_least_twelve_kinds_of_damage_with_tags_of_their_own() -> None:
    assert len({frozenset(tags) for _, _, tags in DAMAGES}) >= 12


@pytest.mark.parametrize(
    ("change", "tags"), [row[1:] for row in DAMAGES], ids=[r[0] for r in DAMAGES]
)
def test_damage_gets_exactly_its_tags(change: Change, tags: set[str]) -> None:
    answer: dict[str, Any] = copy.deepcopy(dict(GOLD))
    change(answer)
    assert answer != GOLD
    assert tags_of(json.dumps(answer)) == tags


@pytest.mark.parametrize(
    ("text", "finish", "tags"),
    [
        ("The total is 40.50.", "stop", {"invalid_json"}),
        (json.dumps(GOLD)[:-1], "stop", {"invalid_json"}),
        (json.dumps(GOLD)[:-20], "length", {"invalid_json", "truncated_output"}),
        (json.dumps(GOLD), "length", {"truncated_output"}),
        ("", "stop", {"empty_output", "invalid_json"}),
        (f"```json\n{json.dumps(GOLD)}\n```", "stop", {"invalid_json"}),
    ],
    ids=["prose", "cut JSON", "cut by the limit", "at the limit", "nothing", "a fence"],
)
def test_an_answer_that_is_damaged_as_a_whole_has_the_tag_of_the_cause_alone(
    text: str, finish: FinishReason, tags: set[str]
) -> None:
    assert tags_of(text, finish) == tags
