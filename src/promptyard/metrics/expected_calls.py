"""The tool calls that a case expects, in the forms in which data sets write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from promptyard.metrics.comparison import Normalization, same_json
from promptyard.metrics.json_text import InvalidJson, PathPart, as_array, shorten
from promptyard.metrics.tool_calls import call_items, named_arguments, read_arguments
from promptyard.records.base import Json, as_object

ACCEPTED = "accepted_arguments"
LEFT_OUT = ""
"""Among accepted values it says that the argument may be left out."""


class Accepted(NamedTuple):
    """What one argument may be: a list of values, or with `nested` lists inside of them, too."""

    values: Sequence[Json]
    nested: bool
    optional: bool


class ExpectedCall(NamedTuple):
    """One expected call; `arguments` is None where any will do."""

    name: str
    arguments: Mapping[str, Accepted] | None


class ArgumentProblem(NamedTuple):
    """What is wrong with one argument of a call, at which path below the arguments."""

    parts: tuple[PathPart, ...]
    message: str


def expected_calls(value: Json) -> list[ExpectedCall] | None:
    """Read expected calls; None where the value has none of the forms.

    `{"tool_calls": [...]}`, the list itself or one call. A call is `{"name", "arguments"}`
    (arguments as an object or its JSON text), the wrapper `{"type": "function", "function"}`,
    `{"name", "accepted_arguments": {argument: [accepted values]}}`, or, as BFCL writes it,
    `{name: {argument: [accepted values]}}`; in a list also a name alone.
    """
    items = call_items(value)
    listed = as_array(value) is not None or "tool_calls" in (as_object(value) or {})
    if not items and not listed:
        return None
    calls: list[ExpectedCall] = []
    for _, item in items:
        call = _expected_call(item)
        if call is None:
            return None
        calls.append(call)
    return calls


def argument_problems(
    expected: Mapping[str, Accepted],
    given: Mapping[str, Json],
    how: Normalization,
    *,
    partial: bool = False,
) -> list[ArgumentProblem]:
    """Compare the arguments of a call with what is accepted; empty where they match."""
    found: list[ArgumentProblem] = []
    for name, accepted in expected.items():
        if name not in given:
            if not accepted.optional:
                found.append(ArgumentProblem((name,), f"the argument '{name}' is missing"))
        elif not _accepts(accepted, given[name], how):
            wanted = accepted.values[0] if len(accepted.values) == 1 else list(accepted.values)
            one_of = "" if len(accepted.values) == 1 else "one of "
            message = (
                f"the argument '{name}': expected {one_of}{shorten(wanted)}, "
                f"got {shorten(given[name])}"
            )
            found.append(ArgumentProblem((name,), message))
    if not partial:
        for name in given:
            if name not in expected:
                found.append(ArgumentProblem((name,), f"the argument '{name}' is not expected"))
    return found


def best_matching(
    n_expected: int, n_given: int, fits: Callable[[int, int], bool]
) -> dict[int, int]:
    """Match as many expected items with given ones as fit, each at most once: a map of indexes.

    Augmenting paths over the bipartite graph (Kuhn 1955): each accepts what is left to it.
    """
    edges = [[g for g in range(n_given) if fits(e, g)] for e in range(n_expected)]
    given_of: dict[int, int] = {}
    expected_of: dict[int, int] = {}
    for start in range(n_expected):
        came_from: dict[int, int] = {}
        queue = [start]
        free: int | None = None
        while queue and free is None:
            expected = queue.pop()
            for given in edges[expected]:
                if given in came_from:
                    continue
                came_from[given] = expected
                if given not in expected_of:
                    free = given
                    break
                queue.append(expected_of[given])
        while free is not None:
            expected = came_from[free]
            previous = given_of.get(expected)
            given_of[expected], expected_of[free] = free, expected
            free = previous
    return given_of


def _expected_call(item: Json) -> ExpectedCall | None:
    if isinstance(item, str):
        return ExpectedCall(item, None) if item else None
    entry = as_object(item)
    if entry is None:
        return None
    lists = as_object(entry.get(ACCEPTED))
    if lists is not None and isinstance(entry.get("name"), str):
        return _of_lists(entry["name"], lists)
    found = named_arguments(entry)
    if found is None:
        return None
    name, arguments, path = found
    try:
        known = as_object(read_arguments(arguments))
    except InvalidJson:
        return None
    if known is None:
        return None
    if path == (name,) and all(as_array(values) is not None for values in known.values()):
        return _of_lists(name, known)
    return ExpectedCall(name, {key: _plain(value) for key, value in known.items()})


def _of_lists(name: str, lists: Mapping[str, Json]) -> ExpectedCall | None:
    if any(as_array(values) is None for values in lists.values()):
        return None
    return ExpectedCall(name, {key: _listed(values) for key, values in lists.items()})


def _listed(values: Json) -> Accepted:
    items = as_array(values) or ()
    return Accepted(items, nested=True, optional=LEFT_OUT in items)


def _plain(value: Json) -> Accepted:
    marked = as_object(value)
    if marked is not None and set(marked) == {"any_of"} and as_array(marked["any_of"]):
        return Accepted(as_array(marked["any_of"]) or (), nested=False, optional=False)
    return Accepted((value,), nested=False, optional=False)


def _accepts(accepted: Accepted, given: Json, how: Normalization) -> bool:
    if any(same_json(value, given, how) for value in accepted.values):
        return True
    return accepted.nested and any(_fits(value, given, how) for value in accepted.values)


def _fits(value: Json, given: Json, how: Normalization) -> bool:
    """Compare with an accepted value in whose objects each field is a list of accepted values."""
    fields, known = as_object(value), as_object(given)
    if fields is not None and known is not None:
        if any(as_array(values) is None for values in fields.values()):
            return False
        lists = {key: _listed(values) for key, values in fields.items()}
        return not argument_problems(lists, known, how)
    items, ours = as_array(value), as_array(given)
    if items is not None and ours is not None:
        return len(items) == len(ours) and all(
            same_json(item, own, how) or _fits(item, own, how)
            for item, own in zip(items, ours, strict=True)
        )
    return False
