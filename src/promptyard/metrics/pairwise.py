"""The check `pairwise`: a judge compares the answer with another one, in both orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from promptyard.metrics.comparison import accepted_values
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import ABSENT
from promptyard.metrics.judge_data import (
    input_value,
    is_empty,
    shown_answer,
    shown_input,
    with_quote,
)
from promptyard.metrics.judge_request import UNSURE, instructions, reply_keys, reply_schema
from promptyard.metrics.judging import JUDGE_OPTIONS, JudgeCheck, Judgement, Reply
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

EXPECTED = "expected"
VALUES: Final = {"win": 1.0, "tie": 0.5, "inconsistent": 0.5, "loss": 0.0}
TAGS: Final = {"tie": "tie", "inconsistent": "inconsistent_verdict", "loss": "lost_comparison"}

TASK = """Compare two answers to the same input, `first` and `second`. Say which one is better:

{criterion}

Which one comes first is chance and says nothing. Longer is not better. Say "tie" where neither \
is better."""


class Pairwise(JudgeCheck):
    """Ask the judge whether the answer is better than another one, once in either order.

    A verdict counts only where both orders agree: 1 for a win, 0 for a loss; where both say
    `tie`, or the orders contradict each other, 0.5. Two calls a case; answers that are equal tie
    without a call.

    Options:
        against: the other answer: `expected` (default), or `input.<variable>`.
        criterion: what makes an answer the better one; default: that it does better what the
            input asks for.
        temperature, `repeat_share`, `max_chars`: as in `llm_rubric`.

    Fails with `lost_comparison`, `tie` or `inconsistent_verdict`. A case without the other answer
    is unscored. Soft, judge. Source: arXiv 2406.07791 on the bias of position.
    """

    name = "pairwise"
    tag = "lost_comparison"
    option_names = ("against", "criterion", *JUDGE_OPTIONS)
    schema: ClassVar = reply_schema("first", "second", "tie", UNSURE)

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.against = self.options.text("against") if self.options.has("against") else EXPECTED
        if self.against != EXPECTED and not self.against.startswith("input."):
            raise self.options.wrong(
                "against", "must be expected or input.<variable>", self.against
            )
        self.criterion = (
            self.options.text("criterion")
            if self.options.has("criterion")
            else "The better answer does better what the input asks for."
        )

    def settled(self, case: Case, completion: Completion) -> Sequence[Score] | None:
        """Fail an empty answer, and tie two equal ones."""
        other = self._other(case)
        if is_empty(completion):
            return (self.failed(completion, "the output is empty; any other answer is better"),)
        if other == shown_answer(completion):
            return self._scores(completion, "tie", "both answers are the same")
        return None

    def write_instructions(self) -> str:
        """Say what is compared, and by what."""
        reply = reply_keys('"first", "second" or "tie"', quote_of="the better answer")
        task = TASK.format(criterion=self.criterion)
        return instructions(task, ("input", "first", "second"), reply)

    async def judgement(self, case: Case, completion: Completion, replicate: int) -> Judgement:
        """Ask in both orders, side by side, and reconcile the verdicts."""
        import asyncio

        answer, other = shown_answer(completion), self._other(case)
        replies = await asyncio.gather(
            self._ask(case, answer, other, replicate),
            self._ask(case, other, answer, replicate),
            return_exceptions=True,
        )
        forward, backward = (_or_raise(reply) for reply in replies)
        won = forward.values["verdict"], backward.values["verdict"]
        outcome = {("first", "second"): "win", ("second", "first"): "loss", ("tie", "tie"): "tie"}
        verdict = outcome.get(won, "inconsistent")
        reason = with_quote(forward.values, (answer, other), where="either answer")
        if verdict == "inconsistent":
            reason = f"one order says '{won[0]}', the other one '{won[1]}'; {reason}"
        return Judgement(verdict, forward.model, self._scores(completion, verdict, reason))

    async def _ask(self, case: Case, first: Json, second: Json, replicate: int) -> Reply:
        data = {"input": shown_input(case), "first": first, "second": second}
        reply = await self.ask(case, data, replicate)
        if reply.values["verdict"] == UNSURE:
            raise self.unsure(reply)
        return reply

    def _scores(self, completion: Completion, verdict: str, reason: str) -> tuple[Score, ...]:
        tag = self.tag_override or TAGS.get(verdict, self.tag)
        return self.graded(completion, VALUES[verdict], reason, tags=(tag,))

    def _other(self, case: Case) -> Json:
        if self.against != EXPECTED:
            found = input_value(case, self.against.removeprefix("input."))
        else:
            found = next(iter(accepted_values(case.expected, any_of=False)), None)
        if found is ABSENT or found is None or found == "":
            raise self.ungradable(case, f"it has no '{self.against}' to be compared with")
        return found


def _or_raise(reply: Reply | BaseException) -> Reply:
    if isinstance(reply, BaseException):
        raise reply
    return reply
