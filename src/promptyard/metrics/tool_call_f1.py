"""The check `tool_call_f1`: how many of the expected tool calls an answer makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from promptyard.metrics.comparison import Normalization
from promptyard.metrics.context import MetricContext
from promptyard.metrics.expected_calls import (
    ExpectedCall,
    argument_problems,
    best_matching,
    expected_calls,
)
from promptyard.metrics.json_text import pointer, shorten
from promptyard.metrics.tool_calls import INVALID, MAX_CALLS, MISSING, WRONG, Call, ToolCheck
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import HitCounts, Score

SHOWN = 20


class ExpectedCallsCheck(ToolCheck):
    """A check that compares the calls of an answer with those that the case expects."""

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.value = expected_calls(self.options.value("value"))
        if self.options.has("value") and self.value is None:
            raise self.options.wrong(
                "value", "must be a list of calls", self.options.value("value")
            )

    def prepare(self, case: Case) -> None:
        """Read the expected calls: a case without them is unscored whatever the answer."""
        self.expected(case)

    def expected(self, case: Case) -> Sequence[ExpectedCall]:
        """Return the expected calls. Raises MetricError where the case has none."""
        calls = expected_calls(case.expected) if self.value is None else self.value
        if calls is None or len(calls) > MAX_CALLS:
            why = '\'expected\' must be tool calls ({"tool_calls": [{"name", "arguments"}]})'
            raise self.ungradable(case, f"{why}, at most {MAX_CALLS:,}; or give option 'value'")
        return calls


class ToolCallF1(ExpectedCallsCheck):
    """Grade the tool calls of an answer by F1 against the expected ones, as multisets.

    A tool that is expected twice must be called twice; order does not count. F1 is twice the
    number of matched calls by the number of given and expected calls together; 1 where none are
    expected and none made.

    Options:
        value: the expected calls, when they are the same for all cases; default: what the case
            expects: `{"tool_calls": [{"name", "arguments"}]}`, that list, one call, names alone,
            or lists of accepted values for each argument, as in `tool_args_match`.
        arguments: true matches a call only where its arguments match, too (as in
            `tool_args_match`, exactly); default false: names alone.
        normalize: `none`, `strip` (default), `casefold` or `squad`, for texts in arguments.
        from: as in `tool_call_valid`.
        allow_fence: as in `is_json`, for calls in the text.

    Fails, or scores in between, with `missing_tool_call` (expected and not made), `wrong_tool`
    (made and not expected) and `invalid_tool_args` (an expected tool with other arguments).
    `Score.counts` holds the numbers. Text that should be JSON and is not: `invalid_json`. A case
    that expects no calls in one of these forms is unscored. Soft, accuracy.
    """

    name = "tool_call_f1"
    tag = WRONG
    option_names = (*("value", "arguments", "normalize"), *ToolCheck.common_options)

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.arguments = self.options.flag("arguments")
        self.normalize: Normalization = self.normalize_option()

    def grade(self, case: Case, completion: Completion, calls: Sequence[Call]) -> Sequence[Score]:
        """Match each expected call with at most one that was made."""
        expected = self.expected(case)
        matched = best_matching(
            len(expected), len(calls), lambda e, g: self._matches(expected[e], calls[g])
        )
        n_hits, n_all = len(matched), len(expected) + len(calls)
        counts = HitCounts(n_hits=n_hits, n_given=len(calls), n_expected=len(expected))
        if 2 * n_hits == n_all:
            return tuple(score.model_copy(update={"counts": counts}) for score in self.passed())
        taken = set(matched.values())
        over = [call for index, call in enumerate(calls) if index not in taken]
        missing = Counter(call.name for i, call in enumerate(expected) if i not in matched)
        superfluous = Counter(call.name for call in over)
        misused = missing & superfluous
        found = [
            (tag, f"; {said} {shorten(sorted(names.elements())[:SHOWN])}")
            for tag, said, names in (
                (MISSING, "missing", missing - misused),
                (self.tag, "not expected", superfluous - misused),
                (INVALID, "with other arguments", misused),
            )
            if names
        ]
        reason = f"{n_hits} of {len(expected)} expected calls among {len(calls)} made"
        score = self.failed(
            completion,
            reason + "".join(said for _, said in found),
            tags=[tag for tag, _ in found],
            path=pointer(over[0].parts) if over else None,
        )
        value = 2 * n_hits / n_all
        return (score.model_copy(update={"value": value, "counts": counts}),)

    def _matches(self, expected: ExpectedCall, call: Call) -> bool:
        if expected.name != call.name:
            return False
        if not self.arguments or expected.arguments is None:
            return True
        return not call.problem and not argument_problems(
            expected.arguments, call.arguments, self.normalize
        )
