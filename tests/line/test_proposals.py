"""What generators propose passes the validators of the line, with the real bench around them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

import promptyard as py
from promptyard.protocols import SearchContext
from promptyard.records.edits import Candidate, SetDemos
from promptyard.testing import ScriptedModel

PROMPT = """system:
Solve the task. Think step by step.

## Rules {#rules}
- Write the number last.
- Keep to the numbers that the task names.
- Always write the number last.

user:
{{text}}
"""


class Asking:
    """A policy that runs the seed on train and keeps what one generator proposes."""

    name = "asking"

    def __init__(self, generator: str) -> None:
        self.generator = generator
        self.candidates: list[Candidate] = []

    async def search(self, context: SearchContext) -> Candidate | None:
        rows = await context.run(context.baseline, context.train, purpose="baseline")
        found = context.evidence(rows, context.baseline)
        self.candidates += await context.propose(self.generator, context.baseline, found)
        return None


def asked(generator: str, monkeypatch: pytest.MonkeyPatch) -> Sequence[Candidate]:
    policy = Asking(generator)
    monkeypatch.setattr("promptyard.line.wiring.POLICIES", {"asking": lambda: policy})

    def answer(body: Mapping[str, Any]) -> str:
        number = int(body["messages"][-1]["content"].split()[1])
        if number % 3 == 0 and "temperature" not in body["params"]:
            return "I guess.\nIt is 1"
        return f"I double {number}.\nIt is {2 * number}"

    def optimize(body: Mapping[str, Any]) -> str:
        request = body["messages"][-1]["content"]
        cases = [line for line in request.splitlines() if '"right_answer"' in line]
        if cases:
            return json.dumps({"output": f"Doubled.\nIt is {json.loads(cases[0])['right_answer']}"})
        return json.dumps({"steps": ["Find the number.", "Double it."], "duplicates": []})

    task = py.Task(
        name="sums",
        prompt=PROMPT,
        cases=[
            {
                "id": f"{split}{k}",
                "input": {"text": f"double {k} now"},
                "expected": str(2 * k),
                "split": split,
            }
            for number, split in enumerate(("train", "dev", "holdout"))
            for k in range(10 + 20 * number, 30 + 20 * number)
        ],
        metrics=[right],
        models=py.Models(
            task=ScriptedModel(answer, name="scripted/task"),
            optimizer=ScriptedModel(optimize, name="scripted/optimizer"),
        ),
        generators=[generator],
        strategy="asking",
    )
    py.optimize(task)
    return policy.candidates


def right(case: py.Case, output: str) -> bool:
    return output.endswith(f" {case.expected}")


def test_demonstrations_are_admitted(monkeypatch: pytest.MonkeyPatch) -> None:
    found = asked("demos", monkeypatch)
    assert len(found) >= 5
    assert all(isinstance(edit, SetDemos) for item in found for edit in item.edits)
    assert all(item.program.prompt.demos for item in found)


def test_traces_are_admitted(monkeypatch: pytest.MonkeyPatch) -> None:
    found = asked("traces", monkeypatch)
    texts = [item.program.prompt.text for item in found]
    assert len(found) == 5
    assert any("Work in this order: (1) Find the number; (2) Double it." in text for text in texts)
    assert any("check it against every constraint" in text for text in texts)
    assert any('"rationalised"' in text for text in texts)


def test_second_wordings_are_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = asked("compress", monkeypatch)
    assert found.program.prompt.text == PROMPT.replace("- Always write the number last.\n", "")
    assert "tokens" in found.hypothesis
