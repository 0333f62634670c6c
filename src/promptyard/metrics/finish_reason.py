"""The check `finish_reason`: the model stopped for one of the wanted reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from promptyard.metrics.check import Check
from promptyard.metrics.context import MetricContext
from promptyard.metrics.options import nearest
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import CLEAN_FINISHES, Completion, FinishReason
from promptyard.records.scores import Score

REASONS: tuple[str, ...] = get_args(FinishReason)

TAGS = {"length": "truncated_output", "content_filter": "refusal"}
"""Tags of the reasons that have one of their own."""


class FinishReasonIs(Check):
    """Check why the model stopped: `stop`, `length`, `tool_calls`, `content_filter` or `other`.

    Without this check an answer that was cut (`length`) or filtered is an error of the trial, in
    no mean, since no wording is at fault. With it such a case is scored, as failed, and no other
    check looks at the unfinished answer.

    Options:
        value: one reason or a list of them; default: `[stop, tool_calls]`, the clean ones.

    Fails with `truncated_output` (`length`), `refusal` (`content_filter`), else `wrong_finish`.
    Hard, validity: an answer that is not whole is of no use, and one that is whole earns nothing.
    """

    name = "finish_reason"
    tag = "wrong_finish"
    severity = "hard"
    dimension = "validity"
    option_names = ("value",)
    grades_finishes = frozenset({"length", "content_filter"})

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        given = self.options.has("value")
        wanted = self.options.text_or_texts("value") if given else tuple(sorted(CLEAN_FINISHES))
        for reason in wanted:
            if reason not in REASONS:
                raise self.options.wrong(
                    "value", f"has no reason '{reason}'" + nearest(reason, REASONS, REASONS)
                )
        self.wanted = wanted

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Compare the reason."""
        del case
        got = completion.finish_reason
        if got in self.wanted:
            return self.passed()
        reason = f"the model stopped with '{got}', expected {' or '.join(self.wanted)}"
        tag = self.tag_override or TAGS.get(got, self.tag)
        return (self.failed(completion, reason, tags=(tag,)),)
