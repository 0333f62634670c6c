"""How many tokens a call of each role takes, estimated from the texts that it will hold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from promptyard.line.task import Task
from promptyard.records.base import Json
from promptyard.records.measurements import Measurement
from promptyard.records.messages import CallRole

CHARS_PER_TOKEN = 4
OPTIMIZER_FRAME_CHARS = 1_600
"""What a request for edits says beside the prompt and the examples: see `prompts meta reflect`."""
OPTIMIZER_EXAMPLES = 2
OPTIMIZER_ANSWER_TOKENS = 120
JUDGE_FRAME_CHARS = 1_600
JUDGE_ANSWER_TOKENS = 120
UNKNOWN_ANSWER_TOKENS = 200
"""An answer where no case says what is expected."""

MAX_SAMPLED = 200


class CallSize(NamedTuple):
    """Tokens of one call."""

    input_tokens: int
    output_tokens: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.input_tokens + self.output_tokens


def call_sizes(task: Task, known: Measurement | None) -> Mapping[CallRole, CallSize]:
    """Estimate a call of each role; of a task call what a measurement of this program says.

    A program of several steps is estimated by the mean of its steps.
    """
    cases = task.eval_set.cases[:MAX_SAMPLED]
    steps = task.program.steps
    case_chars = _mean([_chars(dict(case.input)) for case in cases])
    answer_chars = _mean([_chars(case.expected) for case in cases if case.expected is not None])
    answer = round(answer_chars / CHARS_PER_TOKEN) if answer_chars else UNKNOWN_ANSWER_TOKENS
    prompt_chars = _mean([len(step.prompt.text) for step in steps])
    asked = round((prompt_chars + case_chars) / CHARS_PER_TOKEN)
    measured = known.dimensions.get("tokens") if known is not None else None
    if measured is not None:
        whole = round(measured / len(steps))
        answer = min(answer, whole)
        asked = whole - answer
    examples = OPTIMIZER_EXAMPLES * (case_chars + 2 * answer_chars)
    reflected = sum(len(step.prompt.text) for step in steps) + OPTIMIZER_FRAME_CHARS + examples
    judged = JUDGE_FRAME_CHARS + case_chars + 2 * answer_chars
    return {
        "task": CallSize(asked, max(1, answer)),
        "optimizer": CallSize(round(reflected / CHARS_PER_TOKEN), OPTIMIZER_ANSWER_TOKENS),
        "judge": CallSize(round(judged / CHARS_PER_TOKEN), JUDGE_ANSWER_TOKENS),
    }


def _chars(value: Json) -> int:
    return len(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values) if values else 0.0
