"""The check `closed_qa`: a judge says whether the answer to a question meets a criterion."""

from __future__ import annotations

from promptyard.metrics.context import MetricContext
from promptyard.metrics.judge_data import question_of, shown_answer
from promptyard.metrics.judge_request import instructions, reply_keys
from promptyard.metrics.judging import JUDGE_OPTIONS, CriterionCheck
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion


class ClosedQa(CriterionCheck):
    """Ask the judge whether the answer to the case's question meets one criterion.

    As `llm_rubric`, for answers to questions: the judge sees the question and may use what it
    knows itself where the criterion asks for it (`The answer is correct.`).

    Options:
        criterion (or `value`): what the answer has to meet.
        question: the input variable that holds the question; default: the whole input.
        temperature, `repeat_share`, `max_chars`: as in `llm_rubric`.

    Fails with `criterion_not_met`. Soft, judge.
    """

    name = "closed_qa"
    tag = "criterion_not_met"
    option_names = ("criterion", "value", "question", *JUDGE_OPTIONS)

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.criterion = self.options.text(self.options.either("criterion", "value"))
        self.question = self.options.text("question") if self.options.has("question") else None

    def write_instructions(self) -> str:
        """Say what passes."""
        task = (
            "The data hold a question and the answer that was given to it. The answer passes if, "
            f"as an answer to that question, it meets this criterion:\n\n{self.criterion}\n\nJudge "
            "by this criterion alone. Use what you know yourself only where it asks for it."
        )
        return instructions(task, ("question", "answer"), reply_keys('"pass" or "fail"'))

    def data(self, case: Case, completion: Completion) -> dict[str, Json]:
        """Return question and answer."""
        question = question_of(case, self.question)
        if question is None:
            raise self.ungradable(case, f"its input has no '{self.question}'")
        return {"question": question, "answer": shown_answer(completion)}
