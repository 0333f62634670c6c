"""What the checks of tool calls share: the calls of an answer, and those that a case expects."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Literal, NamedTuple, TypeAlias

from promptyard.metrics.check import Check
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import (
    ABSENT,
    InvalidJson,
    PathPart,
    as_array,
    parse_json,
    shorten,
)
from promptyard.records.base import Json, as_object
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

Origin: TypeAlias = Literal["auto", "calls", "text"]
ORIGINS: tuple[Origin, ...] = ("auto", "calls", "text")

MAX_CALLS = 1000
"""Calls beyond these are not looked at; they count as calls of no tool."""

MAX_FINDINGS = 50

MISSING, WRONG, INVALID = "missing_tool_call", "wrong_tool", "invalid_tool_args"

_CALLS = "tool_calls"
_ARGUMENT_KEYS = ("arguments", "parameters", "args", "input")
_JSON_STARTS = ("{", "[", "```")


class Call(NamedTuple):
    """One call as an answer makes it.

    `arguments` is an object, or `ABSENT` where `problem` says why it cannot be read. `parts` is
    the path of the arguments, in the completion or in the JSON text.
    """

    name: str
    arguments: Json
    problem: str
    parts: tuple[PathPart, ...]


class ToolCheck(Check):
    """A check of the tool calls of an answer."""

    common_options: tuple[str, ...] = ("from", "allow_fence")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.origin: Origin = self.options.choice("from", ORIGINS, "auto")
        self.allow_fence = self.options.flag("allow_fence")

    def prepare(self, case: Case) -> None:
        """Raise MetricError where the case cannot be graded whatever the answer."""
        del case

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Read the calls and grade them."""
        self.prepare(case)
        try:
            calls = answered_calls(completion, self.origin, allow_fence=self.allow_fence)
        except InvalidJson as error:
            reason = f"the output is not JSON: {error}; got {shorten(completion.text)}"
            return (self.failed(completion, reason, tags=("invalid_json",)),)
        return self.grade(case, completion, calls)

    @abstractmethod
    def grade(self, case: Case, completion: Completion, calls: Sequence[Call]) -> Sequence[Score]:
        """Grade the calls, which may be none."""


def answered_calls(completion: Completion, origin: Origin, *, allow_fence: bool) -> list[Call]:
    """Return the calls of an answer, at most `MAX_CALLS` and one that stands for the rest.

    Raises InvalidJson where the calls should stand in the text and it is not JSON.
    """
    text = completion.text
    if completion.tool_calls and origin != "text":
        made = islice(completion.tool_calls, MAX_CALLS)
        return _capped(
            [
                _call(part.name, part.arguments, (_CALLS, index, "arguments"))
                for index, part in enumerate(made)
            ],
            len(completion.tool_calls),
        )
    looks_like_json = text.lstrip()[:3].startswith(_JSON_STARTS)
    if origin == "calls" or (origin == "auto" and not looks_like_json):
        return []
    items = call_items(parse_json(text, allow_fence=allow_fence))
    return _capped([_read_call(item, parts) for parts, item in items[:MAX_CALLS]], len(items))


def call_items(value: Json) -> list[tuple[tuple[PathPart, ...], Json]]:
    """Return the calls that a JSON value holds, unread, each with its path.

    A list; an object with the list under `tool_calls`; or one call.
    """
    items, base = as_array(value), ()
    entry = as_object(value)
    if items is None and entry is not None:
        items, base = as_array(entry.get(_CALLS)), (_CALLS,)
        if items is None:
            return [((), value)] if named_arguments(entry) is not None else []
    return [((*base, index), item) for index, item in enumerate(items or ())]


def named_arguments(
    entry: Mapping[str, Json],
) -> tuple[str, Json, tuple[PathPart, ...]] | None:
    """Return name, arguments and their path of one call as JSON; None for what is no call.

    `{"name", "arguments"}` (or `parameters`, `args`, `input`; none means no arguments), the
    wrapper `{"type": "function", "function": {...}}`, or `{name: {argument: value}}`.
    """
    inner = as_object(entry.get("function"))
    if inner is not None:
        found = named_arguments(inner)
        return None if found is None else (found[0], found[1], ("function", *found[2]))
    name = entry.get("name")
    if isinstance(name, str):
        key = next((key for key in _ARGUMENT_KEYS if key in entry), None)
        return (name, {}, ()) if key is None else (name, entry[key], (key,))
    if len(entry) == 1:
        ((only, arguments),) = entry.items()
        if as_object(arguments) is not None:
            return only, arguments, (only,)
    return None


def read_arguments(arguments: Json) -> Json:
    """Parse arguments that are a text, the empty one as no arguments. Raises InvalidJson."""
    if not isinstance(arguments, str):
        return arguments
    return parse_json(arguments) if arguments.strip() else dict[str, Json]()


def _read_call(item: Json, parts: tuple[PathPart, ...]) -> Call:
    entry = as_object(item)
    found = None if entry is None else named_arguments(entry)
    if found is None:
        return Call("", ABSENT, f"{shorten(item)} is no call of a tool", parts)
    name, arguments, inner = found
    return _call(name, arguments, (*parts, *inner))


def _call(name: str, arguments: Json, parts: tuple[PathPart, ...]) -> Call:
    try:
        arguments = read_arguments(arguments)
    except InvalidJson as error:
        return Call(name, ABSENT, f"the arguments are not JSON: {error}", parts)
    if as_object(arguments) is None:
        problem = f"the arguments must be an object; got {shorten(arguments)}"
        return Call(name, ABSENT, problem, parts)
    return Call(name, arguments, "", parts)


def _capped(calls: list[Call], n_calls: int) -> list[Call]:
    if n_calls > MAX_CALLS:
        problem = f"more than {MAX_CALLS:,} calls; the rest are not looked at"
        calls.append(Call("", ABSENT, problem, (_CALLS, MAX_CALLS)))
    return calls
