"""What both runners of DSPy share: models, program, examples, and its prompts as messages."""

from __future__ import annotations

import logging
import re
from importlib import import_module
from typing import Any

from frame import Frame, Prompting

from search_worlds.cases import WorldCase

dspy: Any = import_module("dspy")  # is in the peers' environment only
N_THREADS = 8


class DspyFrame(Frame):
    """A frame with a one-step DSPy program over it."""

    def __init__(self, method: str) -> None:
        super().__init__(method)
        logging.disable(logging.WARNING)
        dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=True)
        where = {"api_base": self.base_url, "api_key": "none"}
        self.task_lm = dspy.LM("openai/task", temperature=0.0, max_tokens=4000, **where)
        self.optimizer_lm = dspy.LM("openai/optimizer", temperature=1.0, max_tokens=32000, **where)
        self.adapter = dspy.ChatAdapter()
        dspy.configure(lm=self.task_lm, adapter=self.adapter)
        self.program = dspy.Predict(dspy.Signature("input -> output", self.world.seed_prompt))
        self.train, self.val = self.examples(self.world.train), self.examples(self.world.val)
        self._by_ref = {case.ref: case for case in (*self.world.train, *self.world.val)}

    def examples(self, cases: tuple[WorldCase, ...]) -> list[Any]:
        """The cases as DSPy's examples."""
        return [
            dspy.Example(input=case.input, output=case.gold_text, ref=case.ref).with_inputs("input")
            for case in cases
        ]

    def graded(self, example: Any, prediction: Any) -> tuple[float, str]:
        """Score and feedback of a prediction."""
        graded = self.world.score(self._by_ref[example.ref], str(prediction.output))
        return graded.score, graded.feedback

    def prompting(self, program: Any) -> Prompting:
        """The messages that a program sends for a case."""
        predictor = program.predictors()[0]
        demos = [dict(demo) for demo in predictor.demos]
        return lambda case: self.adapter.format(predictor.signature, demos, {"input": case.input})


def read_output(text: str) -> str:
    """The field `output` of an answer in DSPy's chat form."""
    behind = text.rsplit("[[ ## output ## ]]", maxsplit=1)[-1]
    return re.split(r"\[\[ ## completed ## \]\]", behind)[0].strip()
