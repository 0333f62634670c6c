"""The check `tool_args_match`: the tool calls of an answer have the expected arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Literal, TypeAlias

from promptyard.metrics.check import shared_weight
from promptyard.metrics.comparison import Normalization, same_json
from promptyard.metrics.context import MetricContext
from promptyard.metrics.expected_calls import (
    Accepted,
    ArgumentProblem,
    ExpectedCall,
    argument_problems,
    best_matching,
)
from promptyard.metrics.json_text import field_name, pointer, shorten
from promptyard.metrics.tool_call_f1 import ExpectedCallsCheck
from promptyard.metrics.tool_calls import INVALID, MAX_FINDINGS, MISSING, WRONG, Call, ToolCheck
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

Mode: TypeAlias = Literal["exact", "partial"]
MODES: tuple[Mode, ...] = ("exact", "partial")


class ToolArgsMatch(ExpectedCallsCheck):
    """Compare the tool calls of an answer, arguments included, with the expected ones.

    Arguments are compared as in `equals`: types count, 1 equals 1.0, arrays keep their order.
    Calls are paired by tool, so that as many as can match do; order does not count. An argument
    may be `{"any_of": [...]}`, each of which is accepted. As in BFCL, a case may give lists of
    accepted values: `{"name", "accepted_arguments": {argument: [value, ...]}}` or
    `{name: {argument: [value, ...]}}`. There "" in a list lets the argument be left out, and each
    field of an object among the values is again a list of accepted values.

    Options:
        value: the expected calls, when they are the same for all cases; default: what the case
            expects: `{"tool_calls": [{"name", "arguments"}]}`, that list, or one call.
        mode: `exact` (default: no argument beyond the expected ones) or `partial`.
        defaults: arguments and the values that they have when they are left out.
        ignore: a list of arguments that are not compared.
        extra_calls: true allows calls beyond the expected ones; default false.
        normalize: `none`, `strip` (default), `casefold` or `squad`, for texts in arguments.
        from: as in `tool_call_valid`.
        allow_fence: as in `is_json`, for calls in the text.

    One finding for each wrong place, at most 50, with its path: `missing_tool_call`, `wrong_tool`
    (a call that is not expected) and `invalid_tool_args` (not to be read, or an argument that is
    missing, wrong or too many: `field` names it). Text that should be JSON and is not:
    `invalid_json`. A case that expects no calls is unscored. Soft, accuracy.
    """

    name = "tool_args_match"
    tag = INVALID
    option_names = (
        *("value", "mode", "defaults", "ignore", "extra_calls", "normalize"),
        *ToolCheck.common_options,
    )

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.mode: Mode = self.options.choice("mode", MODES, "exact")
        self.defaults: Mapping[str, Json] = (
            self.options.mapping("defaults") if self.options.has("defaults") else {}
        )
        self.ignore = frozenset(self.options.texts("ignore") if self.options.has("ignore") else ())
        self.extra_calls = self.options.flag("extra_calls")
        self.normalize: Normalization = self.normalize_option()

    def grade(self, case: Case, completion: Completion, calls: Sequence[Call]) -> Sequence[Score]:
        """Pair the calls, then say what is wrong with each pair and who has no partner."""
        expected = self.expected(case)
        findings = list(islice(self._findings(completion, expected, calls), MAX_FINDINGS))
        return shared_weight(findings) if findings else self.passed()

    def _findings(
        self, completion: Completion, expected: Sequence[ExpectedCall], calls: Sequence[Call]
    ) -> Iterator[Score]:
        matched = best_matching(
            len(expected), len(calls), lambda e, g: not self._problems(expected[e], calls[g])
        )
        taken = set(matched.values())
        left = [index for index in range(len(calls)) if index not in taken]
        for index, wanted in enumerate(expected):
            if index in matched:
                continue
            partner = next((i for i in left if calls[i].name == wanted.name), None)
            if partner is None:
                reason = f"the tool '{wanted.name}' is not called"
                yield self._finding(completion, reason, MISSING, None)
                continue
            left.remove(partner)
            call = calls[partner]
            for problem in self._problems(wanted, call) or ():
                reason = f"the call of '{call.name}': {problem.message}"
                parts = (*call.parts, *problem.parts)
                field = field_name(problem.parts)
                yield self._finding(completion, reason, INVALID, parts, field)
        for index in left if not self.extra_calls else ():
            call = calls[index]
            reason = call.problem if not call.name else f"a call of '{call.name}' is not expected"
            yield self._finding(completion, reason, WRONG, call.parts)

    def _problems(self, wanted: ExpectedCall, call: Call) -> list[ArgumentProblem] | None:
        """Return what is wrong with a call; None where nothing is."""
        if wanted.name != call.name:
            return [ArgumentProblem((), f"expected a call of '{wanted.name}'")]
        if wanted.arguments is None:
            return None
        if call.problem:
            return [ArgumentProblem((), call.problem)]
        expected = {key: item for key, item in wanted.arguments.items() if key not in self.ignore}
        given = self._filled(expected, call.arguments)
        partial = self.mode == "partial"
        return argument_problems(expected, given, self.normalize, partial=partial) or None

    def _filled(
        self, expected: Mapping[str, Accepted], arguments: Mapping[str, Json]
    ) -> dict[str, Json]:
        """Leave out what is ignored, and write and leave out defaults as the expectation does."""
        given = {key: value for key, value in arguments.items() if key not in self.ignore}
        for key, value in self.defaults.items():
            if key in expected:
                given.setdefault(key, value)
            elif key in given and same_json(value, given[key], self.normalize):
                del given[key]
        return given

    def _finding(
        self,
        completion: Completion,
        reason: str,
        tag: str,
        parts: Sequence[str | int] | None,
        field: str | None = None,
    ) -> Score:
        return self.failed(
            completion,
            f"{reason}; got {shorten(completion.text)}" if parts is None else reason,
            tags=(self.tag_override or tag,),
            field=field,
            path=None if parts is None else pointer(parts),
        )
