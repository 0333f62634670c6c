"""The check `tool_call_valid`: an answer calls known tools, with fitting arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from promptyard.errors import ConfigError
from promptyard.metrics.check import shared_weight
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_schema import EngineGaveUp, violations_by_path
from promptyard.metrics.json_text import ABSENT, field_name, lookup, path_parts, pointer, shorten
from promptyard.metrics.sources import INPUT, Remembered
from promptyard.metrics.tool_calls import INVALID, MAX_FINDINGS, MISSING, WRONG, Call, ToolCheck
from promptyard.metrics.tool_schemas import ToolShape, prompt_tool_shapes, tool_shapes
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

REMEMBERED_TOOL_LISTS = 256


class ToolCallValid(ToolCheck):
    """Check that every tool call names a tool of the list and meets the schema of its arguments.

    Arguments are parsed strictly, as in `is_json`; an empty text means no arguments. Schemas are
    Draft 2020-12; the type names that BFCL uses (`dict`, `float`, `tuple`, `any` ...) are
    understood. Whether arguments that a schema does not name are allowed, the schema says.

    Options:
        tools: the tools, as a list of `{name, parameters}`, also in OpenAI's wrapper
            `{type: function, function: {...}}`; default: the tools of the prompt.
        tools_from: the input variable of each case that holds its tools, as a list or as JSON.
        from: where the calls stand: `calls` (made by the model's own means), `text` (JSON in the
            answer: one call or a list of `{"name", "arguments"}`, or `{name: {argument: value}}`)
            or `auto` (default: as calls where there are any, else as text that begins like JSON).
        required: whether there must be a call at all; default true.
        strict: true refuses arguments that the schema does not name; default false.
        allow_fence: as in `is_json`, for calls in the text.

    One finding for each wrong place, at most 50, with its path: `missing_tool_call`, `wrong_tool`
    (not in the list), `invalid_tool_args` (no JSON object, or against the schema; `field` is the
    argument). Text that should be JSON and is not: `invalid_json`. Hard, validity.
    """

    name = "tool_call_valid"
    tag = INVALID
    severity = "hard"
    dimension = "validity"
    option_names = (*("tools", "tools_from", "required", "strict"), *ToolCheck.common_options)

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.required = self.options.flag("required", default=True)
        self.strict = self.options.flag("strict")
        self.variable: str | None = None
        self.shapes: Mapping[str, ToolShape] = {}
        self.per_case = Remembered(
            lambda value: tool_shapes(self.name, value), REMEMBERED_TOOL_LISTS, lambda _: 1
        )
        if self.options.has("tools") and self.options.has("tools_from"):
            raise self.options.wrong("tools_from", "and 'tools' exclude each other: give one")
        if self.options.has("tools_from"):
            self.variable = self.options.text("tools_from").removeprefix(INPUT)
        elif self.options.has("tools"):
            self.shapes = tool_shapes(spec.type, self.options.value("tools"))
        elif context.tools:
            self.shapes = prompt_tool_shapes(spec.type, context.tools)
        else:
            raise ConfigError(
                f"check '{spec.type}': no tools; give option 'tools' or 'tools_from', or tools in "
                "the prompt's front matter"
            )

    def prepare(self, case: Case) -> None:
        """Read the tools of the case, if they are its own."""
        self._shapes(case)

    def grade(self, case: Case, completion: Completion, calls: Sequence[Call]) -> Sequence[Score]:
        """Validate each call."""
        if not calls:
            if not self.required:
                return self.passed()
            reason = f"the output calls no tool; got {shorten(completion.text)}"
            return (self.failed(completion, reason, tags=(self.tag_override or MISSING,)),)
        try:
            findings = list(
                islice(self._findings(completion, calls, self._shapes(case)), MAX_FINDINGS)
            )
        except EngineGaveUp as error:
            raise self.ungradable(case, str(error)) from None
        return shared_weight(findings) if findings else self.passed()

    def _shapes(self, case: Case) -> Mapping[str, ToolShape]:
        if self.variable is None:
            return self.shapes
        value = lookup(case.input, path_parts(case.input, self.variable))
        if value is ABSENT:
            raise self.ungradable(
                case, f"its input has no '{self.variable}', which holds the tools"
            )
        try:
            return self.per_case.of(value)
        except ConfigError as error:
            raise self.ungradable(case, str(error)) from None

    def _findings(
        self, completion: Completion, calls: Sequence[Call], shapes: Mapping[str, ToolShape]
    ) -> Iterator[Score]:
        for call in calls:
            shape = shapes.get(call.name)
            if shape is None:
                names = shorten(sorted(shapes), 120)
                reason = f"there is no tool {shorten(call.name)}; the tools are {names}"
                reason = reason if call.name else call.problem
                yield self._finding(completion, reason, call.parts, WRONG)
            elif call.problem:
                reason = f"the call of '{call.name}': {call.problem}"
                yield self._finding(completion, reason, call.parts, INVALID)
            else:
                yield from self._invalid(completion, call, shape)

    def _invalid(self, completion: Completion, call: Call, shape: ToolShape) -> Iterator[Score]:
        told: set[tuple[str | int, ...]] = set()
        for group in violations_by_path(shape.validator, call.arguments):
            parts = group[0].parts
            told.add(parts)
            where = f"the argument '{'.'.join(map(str, parts))}'" if parts else "the arguments"
            what = " and ".join(dict.fromkeys(violation.message for violation in group))
            got = lookup(call.arguments, parts)
            shown = "" if got is ABSENT else f"; got {shorten(got)}"
            yield self._finding(
                completion,
                f"the call of '{call.name}': {where} {what}{shown}",
                (*call.parts, *parts),
                INVALID,
                field_name(parts),
            )
        for name in call.arguments if self.strict else ():
            if name not in shape.names and (name,) not in told:
                reason = f"the call of '{call.name}': the tool has no argument '{name}'"
                yield self._finding(completion, reason, (*call.parts, name), INVALID, name)

    def _finding(
        self,
        completion: Completion,
        reason: str,
        parts: Sequence[str | int],
        tag: str,
        field: str | None = None,
    ) -> Score:
        return self.failed(
            completion,
            reason,
            tags=(self.tag_override or tag,),
            field=field,
            path=pointer(parts),
        )
