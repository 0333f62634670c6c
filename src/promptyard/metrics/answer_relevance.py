"""The check `answer_relevance`: a judge says whether the answer addresses the question."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.metrics.context import MetricContext
from promptyard.metrics.judge_data import is_empty, question_of, shown_answer
from promptyard.metrics.judge_request import instructions, reply_keys
from promptyard.metrics.judging import JUDGE_OPTIONS, CriterionCheck
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score


class AnswerRelevance(CriterionCheck):
    """Ask the judge whether the answer addresses what was asked: all of it, and little else.

    Whether the answer is right is no part of it. An answer that says that it cannot be answered,
    and why, addresses the question; an empty one fails without a call.

    Options:
        question: the input variable that holds the question; default: the whole input.
        temperature, `repeat_share`, `max_chars`: as in `llm_rubric`.

    Fails with `off_topic`. Soft, judge.
    """

    name = "answer_relevance"
    tag = "off_topic"
    option_names = ("question", *JUDGE_OPTIONS)

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.question = self.options.text("question") if self.options.has("question") else None

    def settled(self, case: Case, completion: Completion) -> Sequence[Score] | None:
        """Fail an empty answer."""
        del case
        if is_empty(completion):
            return (self.failed(completion, "the output is empty, so it addresses nothing"),)
        return None

    def write_instructions(self) -> str:
        """Say what addressing a question is."""
        task = (
            "The data hold a question, or a request, and the answer that was given to it. The "
            "answer passes if it addresses what was asked: every part of the question, directly, "
            "without straying to other matters. It fails if it leaves a part of the question "
            "unanswered without saying why, answers another question, or is mostly about something "
            "else. Do not judge whether what it says is true."
        )
        return instructions(task, ("question", "answer"), reply_keys('"pass" or "fail"'))

    def data(self, case: Case, completion: Completion) -> dict[str, Json]:
        """Return question and answer."""
        question = question_of(case, self.question)
        if question is None:
            raise self.ungradable(case, f"its input has no '{self.question}'")
        return {"question": question, "answer": shown_answer(completion)}
