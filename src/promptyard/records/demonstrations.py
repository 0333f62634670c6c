"""How cases and what programs did on them become demonstrations, step by step."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence

from promptyard.records import prompt_text
from promptyard.records.base import Json, as_list, as_object
from promptyard.records.cases import Case
from promptyard.records.images import has_image_bytes
from promptyard.records.messages import OutputContract
from promptyard.records.prompts import Demo, Program, Prompt
from promptyard.records.scores import StepVisit, Trial


def can_show(prompt: Prompt) -> bool:
    """Say whether demonstrations may stand in a prompt.

    They repeat the last user message with a variable. Where spans are marked, nothing but them may
    change: then only a prompt that has a `demos:` line can show any.
    """
    if prompt_text.demo_block(prompt.text) is None:
        return False
    has_block = any(block.role == "demos" for block in prompt.layout.blocks)
    return has_block or not prompt.spans


def gold_demo(case: Case, prompt: Prompt) -> Demo | None:
    """Return a case with its expected answer for the prompt that gives the last answer.

    None where the expectation is no whole answer: an expected text is one, an expected object its
    JSON text, unless the contract asks for a label or for fields that the object does not have.
    None too where the case lacks an input that the prompt shows, or has the bytes of an image: a
    prompt is a text that people read.
    """
    output = _answer_text(case.expected, prompt.output)
    if output is None or not output.strip() or _has_image_bytes(case):
        return None
    if not set(_shown_variables(prompt)) <= case.input.keys():
        return None
    return Demo(input=dict(case.input), output=output, source="label", case_id=case.id)


def step_demos(
    program: Program, case: Case, trial: Trial, rng: random.Random
) -> Mapping[str, Demo]:
    """Return what a trial did at each step of a program as demonstrations, by step name.

    A step's inputs are those of the case and the answers of the steps before it. Where a step was
    visited several times, the last visit or a random earlier one is taken, each half of the time.
    Steps that lack an input or answered nothing have none.
    """
    visits = trial.visits
    found: dict[str, Demo] = {}
    if _has_image_bytes(case):
        return found
    for step in program.steps:
        own = [index for index, visit in enumerate(visits) if visit.step == step.name]
        if not visits and step is program.steps[-1]:
            text, before = trial.output, visits
        elif own:
            at = own[-1] if len(own) == 1 or rng.random() < 0.5 else rng.choice(own[:-1])
            text, before = visits[at].completion.text, visits[:at]
        else:
            continue
        values = {**case.input, **_answers(before)}
        if not text.strip() or not set(_shown_variables(step.prompt)) <= values.keys():
            continue
        found[step.name] = Demo(
            input=values,
            output=text.strip(),
            source="bootstrap",
            case_id=case.id,
            trace=tuple(visit.completion.text for visit in before),
        )
    return found


def same_answer(one: str, other: str) -> bool:
    """Say whether two answers are the same text, or the same JSON value."""
    if one.strip() == other.strip():
        return True
    try:
        left, right = json.loads(one), json.loads(other)
    except (ValueError, RecursionError):
        return False
    return isinstance(left, dict | list) and left == right


def _answer_text(expected: Json, contract: OutputContract) -> str | None:
    if isinstance(expected, str):
        return expected
    values = as_object(expected)
    if values is None or contract.format == "label":
        return None
    required = as_list((contract.schema_ or {}).get("required")) or []
    if any(name not in values for name in required):
        return None
    return json.dumps(values, ensure_ascii=False)


def _shown_variables(prompt: Prompt) -> tuple[str, ...]:
    block = prompt_text.demo_block(prompt.text)
    return prompt_text.block_variables(prompt.text, block) if block else ()


def _answers(visits: Sequence[StepVisit]) -> dict[str, Json]:
    return {visit.step: visit.completion.text for visit in visits}


def _has_image_bytes(case: Case) -> bool:
    return any(map(has_image_bytes, case.input.values()))
