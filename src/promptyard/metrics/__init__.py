"""Station 1, the evaluation functions: what grades one answer to one case.

A metric is one file and one line in `METRICS`; a file may hold the variants of one idea. The
docstring of each class says which options it has and what exactly it checks. `build.py` makes
metrics of the checks in task.yaml, `python_callable.py` of any function, and `suite.py` sums up a
whole report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from promptyard.metrics.answer_relevance import AnswerRelevance
from promptyard.metrics.bleu import Bleu, Chrf
from promptyard.metrics.citation_ids import CitationIds
from promptyard.metrics.citation_markers import CitationMarkers
from promptyard.metrics.citation_span import CitationSpan
from promptyard.metrics.closed_qa import ClosedQa
from promptyard.metrics.combination import AllOf, AnyOf, KOfN, Weighted
from promptyard.metrics.contains import (
    Contains,
    ContainsAll,
    ContainsAny,
    IContains,
    IContainsAll,
    IContainsAny,
)
from promptyard.metrics.contains_json import ContainsJson
from promptyard.metrics.context import MetricContext
from promptyard.metrics.cross_field import CrossField
from promptyard.metrics.date_format import DateFormat
from promptyard.metrics.enum_value import EnumValue
from promptyard.metrics.equals import Equals
from promptyard.metrics.f1 import F1
from promptyard.metrics.factuality import Factuality
from promptyard.metrics.faithfulness import ContextRecall, Faithfulness
from promptyard.metrics.field_equals import FieldEquals
from promptyard.metrics.field_numeric import FieldNumeric
from promptyard.metrics.field_set import FieldSet
from promptyard.metrics.finish_reason import FinishReasonIs
from promptyard.metrics.forbidden_content import ForbiddenContent
from promptyard.metrics.g_eval import GEval
from promptyard.metrics.instructions import Instructions
from promptyard.metrics.is_json import IsJson
from promptyard.metrics.is_refusal import IsRefusal
from promptyard.metrics.json_schema import JsonSchema
from promptyard.metrics.length import Length, WordCount
from promptyard.metrics.levenshtein import Levenshtein
from promptyard.metrics.limits import Cost, Latency, MaxTokens
from promptyard.metrics.llm_rubric import LlmRubric
from promptyard.metrics.numeric import Numeric, NumericDiff
from promptyard.metrics.pairwise import Pairwise
from promptyard.metrics.pii_leak import PiiLeak
from promptyard.metrics.prompt_leak import PromptLeak
from promptyard.metrics.python_function import PythonFunction
from promptyard.metrics.range_value import Range
from promptyard.metrics.regex import Regex
from promptyard.metrics.required_fields import RequiredFields
from promptyard.metrics.rouge import RougeL, RougeN
from promptyard.metrics.secret_leak import SecretLeak
from promptyard.metrics.skip import Skip
from promptyard.metrics.starts_with import EndsWith, StartsWith
from promptyard.metrics.tool_args_match import ToolArgsMatch
from promptyard.metrics.tool_call_f1 import ToolCallF1
from promptyard.metrics.tool_call_valid import ToolCallValid
from promptyard.metrics.tool_sequence import ToolSequence
from promptyard.metrics.unique import Unique
from promptyard.protocols import Metric
from promptyard.records.cases import CheckSpec

MetricFactory: TypeAlias = Callable[[CheckSpec, MetricContext], Metric]
"""Makes a metric of a check. Raises ConfigError when the options are wrong."""

METRICS: Mapping[str, MetricFactory] = {
    "equals": Equals,
    "exact_match": Equals,
    "contains": Contains,
    "icontains": IContains,
    "contains_all": ContainsAll,
    "contains_any": ContainsAny,
    "icontains_all": IContainsAll,
    "icontains_any": IContainsAny,
    "starts_with": StartsWith,
    "ends_with": EndsWith,
    "regex": Regex,
    "is_json": IsJson,
    "contains_json": ContainsJson,
    "json_schema": JsonSchema,
    "required_fields": RequiredFields,
    "enum": EnumValue,
    "range": Range,
    "length": Length,
    "word_count": WordCount,
    "date_format": DateFormat,
    "unique": Unique,
    "cross_field": CrossField,
    "field_equals": FieldEquals,
    "numeric": Numeric,
    "field_numeric": FieldNumeric,
    "field_set": FieldSet,
    "numeric_diff": NumericDiff,
    "f1": F1,
    "levenshtein": Levenshtein,
    "rouge_n": RougeN,
    "rouge_l": RougeL,
    "bleu": Bleu,
    "chrf": Chrf,
    "llm_rubric": LlmRubric,
    "closed_qa": ClosedQa,
    "factuality": Factuality,
    "pairwise": Pairwise,
    "g_eval": GEval,
    "faithfulness": Faithfulness,
    "answer_relevance": AnswerRelevance,
    "context_recall": ContextRecall,
    "citation_span": CitationSpan,
    "citation_ids": CitationIds,
    "citation_markers": CitationMarkers,
    "tool_call_valid": ToolCallValid,
    "tool_call_f1": ToolCallF1,
    "tool_args_match": ToolArgsMatch,
    "tool_sequence": ToolSequence,
    "all_of": AllOf,
    "any_of": AnyOf,
    "k_of_n": KOfN,
    "weighted": Weighted,
    "python": PythonFunction,
    "skip": Skip,
    "finish_reason": FinishReasonIs,
    "is_refusal": IsRefusal,
    "max_tokens": MaxTokens,
    "latency": Latency,
    "cost": Cost,
    "secret_leak": SecretLeak,
    "pii_leak": PiiLeak,
    "forbidden_content": ForbiddenContent,
    "prompt_leak": PromptLeak,
    "instructions": Instructions,
}
"""The built-in checks by the name that task.yaml gives them."""

ALIASES: Mapping[str, str] = {
    "exact": "equals",
    "exactmatch": "equals",
    "equals_expected": "equals",
    "includes": "contains",
    "string_presence": "contains",
    "pattern": "regex",
    "pattern_match": "regex",
    "json_validator": "is_json",
    "valid_json": "is_json",
    "validjson": "is_json",
    "json_correctness": "json_schema",
    "number_equals": "numeric",
    "numeric_match": "numeric",
    "numericdiff": "numeric_diff",
    "f1_score": "f1",
    "token_f1": "f1",
    "edit_distance": "levenshtein",
    "non_llm_string_similarity": "levenshtein",
    "rouge_score": "rouge_l",
    "bleu_score": "bleu",
    "chrf_score": "chrf",
    "llm_judge": "llm_rubric",
    "model_graded_closedqa": "closed_qa",
    "closedqa": "closed_qa",
    "model_graded_factuality": "factuality",
    "model_graded_fact": "factuality",
    "select_best": "pairwise",
    "battle": "pairwise",
    "context_faithfulness": "faithfulness",
    "groundedness": "faithfulness",
    "answer_relevancy": "answer_relevance",
    "is_valid_openai_tools_call": "tool_call_valid",
    "is_valid_openai_function_call": "tool_call_valid",
    "is_valid_function_call": "tool_call_valid",
    "tool_correctness": "tool_call_f1",
    "argument_correctness": "tool_args_match",
    "trajectory_match": "tool_sequence",
    "quoted_spans_alignment": "citation_span",
    "max_duration": "latency",
    "assert_set": "weighted",
    "callable": "python",
    "ifeval": "instructions",
    "pii_leakage": "pii_leak",
    "prompt_leakage": "prompt_leak",
}
"""Names that other tools give to our checks, with underscores for dashes."""

AMBIGUOUS: Mapping[str, str] = {
    "match": "starts_with in OpenAI evals and ends_with in inspect",
}
"""Names that other tools give to different checks: what they mean where."""

__all__ = ["ALIASES", "AMBIGUOUS", "METRICS", "MetricContext", "MetricFactory"]
