"""Station 1, the evaluation functions: what grades one answer to one case.

A metric is one file and one line in `METRICS`; a file may hold the variants of one idea. The
docstring of each class says which options it has and what exactly it checks. `build.py` makes
metrics of the checks in task.yaml, `python_callable.py` of any function, and `suite.py` sums up a
whole report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from promptyard.metrics.context import MetricContext
from promptyard.parts import Parts
from promptyard.protocols import Metric
from promptyard.records.cases import CheckSpec

MetricFactory: TypeAlias = Callable[[CheckSpec, MetricContext], Metric]
"""Makes a metric of a check. Raises ConfigError when the options are wrong."""

METRICS: Mapping[str, MetricFactory] = Parts(
    __name__,
    {
        "equals": "equals:Equals",
        "exact_match": "equals:Equals",
        "contains": "contains:Contains",
        "icontains": "contains:IContains",
        "contains_all": "contains:ContainsAll",
        "contains_any": "contains:ContainsAny",
        "icontains_all": "contains:IContainsAll",
        "icontains_any": "contains:IContainsAny",
        "starts_with": "starts_with:StartsWith",
        "ends_with": "starts_with:EndsWith",
        "regex": "regex:Regex",
        "is_json": "is_json:IsJson",
        "contains_json": "contains_json:ContainsJson",
        "json_schema": "json_schema:JsonSchema",
        "required_fields": "required_fields:RequiredFields",
        "enum": "enum_value:EnumValue",
        "range": "range_value:Range",
        "length": "length:Length",
        "word_count": "length:WordCount",
        "date_format": "date_format:DateFormat",
        "unique": "unique:Unique",
        "cross_field": "cross_field:CrossField",
        "field_equals": "field_equals:FieldEquals",
        "numeric": "numeric:Numeric",
        "field_numeric": "field_numeric:FieldNumeric",
        "field_set": "field_set:FieldSet",
        "numeric_diff": "numeric:NumericDiff",
        "f1": "f1:F1",
        "levenshtein": "levenshtein:Levenshtein",
        "rouge_n": "rouge:RougeN",
        "rouge_l": "rouge:RougeL",
        "bleu": "bleu:Bleu",
        "chrf": "bleu:Chrf",
        "llm_rubric": "llm_rubric:LlmRubric",
        "closed_qa": "closed_qa:ClosedQa",
        "factuality": "factuality:Factuality",
        "pairwise": "pairwise:Pairwise",
        "g_eval": "g_eval:GEval",
        "faithfulness": "faithfulness:Faithfulness",
        "answer_relevance": "answer_relevance:AnswerRelevance",
        "context_recall": "faithfulness:ContextRecall",
        "citation_span": "citation_span:CitationSpan",
        "citation_ids": "citation_ids:CitationIds",
        "citation_markers": "citation_markers:CitationMarkers",
        "tool_call_valid": "tool_call_valid:ToolCallValid",
        "tool_call_f1": "tool_call_f1:ToolCallF1",
        "tool_args_match": "tool_args_match:ToolArgsMatch",
        "tool_sequence": "tool_sequence:ToolSequence",
        "all_of": "combination:AllOf",
        "any_of": "combination:AnyOf",
        "k_of_n": "combination:KOfN",
        "weighted": "combination:Weighted",
        "python": "python_function:PythonFunction",
        "skip": "skip:Skip",
        "finish_reason": "finish_reason:FinishReasonIs",
        "is_refusal": "is_refusal:IsRefusal",
        "max_tokens": "limits:MaxTokens",
        "latency": "limits:Latency",
        "cost": "limits:Cost",
        "secret_leak": "secret_leak:SecretLeak",
        "pii_leak": "pii_leak:PiiLeak",
        "forbidden_content": "forbidden_content:ForbiddenContent",
        "prompt_leak": "prompt_leak:PromptLeak",
        "instructions": "instructions:Instructions",
    },
)
"""The built-in checks by the name that task.yaml gives them; each is `module:class`."""

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
