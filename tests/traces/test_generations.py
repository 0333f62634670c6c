"""What a span says of a call of a model, in all conventions; evaluations; what is hidden."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from promptyard.records import attribute_names as names
from promptyard.records.base import Json
from promptyard.records.pseudonym import pseudonym
from promptyard.records.redaction import RedactionFailed
from promptyard.records.spans import Span, response_outcome_id, span_outcome_id
from promptyard.traces.decoded import LogEvent, NotUsable
from promptyard.traces.evaluations import feedback_of
from promptyard.traces.generations import (
    PromptReference,
    exposure_of,
    generation_of,
    outcome_of,
    prompt_of,
)
from promptyard.traces.hiding import MaskedContent

TRACE, SPAN = "ab" * 16, "cd" * 8
CURRENT: dict[str, Json] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "m1",
    "gen_ai.response.model": "m1-2026",
    "gen_ai.response.id": "r1",
    "gen_ai.prompt.name": "support",
    "gen_ai.prompt.version": "3",
    "gen_ai.prompt.variable.ticket": "Where is it?",
    "gen_ai.usage.input_tokens": 10,
    "gen_ai.usage.output_tokens": 5,
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.output.messages": json.dumps(
        [{"role": "assistant", "parts": [{"type": "text", "content": "On its way."}]}]
    ),
}
OLD: dict[str, Json] = {
    "llm.request.type": "chat",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "m1",
    "gen_ai.response.model": "m1-2026",
    "gen_ai.response.id": "r1",
    "traceloop.prompt.key": "support",
    "traceloop.prompt.version": 3,
    "traceloop.prompt.template_variables": '{"ticket": "Where is it?"}',
    "gen_ai.usage.prompt_tokens": 10,
    "gen_ai.usage.completion_tokens": 5,
    "gen_ai.prompt.0.role": "user",
    "gen_ai.prompt.0.content": "Where is it?",
    "gen_ai.completion.0.content": "On its way.",
    "gen_ai.completion.0.finish_reason": "stop",
}
OPENINFERENCE: dict[str, Json] = {
    "openinference.span.kind": "chat",
    "llm.provider": "openai",
    "llm.model_name": "m1-2026",
    "gen_ai.prompt.name": "support",
    "gen_ai.response.id": "r1",
    "llm.prompt_template.version": "v3",
    "llm.prompt_template.variables": '{"ticket": "Where is it?"}',
    "llm.token_count.prompt": 10,
    "llm.token_count.completion": 5,
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "On its way.",
    "llm.finish_reason": "stop",
}
LANGFUSE: dict[str, Json] = {
    "langfuse.observation.type": "chat",
    "gen_ai.system": "openai",
    "langfuse.observation.model.name": "m1-2026",
    "gen_ai.response.id": "r1",
    "langfuse.observation.prompt.name": "support",
    "langfuse.observation.prompt.version": 3,
    "gen_ai.prompt.variable.ticket": "Where is it?",
    "langfuse.observation.usage_details": '{"input": 10, "output": 5}',
    "langfuse.observation.output": '{"role": "assistant", "content": "On its way."}',
    "gen_ai.response.finish_reasons": ["stop"],
}


def _span(attributes: Mapping[str, Json], **fields: object) -> Span:
    times = {"start_ns": 1_000_000_000, "end_ns": 2_500_000_000}
    given = {"trace_id": TRACE, "span_id": SPAN, **times, "attributes": attributes, **fields}
    return Span.model_validate(given)


@pytest.mark.parametrize(
    "attributes", [CURRENT, OLD, OPENINFERENCE, LANGFUSE], ids=["now", "old", "oi", "langfuse"]
)
def test_all_conventions_say_the_same(attributes: dict[str, Json]) -> None:
    span = _span(attributes)
    said = generation_of(span)
    assert prompt_of(span) == said.prompt
    assert said.prompt is not None
    assert (said.prompt.name, said.prompt.version.lstrip("v")) == ("support", "3")
    assert (said.operation, said.provider, said.response_id) == ("chat", "openai", "r1")
    outcome = outcome_of(span, said, name="support", version=3, digest="d")
    assert outcome.id == span_outcome_id(TRACE, SPAN)
    assert (outcome.model, outcome.latency_s, outcome.finish_reason) == ("m1-2026", 1.5, "stop")
    assert (outcome.input_tokens, outcome.output_tokens) == (10, 5)
    assert (outcome.inputs, outcome.output) == ({"ticket": "Where is it?"}, "On its way.")
    assert outcome.features == {"input_chars": 12, "output_chars": 11, "output_words": 3}
    assert (outcome.at, outcome.error) == ("1970-01-01T00:00:02.500000+00:00", "")


def test_own_names_count_before_the_conventions_and_those_before_frameworks() -> None:
    merged = {**LANGFUSE, **OPENINFERENCE, **OLD, **CURRENT}
    said = generation_of(_span({**merged, "gen_ai.usage.prompt_tokens": 99, "user.id": "u"}))
    assert (said.input_tokens, said.subject, said.prompt) == (
        10,
        "u",
        PromptReference("support", "3", ""),
    )


def test_no_content_is_made_up_and_nonsense_says_nothing() -> None:
    bare = generation_of(_span({}))
    assert (bare.variables, bare.input, bare.output, bare.prompt) == (None, None, None, None)
    odd: dict[str, Json] = {
        names.PROMPT_NAME: ["support"],
        names.INPUT_TOKENS: -1,
        names.OUTPUT_TOKENS: 1 << 60,
        names.FINISH_REASONS: [],
        names.RESPONSE_ID: "x" * 300,
        names.ROLLOUT_ID: "r-1",
        names.ARM: "neither",
        names.OUTPUT_MESSAGES: "[{]",
    }
    said = generation_of(_span(odd, status="error", status_message="it broke"))
    assert (said.prompt, said.input_tokens, said.output_tokens) == (None, None, None)
    assert (said.response_id, said.rollout_id, said.finish_reason) == ("", None, "")
    assert (said.error, said.output) == ("it broke", "[{]")
    assert generation_of(_span({names.ERROR_TYPE: "timeout"})).error == "timeout"


def test_a_span_of_a_run_is_no_live_traffic_and_failures_are_told() -> None:
    assert prompt_of(_span({**CURRENT, names.RUN_ID: "run-1"})) is None
    said = generation_of(_span({**CURRENT, names.HARD_FAILURE: True}))
    assert outcome_of(_span(CURRENT), said, name="s", version=3, digest="d").hard_failure is True
    assert generation_of(_span(CURRENT)).hard_failure is None


def test_a_span_of_a_rollout_is_an_exposure_too() -> None:
    subject = pseudonym("ada")
    own: dict[str, Json] = {names.ROLLOUT_ID: "r-1", names.ARM: "treatment", names.SUBJECT: subject}
    span = _span({**CURRENT, **own})
    outcome = outcome_of(span, generation_of(span), name="support", version=3, digest="d")
    assert (outcome.rollout_id, outcome.arm, outcome.subject) == ("r-1", "treatment", subject)
    exposure = exposure_of(outcome, "")
    assert exposure is not None
    assert (exposure.rollout_id, exposure.arm, exposure.reason) == ("r-1", "treatment", "split")
    assert exposure_of(outcome.model_copy(update={"subject": ""}), "") is None


def _evaluation(trace_id: str = TRACE, **said: Json) -> LogEvent:
    values = {names.EVALUATION_NAME: "helpful", **said}
    named = {key.replace("__", "."): value for key, value in values.items()}
    return LogEvent(names.EVALUATION_RESULT, 5_000, trace_id, SPAN if trace_id else "", named)


@pytest.mark.parametrize(
    ("score", "label", "expected"),
    [
        (0.25, None, 0.25),
        (1, "fail", 1.0),
        (None, "pass", 1.0),
        (None, " FAIL ", 0.0),
        (None, "true", 1.0),
        (True, None, 1.0),
        (4, "pass", 1.0),
    ],
)
def test_an_evaluation_is_feedback_on_its_span(score: Json, label: Json, expected: float) -> None:
    said = {names.EVALUATION_SCORE: score, names.EVALUATION_LABEL: label}
    feedback = feedback_of(_evaluation(**{k: v for k, v in said.items() if v is not None}))
    assert feedback.outcome_id == span_outcome_id(TRACE, SPAN)
    assert (feedback.scores, feedback.source) == ({"helpful": expected}, "judge")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({names.EVALUATION_SCORE: 1.5}, "1.5' is not in [0, 1]"),
        ({names.EVALUATION_SCORE: "NaN"}, "'NaN' is not in [0, 1]"),
        ({names.EVALUATION_LABEL: "great"}, "the label 'great' is none of"),
        ({names.ERROR_TYPE: "timeout"}, "no score: it failed with 'timeout'"),
        ({names.EVALUATION_NAME: 7}, "is missing or too long"),
    ],
)
def test_an_evaluation_without_a_usable_score_is_refused(
    said: dict[str, Json], reason: str
) -> None:
    with pytest.raises(NotUsable) as caught:
        feedback_of(_evaluation(**said))
    assert reason in str(caught.value)


def test_an_evaluation_without_a_span_belongs_to_the_answer_it_names() -> None:
    said = {names.EVALUATION_SCORE: 1, names.RESPONSE_ID: "r1"}
    first = feedback_of(_evaluation("", **said))
    assert first.outcome_id == response_outcome_id("r1")
    assert feedback_of(_evaluation("", **said)) == first
    assert feedback_of(_evaluation("", **{**said, names.EVALUATION_SCORE: 0})).id != first.id
    with pytest.raises(NotUsable, match="neither a span nor"):
        feedback_of(_evaluation("", **{names.EVALUATION_SCORE: 1}))


KEY = "sk-abcdefghijklmnopqrstuvwx"


def test_secrets_and_people_are_taken_out() -> None:
    attributes: dict[str, Json] = {
        "gen_ai.input.messages": f'[{{"content": "key {KEY}, mail ada@example.com"}}]',
        "gen_ai.output.messages": [{"content": f"use {KEY}"}],
        "http.request.header.authorization": [f"Bearer {KEY}"],
        "url.full": "https://me:geheim@example.com/?mail=ada@example.com",
        "gen_ai.request.model": "m1",
        "gen_ai.usage.input_tokens": 5,
        "user.id": "ada",
        "user.email": "ada@example.com",
        names.SUBJECT: pseudonym("ada"),
        names.PROMPT_NAME: "support",
    }
    hide = MaskedContent()
    hide.attributes(attributes)
    written = json.dumps(attributes)
    assert KEY not in written
    assert "geheim" not in written
    assert json.loads(attributes["gen_ai.input.messages"]) == [
        {"content": "key [api key], mail [email]"}
    ]
    assert attributes["user.id"] == attributes[names.SUBJECT] == pseudonym("ada")
    assert attributes["user.email"] == "[email]"
    assert "ada@example.com" in attributes["url.full"]  # no content: only its secrets go
    assert (attributes["gen_ai.request.model"], attributes[names.PROMPT_NAME]) == ("m1", "support")
    assert hide.text(f"failed with {KEY}") == "failed with [api key]"
    kept: dict[str, Json] = {"input.value": "mail ada@example.com"}
    MaskedContent(personal_data=False).attributes(kept)
    assert kept["input.value"] == "mail ada@example.com"


def test_what_cannot_be_masked_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> str:
        raise RedactionFailed("a reason")

    monkeypatch.setattr("promptyard.records.redaction.Redaction.text", fails)
    attributes: dict[str, Json] = {"input.value": "x", "output.value": ["x"], "n": 1}
    hide = MaskedContent()
    hide.attributes(attributes)
    assert attributes == {"n": 1}
    assert (hide.text("x"), hide.n_dropped) == ("", 3)
