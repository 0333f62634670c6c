"""What a million checks cost through the harness, against the same ones called, and by hand.

    .venv/bin/python benchmarks/check_cost.py [checks]

Each answer is a JSON object that is checked three times: against a schema, for one field, and for
quotes in a source. Two sizes: a note of 0.4 kB with 2 quotes out of 2 kB, and a report of 1.4 kB
with 6 quotes out of 6 kB. One answer in ten is wrong, half of them in the status and half in a
quote that is not there. The harness is what an eval runs: `grade` with metrics built from check
specs, Scores made. Called means: the same check objects, each asked for its score, without the
harness. By hand means: json.loads once, the compiled validator, a comparison, a substring search,
all in one function, without strictness, normalisation, tags or reasons. All take turns on the same
answers; CPU of the process.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from jsonschema_rs import Draft202012Validator

from promptyard.metrics.build import build_metrics
from promptyard.metrics.context import MetricContext
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.runner.grading import CircuitBreaker, grade

N_ANSWERS = 2000
N_ROUNDS = 9
SIZES = {"notes": (24, 2, 20), "reports": (72, 6, 60)}
"""Sentences of the source, quotes, words of the summary."""

STATUSES = ["open", "waiting", "closed"]
SCHEMA = {
    "type": "object",
    "properties": {
        "status": {"enum": STATUSES},
        "priority": {"type": "integer", "minimum": 1, "maximum": 5},
        "summary": {"type": "string", "minLength": 10, "maxLength": 1000},
        "citations": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"quote": {"type": "string"}},
                "required": ["quote"],
            },
        },
    },
    "required": ["status", "priority", "summary", "citations"],
    "additionalProperties": False,
}
CHECKS = (
    CheckSpec(type="json_schema", options={"schema": SCHEMA}),
    CheckSpec(type="field_equals", options={"field": "status"}),
    CheckSpec(type="citation_span", options={"source": "ticket", "field": "citations"}),
)


def answers(n_sentences: int, n_quotes: int, n_words: int) -> list[tuple[Case, Completion]]:
    """Make tickets and answers, the same at each call."""
    rng = random.Random(7)
    words = [f"word{number}" for number in range(500)]
    made: list[tuple[Case, Completion]] = []
    for number in range(N_ANSWERS):
        sentences = [" ".join(rng.choices(words, k=12)) + "." for _ in range(n_sentences)]
        quotes = rng.sample(sentences, n_quotes)
        status = STATUSES[number % 3]
        value: dict[str, Any] = {
            "status": STATUSES[(number + 1) % 3] if number % 20 == 0 else status,
            "priority": 1 + number % 5,
            "summary": " ".join(rng.choices(words, k=n_words)),
            "citations": [{"quote": quote} for quote in quotes],
        }
        if number % 20 == 10:
            value["citations"][-1]["quote"] = "nobody ever wrote this"
        case = Case(
            id=f"c{number}", input={"ticket": " ".join(sentences)}, expected={"status": status}
        )
        made.append((case, Completion(text=json.dumps(value))))
    return made


async def through_harness(cases: Sequence[tuple[Case, Completion]]) -> int:
    """Grade every answer; returns how many have no failed check."""
    metrics = build_metrics(CHECKS, MetricContext())
    breaker = CircuitBreaker()
    n_passed = 0
    for case, completion in cases:
        grading = await grade(metrics, case, completion, breaker)
        first, second, third = grading.scores
        n_passed += first.value == second.value == third.value == 1.0
    return n_passed


async def called(cases: Sequence[tuple[Case, Completion]]) -> int:
    """Ask each check object for its score; returns how many answers pass all three."""
    metrics = build_metrics(CHECKS, MetricContext())
    n_passed = 0
    for case, completion in cases:
        found = [(await metric.score(case, completion))[0].value for metric in metrics]
        n_passed += found == [1.0, 1.0, 1.0]
    return n_passed


def by_hand(cases: Sequence[tuple[Case, Completion]]) -> int:
    """Do the same by hand; returns how many pass all three."""
    validator = Draft202012Validator(SCHEMA, validate_formats=True)
    n_passed = 0
    for case, completion in cases:
        value = json.loads(completion.text)
        source = case.input["ticket"]
        fits = validator.is_valid(value)
        equal = value["status"] == case.expected["status"]
        cited = all(item["quote"] in source for item in value["citations"])
        n_passed += fits and equal and cited
    return n_passed


def measured(made: Sequence[tuple[Case, Completion]], n_checks: int) -> list[float]:
    """CPU microseconds a check: harness, called, by hand; and the median ratios to the last two."""
    n_turns = max(1, round(n_checks / len(CHECKS) / len(made) / N_ROUNDS))
    ways: list[Callable[[], int]] = [
        lambda: asyncio.run(through_harness(made)),
        lambda: asyncio.run(called(made)),
        lambda: by_hand(made),
    ]
    rounds: list[list[float]] = []
    for _ in range(N_ROUNDS):
        row: list[float] = []
        counts: set[int] = set()
        for way in ways:
            started_s = time.process_time()
            counts.update(way() for _ in range(n_turns))
            row.append(time.process_time() - started_s)
        assert len(counts) == 1, counts
        rounds.append(row)
    n_made = N_ROUNDS * n_turns * len(made) * len(CHECKS)
    costs_us = [1e6 * sum(column) / n_made for column in zip(*rounds, strict=True)]
    return [*costs_us, *(statistics.median(row[0] / row[k] for row in rounds) for k in (1, 2))]


def main(n_checks: int = 1_000_000) -> None:
    gc.set_threshold(1_000_000, 20, 50)  # as the command does
    print(f"{n_checks:,} checks, {len(CHECKS)} an answer, medians of {N_ROUNDS} rounds")
    print(
        "          chars  harness  called  by hand  harness/called  harness/by hand  (us a check)"
    )
    for name, size in SIZES.items():
        made = answers(*size)
        harness_us, called_us, by_hand_us, to_called, to_hand = measured(made, n_checks)
        n_chars = sum(len(completion.text) for _, completion in made) // len(made)
        print(
            f"{name:8} {n_chars:6,} {harness_us:8.2f} {called_us:7.2f} {by_hand_us:8.2f} "
            f"{to_called:15.2f} {to_hand:16.2f}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
