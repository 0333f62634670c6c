"""The check `tool_sequence`: an answer calls the expected tools in the expected order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, TypeAlias

from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import pointer, shorten
from promptyard.metrics.tool_call_f1 import ExpectedCallsCheck
from promptyard.metrics.tool_calls import MISSING, WRONG, Call, ToolCheck
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

Order: TypeAlias = Literal["exact", "subsequence", "any"]
ORDERS: tuple[Order, ...] = ("exact", "subsequence", "any")

SHOWN = 20


class ToolSequence(ExpectedCallsCheck):
    """Compare the names of the tools that an answer calls, in their order, with the expected ones.

    Only names are compared; the calls are those of the graded answer, not of earlier turns.

    Options:
        value: the expected calls, when they are the same for all cases; default: what the case
            expects, as in `tool_call_f1`. Names alone will do: `[search, book]`.
        order: `exact` (default: these calls, in this order, and no others), `subsequence` (in
            this order, others may stand between them) or `any` (each as often as expected, in any
            order, others too).
        from: as in `tool_call_valid`.
        allow_fence: as in `is_json`, for calls in the text.

    Fails with `missing_tool_call` where an expected call is not made, else with `wrong_tool`: not
    expected, or in the wrong order. Text that should be JSON and is not: `invalid_json`. A case
    that expects no calls is unscored. Soft, accuracy.
    """

    name = "tool_sequence"
    tag = WRONG
    option_names = (*("value", "order"), *ToolCheck.common_options)

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.order: Order = self.options.choice("order", ORDERS, "exact")

    def grade(self, case: Case, completion: Completion, calls: Sequence[Call]) -> Sequence[Score]:
        """Compare the two lists of names."""
        wanted = [call.name for call in self.expected(case)]
        made = [call.name for call in calls]
        missing = Counter(wanted) - Counter(made)
        if not missing and self._in_order(wanted, made):
            return self.passed()
        at = next((i for i, call in enumerate(calls) if wanted[i : i + 1] != [call.name]), None)
        reason = f"expected the calls {shorten(wanted[:SHOWN])}, got {shorten(made[:SHOWN])}"
        return (
            self.failed(
                completion,
                reason,
                tags=(self.tag_override or (MISSING if missing else WRONG),),
                path=None if at is None or missing else pointer(calls[at].parts),
            ),
        )

    def _in_order(self, wanted: Sequence[str], made: Sequence[str]) -> bool:
        if self.order == "exact":
            return list(wanted) == list(made)
        remaining = iter(made)
        return self.order == "any" or all(name in remaining for name in wanted)
