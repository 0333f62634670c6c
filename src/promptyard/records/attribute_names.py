"""The one table of attribute names: what telemetry calls things, in all conventions we read.

No other module spells such a name. Each meaning has its names in order of precedence: our own, the
GenAI semantic conventions as they are, as they were (until 1.36), then those of frameworks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

# our own
OUTCOME_ID = "promptyard.outcome.id"
ROLLOUT_ID = "promptyard.rollout.id"
ARM = "promptyard.arm"
PROMPT_DIGEST = "promptyard.prompt.digest"
RESOLUTION_REASON = "promptyard.resolution.reason"
SUBJECT = "promptyard.subject"
HARD_FAILURE = "promptyard.hard_failure"
RUN_ID = "promptyard.run.id"
"""Of a run of the line: such a span is no live traffic."""
CASE_ID = "promptyard.case.id"
STEP = "promptyard.step"

# spans of the GenAI conventions
OPERATION_NAME = "gen_ai.operation.name"
PROVIDER_NAME = "gen_ai.provider.name"
PROMPT_NAME = "gen_ai.prompt.name"
PROMPT_VERSION = "gen_ai.prompt.version"
PROMPT_VARIABLE = "gen_ai.prompt.variable."
"""Followed by the name of the variable."""
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_SEED = "gen_ai.request.seed"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
FINISH_REASONS = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_CREATION_TOKENS = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
CONVERSATION_ID = "gen_ai.conversation.id"
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions"
TOOL_DEFINITIONS = "gen_ai.tool.definitions"
ERROR_TYPE = "error.type"
SERVICE_NAME = "service.name"

# evaluations of the GenAI conventions
EVENT_NAME = "event.name"
"""Where senders put a log's event name that have no field for it."""
EVALUATION_RESULT = "gen_ai.evaluation.result"
EVALUATION_NAME = "gen_ai.evaluation.name"
EVALUATION_SCORE = "gen_ai.evaluation.score.value"
EVALUATION_LABEL = "gen_ai.evaluation.score.label"
EVALUATION_EXPLANATION = "gen_ai.evaluation.explanation"

# feature flags
FLAG_EVALUATION = "feature_flag.evaluation"
FLAG_KEY = "feature_flag.key"
FLAG_VARIANT = "feature_flag.result.variant"
FLAG_REASON = "feature_flag.result.reason"
FLAG_PROVIDER = "feature_flag.provider.name"
FLAG_CONTEXT_ID = "feature_flag.context.id"
FLAG_SET_ID = "feature_flag.set.id"
FLAG_VERSION = "feature_flag.version"

# numbered: `<prefix>N.content`, `<prefix>N.message.content`
OLD_PROMPT = "gen_ai.prompt."
OLD_COMPLETION = "gen_ai.completion."
LLM_INPUT_MESSAGES = "llm.input_messages."
LLM_OUTPUT_MESSAGES = "llm.output_messages."

Names: TypeAlias = tuple[str, ...]

OPERATION: Names = (
    OPERATION_NAME,
    "llm.request.type",
    "openinference.span.kind",
    "traceloop.span.kind",
    "langfuse.observation.type",
)
PROVIDER: Names = (PROVIDER_NAME, "gen_ai.system", "llm.provider", "llm.system", "llm.vendor")
MODEL_ASKED: Names = (REQUEST_MODEL, "llm.model_name", "langfuse.observation.model.name")
MODEL_ANSWERING: Names = (RESPONSE_MODEL,)
PROMPT: Names = (PROMPT_NAME, "langfuse.observation.prompt.name", "traceloop.prompt.key")
VERSION: Names = (
    PROMPT_VERSION,
    "langfuse.observation.prompt.version",
    "llm.prompt_template.version",
    "traceloop.prompt.version",
)
TOKENS_IN: Names = (INPUT_TOKENS, "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
TOKENS_OUT: Names = (OUTPUT_TOKENS, "gen_ai.usage.completion_tokens", "llm.token_count.completion")
USAGE_OBJECT: Names = ("langfuse.observation.usage_details",)
"""A JSON object with tokens under `input` and `output`."""
COST: Names = ("gen_ai.usage.cost", "llm.cost.total")
COST_OBJECT: Names = ("langfuse.observation.cost_details",)
"""A JSON object with dollars under `total`."""
FINISH: Names = (FINISH_REASONS, "llm.response.finish_reason", "llm.finish_reason")
ERROR: Names = (ERROR_TYPE, "exception.type")
VARIABLES: Names = ("llm.prompt_template.variables", "traceloop.prompt.template_variables")
"""A JSON object of the variables that filled the prompt."""
SUBJECTS: Names = (
    SUBJECT,
    FLAG_CONTEXT_ID,
    "user.id",
    "enduser.id",
    "langfuse.user.id",
    "traceloop.association.properties.user_id",
)
CONTENT_IN: Names = (
    INPUT_MESSAGES,
    "gen_ai.prompt",
    "input.value",
    "langfuse.observation.input",
    "traceloop.entity.input",
)
CONTENT_OUT: Names = (
    OUTPUT_MESSAGES,
    "gen_ai.completion",
    "output.value",
    "langfuse.observation.output",
    "traceloop.entity.output",
)

MEANINGS: Mapping[str, Names] = {
    "outcome": (OUTCOME_ID,),
    "rollout": (ROLLOUT_ID,),
    "arm": (ARM,),
    "digest": (PROMPT_DIGEST,),
    "reason": (RESOLUTION_REASON, FLAG_REASON),
    "subject": SUBJECTS,
    "hard_failure": (HARD_FAILURE,),
    "run": (RUN_ID,),
    "operation": OPERATION,
    "provider": PROVIDER,
    "model_asked": MODEL_ASKED,
    "model_answering": MODEL_ANSWERING,
    "response": (RESPONSE_ID,),
    "prompt": PROMPT,
    "version": VERSION,
    "variables": VARIABLES,
    "input_tokens": TOKENS_IN,
    "output_tokens": TOKENS_OUT,
    "usage": USAGE_OBJECT,
    "cost": COST,
    "costs": COST_OBJECT,
    "finish": FINISH,
    "error": ERROR,
    "content_in": CONTENT_IN,
    "content_out": CONTENT_OUT,
}
"""Every meaning that a span is read for, with its names, those that count first before others."""

CONTENT_PREFIXES: Names = (
    *CONTENT_IN,
    *CONTENT_OUT,
    *VARIABLES,
    PROMPT_VARIABLE,
    SYSTEM_INSTRUCTIONS,
    TOOL_DEFINITIONS,
    EVALUATION_EXPLANATION,
    OLD_COMPLETION,
    LLM_INPUT_MESSAGES,
    LLM_OUTPUT_MESSAGES,
    "gen_ai.tool.call.",
    "gen_ai.retrieval.",
    "gen_ai.event.content",
    "langfuse.trace.",
    "langfuse.observation.metadata",
    "langfuse.observation.status_message",
    "llm.prompt_template.template",
    "llm.prompts",
    "llm.completions",
    "llm.tools",
    "traceloop.prompt.template",
    "message.",
    "document.",
    "retrieval.",
    "embedding.",
    "exception.message",
    "exception.stacktrace",
    "error.message",
    "user.",
    "enduser.",
)
"""What holds or may hold what people and models said, or who they are: by how the name begins."""

_NAMED = frozenset({PROMPT_NAME, PROMPT_VERSION})


def is_content(name: str) -> bool:
    """Whether an attribute may hold what somebody said, or who they are."""
    if name.startswith(CONTENT_PREFIXES):
        return name not in _NAMED and name not in SUBJECTS
    return False
