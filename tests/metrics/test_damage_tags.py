"""A gold answer passes every check; each kind of damage to it gets exactly its own tags.

Buckets are made of these tags: damage that is filed under a wrong one sends the optimizer to the
wrong place.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from promptyard.metrics.build import build_metrics
from promptyard.metrics.context import MetricContext
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion, OutputContract, Tool, ToolCallPart, Usage
from promptyard.records.scores import Score

TICKET = "Hello, my App crashes on login since 4.2. I want my 40 euros back. Ann, 3 May 2024"
POLICY = "Refunds are paid within 14 days."
SCHEMA: Json = {
    "type": "object",
    "additionalProperties": False,
    "required": ["status", "priority", "summary", "refund", "citations"],
    "properties": {
        "status": {"enum": ["open", "pending", "closed"]},
        "priority": {"type": "integer"},
        "summary": {"type": "string"},
        "product": {"type": "string"},
        "refund": {"type": ["number", "null"]},
        "opened": {"type": ["string", "null"]},
        "closed": {"type": ["string", "null"]},
        "labels": {"type": "array"},
        "citations": {"type": "array"},
    },
}
GOLD: Mapping[str, Json] = {
    "status": "open",
    "priority": 2,
    "summary": "App crashes on login.",
    "product": "App",
    "refund": 40,
    "opened": "2024-05-03",
    "closed": None,
    "labels": ["crash", "refund"],
    "citations": [{"source": "ticket", "quote": "crashes on login since 4.2"}],
}
CASE = Case(
    id="t-1",
    input={"sources": {"ticket": TICKET, "policy": POLICY}},
    expected={"product": "App", "labels": ["refund", "crash"], "refund": 40},
)
CHECKS: Mapping[str, Mapping[str, Json]] = {
    "finish_reason": {},
    "is_refusal": {"expected": False},
    "json_schema": {},
    "range": {"field": "refund", "min": 0, "max": 500, "allow_null": True, "allow_absent": True},
    "date_format": {"field": "opened"},
    "length": {"field": "summary", "unit": "words", "max": 8},
    "unique": {"field": "labels"},
    "cross_field": {"expression": "status == 'closed' implies closed != null"},
    "field_equals": {"field": "product"},
    "field_set": {"field": "labels", "mode": "exact"},
    "citation_span": {"field": "citations", "source": "sources", "min_chars": 8},
    "latency": {"max_s": 5},
    "cost": {"max_usd": 0.01},
    "max_tokens": {"most": 400},
}
ANSWER = Completion(
    text=json.dumps(GOLD),
    usage=Usage(input_tokens=100, output_tokens=80),
    latency_s=1.0,
    cost_usd=0.001,
)


def _with(**fields: Json) -> Completion:
    """Give fields other values."""
    return _text(json.dumps({**GOLD, **fields}))


def _without(field: str) -> Completion:
    return _text(json.dumps({key: GOLD[key] for key in GOLD if key != field}))


def _text(text: str) -> Completion:
    return _call(text=text)


def _call(**changes: Any) -> Completion:
    """Change how the call went."""
    return ANSWER.model_copy(update=changes)


def _cite(**citation: Json) -> Completion:
    return _with(citations=[{**GOLD["citations"][0], **citation}])


WHOLE = json.dumps(GOLD)
DAMAGES: Mapping[str, tuple[Completion, set[str]]] = {
    # the form
    "a required field is missing": (_without("priority"), {"missing_required_field"}),
    "a field is null": (_with(priority=None), {"wrong_type"}),
    "a field has another type": (_with(priority="high"), {"wrong_type"}),
    "an enum has another value": (_with(status="VIP"), {"invalid_enum"}),
    "an enum is the empty text": (_with(status=""), {"invalid_enum"}),
    "a field is too many": (_with(mood="angry"), {"extra_field"}),
    "the JSON is cut off": (_text(WHOLE[:-40]), {"invalid_json"}),
    "a fence stands around it": (_text(f"```json\n{WHOLE}\n```"), {"invalid_json"}),
    "prose stands before it": (_text(f"Here it is: {WHOLE}"), {"invalid_json"}),
    "a key occurs twice": (_text(WHOLE[:-1] + ', "status": "open"}'), {"invalid_json"}),
    "a number is NaN": (_text(WHOLE.replace("40", "NaN", 1)), {"invalid_json"}),
    "there is no answer": (_text(" \n"), {"empty_output", "invalid_json"}),
    # the rules
    "a number is out of range": (_with(refund=4000), {"constraint_violation"}),
    "a date is none of the calendar": (_with(opened="2024-02-30"), {"constraint_violation"}),
    "a date has another form": (_with(opened="3 May 2024"), {"constraint_violation"}),
    "two fields disagree": (_with(status="closed"), {"constraint_violation"}),
    "a text is too long": (_with(summary="It crashes. " * 9), {"too_long"}),
    # the content
    "a value is wrong": (_with(product="Web shop"), {"wrong_value"}),
    "a value is missing": (_without("product"), {"missing_required_field", "wrong_value"}),
    "an item is missing from a set": (_with(labels=["crash"]), {"wrong_value"}),
    "an item is too many in a set": (_with(labels=["crash", "refund", "vip"]), {"wrong_value"}),
    "an item is given twice": (
        _with(labels=["crash", "refund", "crash"]),
        {"constraint_violation", "wrong_value"},
    ),
    # the evidence
    "nothing is cited": (_with(citations=[]), {"missing_citation"}),
    "a quote is not in its source": (_cite(quote="crashes on every login"), {"wrong_citation"}),
    "a quote is of another source": (_cite(quote="paid within 14 days"), {"wrong_citation"}),
    "a quote is too short to tell": (_cite(quote="App"), {"wrong_citation"}),
    "a source does not exist": (_cite(source="manual"), {"unknown_source"}),
    "a citation is no object": (_with(citations=[5]), {"wrong_type"}),
    # the call
    "the answer was cut by the limit": (
        _call(text=WHOLE[:-40], finish_reason="length"),
        {"truncated_output", "invalid_json"},
    ),
    "the server filtered it": (_call(finish_reason="content_filter"), {"refusal"}),
    "the model refuses": (
        _text("I'm sorry, but I can't help with that."),
        {"refusal", "invalid_json"},
    ),
    "it took too long": (_call(latency_s=9.0), {"too_slow"}),
    "it cost too much": (_call(cost_usd=0.5), {"too_costly"}),
    "it has too many tokens": (_call(usage=Usage(output_tokens=900)), {"too_long"}),
}


def _found(
    checks: Mapping[str, Mapping[str, Json]],
    case: Case,
    answer: Completion,
    context: MetricContext,
) -> tuple[set[str], Sequence[Score]]:
    async def all_of_them() -> list[Score]:
        specs = [CheckSpec(type=name, options=options) for name, options in checks.items()]
        scores = [await metric.score(case, answer) for metric in build_metrics(specs, context)]
        return [score for found in scores for score in found]

    scores = asyncio.run(all_of_them())
    return {tag for score in scores for tag in score.tags}, scores


CONTRACT = MetricContext(output=OutputContract(format="json", schema=SCHEMA))


def test_the_gold_answer_passes_every_check() -> None:
    tags, scores = _found(CHECKS, CASE, ANSWER, CONTRACT)
    assert tags == set()
    assert {score.value for score in scores} == {1.0}
    assert len(scores) == len(CHECKS)


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_gets_exactly_its_tags(kind: str) -> None:
    answer, expected = DAMAGES[kind]
    tags, scores = _found(CHECKS, CASE, answer, CONTRACT)
    assert tags == expected, [(s.metric, s.tags, s.reason) for s in scores if s.tags]


SEARCH = Tool(
    name="search_orders",
    parameters={
        "type": "object",
        "required": ["customer"],
        "properties": {"customer": {"type": "string"}, "limit": {"type": "integer"}},
    },
)
REFUND = Tool(name="refund", parameters={"type": "object"})
TOOL_CASE = Case(
    id="t-2",
    input={"ticket": TICKET},
    expected={
        "tool_calls": [{"name": "search_orders", "arguments": {"customer": "Ann", "limit": 5}}]
    },
)
TOOL_CHECKS: Mapping[str, Mapping[str, Json]] = {"tool_call_valid": {}, "tool_args_match": {}}
GOOD_CALL = ("search_orders", '{"customer": "Ann", "limit": 5}')
TOOL_DAMAGES: Mapping[str, tuple[Sequence[tuple[str, str]], set[str]]] = {
    "no tool is called": ((), {"missing_tool_call"}),
    "a tool does not exist": (
        (("search", GOOD_CALL[1]),),
        {"wrong_tool", "missing_tool_call"},
    ),
    "a tool is called that nobody asked for": ((GOOD_CALL, ("refund", "{}")), {"wrong_tool"}),
    "arguments are no JSON": ((("search_orders", "{customer: Ann}"),), {"invalid_tool_args"}),
    "an argument is missing": ((("search_orders", '{"limit": 5}'),), {"invalid_tool_args"}),
    "an argument has another type": (
        (("search_orders", '{"customer": "Ann", "limit": "5"}'),),
        {"invalid_tool_args"},
    ),
    "an argument has another value": (
        (("search_orders", '{"customer": "Bob", "limit": 5}'),),
        {"invalid_tool_args"},
    ),
    "an argument is too many": (
        (("search_orders", '{"customer": "Ann", "limit": 5, "page": 2}'),),
        {"invalid_tool_args"},
    ),
}


def _called(calls: Sequence[tuple[str, str]]) -> Completion:
    parts = tuple(
        ToolCallPart(id=f"call_{number}", name=name, arguments=arguments)
        for number, (name, arguments) in enumerate(calls)
    )
    return Completion(text="Let me see.", tool_calls=parts, finish_reason="tool_calls")


@pytest.mark.parametrize("kind", TOOL_DAMAGES)
def test_damaged_tool_calls_get_exactly_their_tags(kind: str) -> None:
    context = MetricContext(tools=(SEARCH, REFUND))
    assert _found(TOOL_CHECKS, TOOL_CASE, _called([GOOD_CALL]), context)[0] == set()
    calls, expected = TOOL_DAMAGES[kind]
    tags, scores = _found(TOOL_CHECKS, TOOL_CASE, _called(calls), context)
    assert tags == expected, [(s.metric, s.tags, s.reason) for s in scores if s.tags]


def test_more_than_twelve_kinds_of_tags_are_told_apart() -> None:
    kinds = [frozenset(tags) for _, tags in (*DAMAGES.values(), *TOOL_DAMAGES.values())]
    assert len(set(kinds)) > 12
