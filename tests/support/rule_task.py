"""A task in which each case needs one sentence of the prompt, with scripted models around it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import promptyard as py
from promptyard.records.cases import Case
from promptyard.testing import ScriptedModel
from promptyard.testing.search_world import RULES

PROMPT = (
    "system:\nAnswer the question.\n\n## Manner {#manner}\nBe kind to the reader.\n\nuser:\n{{x}}\n"
)


def rule_task(
    *,
    sizes: Mapping[str, int] | None = None,
    sentences: Mapping[str, str] | None = None,
    tags: Sequence[str] = tuple(RULES),
    breaks: Mapping[str, str] | None = None,
    **options: Any,
) -> py.Task:
    """Build the task; `sentences` is what the optimizer proposes by tag (default: the cure).

    The task model passes a case when the prompt holds the rule of its tag; `breaks` are sentences
    that make it fail where the input matches a pattern.
    """
    cures = RULES if sentences is None else sentences
    given: dict[str, Any] = {
        "name": "rules",
        "prompt": PROMPT,
        "cases": rule_cases(sizes or {"train": 60, "dev": 40, "holdout": 40}, tags),
        "metrics": [grade],
        "models": py.Models(
            task=ScriptedModel(lambda body: _answer(body, breaks or {}), name="scripted/task"),
            optimizer=ScriptedModel(lambda body: _edit(body, cures), name="scripted/optimizer"),
        ),
        "generators": ("reflect",),
        **options,
    }
    return py.Task(**given)


def rule_cases(sizes: Mapping[str, int], tags: Sequence[str]) -> list[dict[str, Any]]:
    """Make cases that need the rules by turns."""
    return [
        {
            "id": f"{split}{number:03d}",
            "input": {"x": f"{tags[number % len(tags)]} question {number} of {split}"},
            "expected": "yes",
            "split": split,
        }
        for split, n in sizes.items()
        for number in range(n)
    ]


def grade(case: Case, output: str) -> tuple[float, str, list[str]]:
    """Grade an answer; the tag of a failure is the rule that was missing."""
    tag = str(case.input["x"]).split()[0]
    return (1.0, "", []) if output == "yes" else (0.0, f"{tag} is wrong", [tag])


def _answer(body: Mapping[str, Any], breaks: Mapping[str, str]) -> str:
    question = str(body["messages"][-1]["content"])
    prompt = json.dumps(body["messages"][:-1])
    broken = any(text in prompt and re.search(hurt, question) for text, hurt in breaks.items())
    return "yes" if RULES[question.split()[0]] in prompt and not broken else "no"


def _edit(body: Mapping[str, Any], cures: Mapping[str, str]) -> str:
    request = str(body["messages"][-1]["content"])
    edits = [
        {"op": "append", "section": "manner", "old": "", "new": sentence}
        for tag, sentence in cures.items()
        if f"{tag} is wrong" in request
    ]
    return json.dumps({"hypothesis": "The prompt does not say how.", "edits": edits})
