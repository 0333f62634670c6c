"""Rationalisation: reasoning that leads a failed input to its right answer, found with it at hand.

The optimizer model is told the right answer and writes the worked answer as if it were not. Kept
is what ends in the right answer, reasons before it, and does not speak of having been told. Source:
STaR (arXiv 2203.14465); anchors on algorithms, A10.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from promptyard.candidates.asking import ask_object
from promptyard.candidates.forbidden import forbidden, remains_of_request, unclean
from promptyard.candidates.meta_prompt import MetaPrompts, nonce_for, prompt_block
from promptyard.candidates.similarity import input_text
from promptyard.candidates.trace_rules import TraceSettings, gives, mentions_hint, reasons_first
from promptyard.protocols import Bench
from promptyard.records.base import Json
from promptyard.records.demonstrations import step_demos
from promptyard.records.evidence import TrainTrial
from promptyard.records.messages import Completion
from promptyard.records.prompts import Demo, Program, Step
from promptyard.records.quoting import quoted
from promptyard.records.scores import StepVisit

MAX_INPUT_CHARS = 6000
"""Longer inputs are not rationalised: reasoning from half an input would be no reasoning."""

OUTPUT_SCHEMA = {
    "type": "object",
    "properties": {"output": {"type": "string"}},
    "required": ["output"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Rationaliser:
    """Asks for worked answers of one step. `right` are answers that show their form."""

    step: Step
    right: Sequence[str]
    bench: Bench
    meta_prompts: MetaPrompts
    settings: TraceSettings
    seed: int

    async def run(self, rows: Sequence[TrainTrial]) -> tuple[list[Demo], list[str]]:
        """Return a demonstration a row that could be rationalised, and what was wrong elsewhere.

        Costs one optimizer call a row, two where the reply cannot be read; all at the same time.
        """
        rows = [row for row in rows if can_be_rationalised(self.step, row)]
        replies = await asyncio.gather(
            *(self._ask(row) for row in rows),
            return_exceptions=True,  # replies in flight are paid for: wait for them in any case
        )
        demos: list[Demo] = []
        problems: list[str] = []
        for row, reply in zip(rows, replies, strict=True):
            if isinstance(reply, BaseException):
                raise reply
            output, raw = reply
            problem = problem_of(output, row, self.settings)
            demo = rationalised_demo(self.step, row, output) if problem is None else None
            if demo is not None:
                demos.append(demo)
            else:
                problems.append(f"{problem} | {raw[:400]}")
        return demos, problems

    async def _ask(self, row: TrainTrial) -> tuple[str, str]:
        """Ask for one worked answer; returns it, empty where there is none, and the reply."""
        case: dict[str, Json] = {
            "input": dict(row.case.input),
            "answered": row.trial.output[: self.settings.max_trace_chars],
            "right_answer": row.case.expected,
        }
        forms = [quoted({"right": text}) for text in self.right]
        nonce = nonce_for([self.step.prompt.text, case, *forms], self.seed)
        shown = ""
        if forms:
            lines = "\n".join(forms)
            shown = f"Right answers to other inputs:\n<right-{nonce}>\n{lines}\n</right-{nonce}>"
        values = {
            "nonce": nonce,
            "prompt": prompt_block(self.step.prompt, nonce),
            "case": quoted(case),
            "shown": shown,
        }
        found, raw = await ask_object(
            self.bench,
            self.meta_prompts,
            self.meta_prompts.fill("rationalise", values),
            OUTPUT_SCHEMA,
            "output",
        )
        output = found["output"] if found is not None else ""
        return (output.strip() if isinstance(output, str) else ""), raw


def can_be_rationalised(step: Step, row: TrainTrial) -> bool:
    """Say whether a row has a right answer to lead to, and an input that can be shown whole."""
    if row.case.expected is None or isinstance(row.case.expected, list):
        return False
    if len(input_text(row.case.input)) > MAX_INPUT_CHARS:
        return False
    return rationalised_demo(step, row, "worked answer") is not None


def problem_of(output: str, row: TrainTrial, settings: TraceSettings) -> str | None:
    """Say why a worked answer may not be shown; None where it may."""
    if not output:
        return "no worked answer"
    if len(output) > settings.max_trace_chars:
        return "the worked answer is too long"
    if not gives(output, row.case.expected):
        return "the worked answer does not end in the right answer"
    if mentions_hint(output, input_text(row.case.input)):
        return "the worked answer speaks of the answer that it was given"
    if not reasons_first(output, row.case.expected):
        return "the worked answer does not reason before it answers"
    return forbidden_in(output, row)


def forbidden_in(output: str, row: TrainTrial) -> str | None:
    """Say what of a worked answer no prompt may hold: the optimizer wrote it, so V6, V8 and V9.

    What stands in the case itself may recur.
    """
    known = input_text(row.case.input)
    for check in (remains_of_request, forbidden, unclean):
        if reason := check(output, known):
            return f"the worked answer {reason}"
    return None


def rationalised_demo(step: Step, row: TrainTrial, output: str) -> Demo | None:
    """Show a worked answer to the inputs that the step had when it failed."""
    visits = row.trial.visits[:-1]
    answer = StepVisit(step=step.name, completion=Completion(text=output))
    trial = row.trial.model_copy(update={"output": output, "visits": (*visits, answer)})
    made = step_demos(Program(steps=(step,)), row.case, trial, random.Random(0))
    demo = made.get(step.name)
    return None if demo is None else demo.model_copy(update={"source": "rationalised"})
