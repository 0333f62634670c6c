"""One case for every judge check, and a judge that finds it right where the answer says Paris."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from promptyard.metrics import METRICS
from promptyard.metrics.build import build_metrics
from promptyard.metrics.context import MetricContext
from promptyard.protocols import Judge, Metric
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec

from .judges import Data, Script, claim, verdict

JUDGE_CHECKS = [
    name
    for name, factory in METRICS.items()
    if getattr(factory, "asks_judge", False) and hasattr(factory, "prompt_hash")
]
"""The built-in checks that are judges themselves."""

QUESTION = "What is the capital of France?"
SOURCE = "Paris is the capital of France. Lyon is not."
CASE = Case(
    id="c1",
    input={"question": QUESTION, "source": SOURCE},
    expected="The capital of France is Paris.",
)


@dataclass(frozen=True)
class Judged:
    """How a judge check is set up, what passes and what fails it, and what the judge replies."""

    script: Script
    options: Mapping[str, Json] = field(default_factory=dict[str, Json])
    passing: tuple[Case, str] = (CASE, "It is Paris.")
    failing: tuple[Case, str] = (CASE, "It is Rome.")


def _says_paris(value: Json) -> bool:
    return "Paris" in str(value)


def _binary(data: Data, outside: str) -> Json:
    del outside
    return verdict("pass" if _says_paris(data["answer"]) else "fail")


def _relation(data: Data, outside: str) -> Json:
    del outside
    return verdict("C" if _says_paris(data["answer"]) else "D")


def _level(data: Data, outside: str) -> Json:
    del outside
    return verdict(5 if _says_paris(data["answer"]) else 0)


def _shorter_with_paris(data: Data, outside: str) -> Json:
    del outside
    named = {name: str(data[name]) for name in ("first", "second") if _says_paris(data[name])}
    return verdict(min(named, key=lambda name: len(named[name])) if named else "tie")


def _claims(data: Data, outside: str) -> Json:
    del outside
    source = str(data["source"])
    text = str(data["answer"] if "answer" in data else data["expected"])
    supported = _says_paris(text) and _says_paris(source)
    return {"claims": [claim(text, "supported" if supported else "unsupported")]}


JUDGED: Mapping[str, Judged] = {
    "llm_rubric": Judged(_binary, {"rubric": "It names the capital of France."}),
    "closed_qa": Judged(_binary, {"criterion": "The answer is correct."}),
    "answer_relevance": Judged(_binary, {"question": "question"}),
    "factuality": Judged(_relation),
    "g_eval": Judged(_level, {"criteria": "It names the capital of France."}),
    "pairwise": Judged(_shorter_with_paris),
    "faithfulness": Judged(_claims, {"source": "source"}),
    "context_recall": Judged(
        _claims,
        {"source": "source"},
        failing=(
            CASE.model_copy(update={"input": {"question": QUESTION, "source": "Lyon is not."}}),
            "It is Paris.",
        ),
    ),
}


def judge_check(
    name: str, judge: Judge | None, options: Mapping[str, Json] | None = None, **check: Json
) -> Metric:
    """Build a judge check with the options of its example and those given."""
    merged = {**JUDGED[name].options, **(options or {})}
    spec = CheckSpec(type=name, options=merged, **check)
    (metric,) = build_metrics([spec], MetricContext(judge=judge))
    return metric
