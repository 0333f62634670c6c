"""The check `llm_rubric`: a judge says whether an answer meets a rubric."""

from __future__ import annotations

from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import as_array
from promptyard.metrics.judge_data import shown_answer, shown_input
from promptyard.metrics.judge_request import instructions, reply_keys
from promptyard.metrics.judging import JUDGE_OPTIONS, CriterionCheck
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion

SHOWN = ("input", "expected")


class LlmRubric(CriterionCheck):
    """Ask the judge whether the answer meets a rubric. One criterion a check gives the best judge.

    The judge sees the rubric, the case's input and the answer, and replies with reasons, a quote
    and `pass`, `fail` or `unsure`.

    Options:
        rubric (or `value`): the criterion. A case's own `rubric` is asked for besides, or alone
            where the check has none; a case without either is unscored.
        show: what the judge sees beside the answer: a list of `input` (default) and `expected`.
        temperature: of the judge, default 0; null sends none, for models that take none.
        repeat_share: share of the cases that are asked twice, chosen by a hash; default 0.05.
        max_chars: a longer question is skipped as `too_large`; default 200,000 characters.

    Fails with `rubric`, or `rubric:<id>` where the check has an id. Soft, judge.
    """

    name = "llm_rubric"
    tag = "rubric"
    option_names = ("rubric", "value", "show", *JUDGE_OPTIONS)

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        if spec.tag is None and spec.id is not None:
            self.tag = f"rubric:{spec.id}"
        written = self.options.either("rubric", "value")
        self.rubric = self.options.text(written) if self.options.has(written) else ""
        self.shown = self._shown()

    def write_instructions(self) -> str:
        """Say what passes; the case's own rubric comes with its data."""
        which = f"this criterion:\n\n{self.rubric}" if self.rubric else "the criterion of its case."
        task = (
            f"The answer passes if it meets, and fails if it does not meet, {which}\n\nWhere there "
            "is a `criterion` among the data, it states what this case asks for: the answer must "
            "meet it, too. Judge by this alone, and not by what you would have answered."
        )
        reply = reply_keys('"pass" or "fail"')
        return instructions(task, (*self.shown, "criterion", "answer"), reply)

    def data(self, case: Case, completion: Completion) -> dict[str, Json]:
        """Return the parts that are shown, the case's own rubric and the answer."""
        if not self.rubric and not (case.rubric or "").strip():
            raise self.ungradable(case, "it has no rubric; give option 'rubric' or the case one")
        data: dict[str, Json] = {}
        if "input" in self.shown:
            data["input"] = shown_input(case)
        if "expected" in self.shown and case.expected is not None:
            data["expected"] = case.expected
        if (case.rubric or "").strip():
            data["criterion"] = case.rubric
        return data | {"answer": shown_answer(completion)}

    def _shown(self) -> tuple[str, ...]:
        if not self.options.has("show"):
            return ("input",)
        value = self.options.value("show")
        items = as_array(value)
        if items is None or not all(item in SHOWN for item in items):
            raise self.options.wrong("show", f"must be a list of {' and '.join(SHOWN)}", value)
        return tuple(name for name in SHOWN if name in items)
