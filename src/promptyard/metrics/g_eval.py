"""The check `g_eval`: a judge follows steps and grades an answer on an anchored scale."""

from __future__ import annotations

from typing import ClassVar, Final

from promptyard.metrics.context import MetricContext
from promptyard.metrics.judge_data import shown_answer, shown_input, with_quote
from promptyard.metrics.judge_request import UNSURE, instructions, reply_keys, reply_schema
from promptyard.metrics.judging import JUDGE_OPTIONS, JudgeCheck, Judgement
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion

LEVELS: Final = {
    0: "nothing of what is asked for",
    1: "hardly anything of it",
    2: "less than half of it",
    3: "more than half of it, with clear flaws",
    4: "all but a minor flaw",
    5: "all of it, without a flaw",
}
TOP = max(LEVELS)


class GEval(JudgeCheck):
    """Ask the judge to grade the answer from 0 to 5 by criteria, step by step.

    The score is the level / 5. The level is an integer in its own field of the reply; no
    probabilities of tokens are used, so any model can judge. A graded judge is harder to
    calibrate than a binary one: prefer `llm_rubric` where a criterion can be answered by yes or no.

    Options:
        criteria: what a good answer is.
        steps: a list of texts, the steps to go through; either of the two is needed.
        levels: what levels mean, as a mapping of 0 to 5 to texts; those that are left out keep the
            default (0 nothing of what is asked for ... 3 more than half of it, with clear flaws
            ... 5 all of it, without a flaw).
        temperature, `repeat_share`, `max_chars`: as in `llm_rubric`.

    Fails with `low_grade` below 5, or `rubric:<id>` where the check has an id. Soft, judge.
    Source: Liu et al. 2023 for the steps; arXiv 2601.03444 for the scale of 0 to 5.
    """

    name = "g_eval"
    tag = "low_grade"
    option_names = ("criteria", "steps", "levels", *JUDGE_OPTIONS)
    schema: ClassVar = reply_schema(*LEVELS, UNSURE)

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        if spec.tag is None and spec.id is not None:
            self.tag = f"rubric:{spec.id}"
        if not self.options.has("steps") and not self.options.has("criteria"):
            raise self.options.wrong("criteria", "is missing; add it, or `steps`")
        self.criteria = self.options.text("criteria") if self.options.has("criteria") else ""
        self.steps = self.options.texts("steps") if self.options.has("steps") else ()
        self.levels = self._levels()

    def write_instructions(self) -> str:
        """Say what is graded, in which steps, and what each level means."""
        parts = ["Grade the answer on a scale of whole numbers from 0 to 5."]
        if self.criteria:
            parts.append(f"A good answer:\n\n{self.criteria}")
        if self.steps:
            listed = "\n".join(f"{number}. {step}" for number, step in enumerate(self.steps, 1))
            parts.append(f"Go through these steps in your reasons, in order:\n\n{listed}")
        anchors = "\n".join(f"- {level}: {text}" for level, text in self.levels.items())
        parts.append(f"The levels:\n{anchors}\nChoose the highest level that fully applies.")
        reply = reply_keys("a whole number from 0 to 5")
        return instructions("\n\n".join(parts), ("input", "answer"), reply)

    async def judgement(self, case: Case, completion: Completion, replicate: int) -> Judgement:
        """Ask for the level."""
        answer = shown_answer(completion)
        reply = await self.ask(case, {"input": shown_input(case), "answer": answer}, replicate)
        if reply.values["verdict"] == UNSURE:
            raise self.unsure(reply)
        level = int(reply.values["verdict"])
        reason = f"{level} of {TOP}: {with_quote(reply.values, (answer,))}"
        scores = self.graded(completion, level / TOP, reason)
        return Judgement(str(level), reply.model, scores)

    def _levels(self) -> dict[int, str]:
        if not self.options.has("levels"):
            return dict(LEVELS)
        given = self.options.mapping("levels")
        named: dict[int, Json] = {}
        for key, text in given.items():
            level = next((level for level in LEVELS if str(level) == str(key)), None)
            if level is None or not isinstance(text, str) or not text.strip():
                raise self.options.wrong("levels", "must map whole numbers 0 to 5 to texts", given)
            named[level] = text
        return {**LEVELS, **named}
