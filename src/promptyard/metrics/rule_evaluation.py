"""Evaluates a parsed rule over one answer by walking its tree.

Numbers are decimal, so that 0.1 * 3 equals 0.3. An absent field is neither null nor a value.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal, DecimalException
from functools import reduce
from typing import cast

from promptyard.metrics.comparison import composed, same_json
from promptyard.metrics.json_text import ABSENT, as_array, lookup, path_parts, shorten
from promptyard.records.base import Json, as_object

WORDS: Mapping[str, Json] = {
    "null": None,
    "true": True,
    "false": False,
    "None": None,
    "True": True,
    "False": False,
}
_CONTEXT = Context(prec=60)


class Absent(Exception):
    """The rule reads a field that the answer does not have; `str(error)` is its path."""


class Mistyped(Exception):
    """An operation does not go with what is in a field; `str(error)` says which."""


@dataclass
class Evaluation:
    """One evaluation over one answer; `read` is what it read, by path."""

    answer: Json
    read: dict[str, Json] = field(default_factory=dict[str, Json])

    def truth(self, node: ast.expr) -> bool:
        """Return whether a rule holds. Raises Absent and Mistyped."""
        found = self._value(node)
        if not isinstance(found, bool):
            raise Mistyped(f"{_source(node)} is {shorten(_json(found))}, not true or false")
        return found

    def _value(self, node: ast.expr) -> Json:
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return self._name(node)
            case ast.Attribute() | ast.Subscript():
                return self._part(node)
            case ast.BoolOp():
                values = (self.truth(part) for part in node.values)
                return all(values) if isinstance(node.op, ast.And) else any(values)
            case ast.UnaryOp():
                return self._unary(node)
            case ast.BinOp():
                return self._binary(node)
            case ast.Compare():
                return self._compare(node)
            case ast.List():
                return [self._value(item) for item in node.elts]
            case _:
                return self._call(cast("ast.Call", node))

    def _number(self, node: ast.expr) -> Decimal:
        return _number(self._value(node), node)

    def _unary(self, node: ast.UnaryOp) -> Json:
        if isinstance(node.op, ast.Not):
            return not self.truth(node.operand)
        return self._number(node.operand).copy_negate()

    def _binary(self, node: ast.BinOp) -> Decimal:
        operation = _ARITHMETIC[type(node.op)]
        left, right = self._number(node.left), self._number(node.right)
        return _computed(operation, left, right, node)

    def _compare(self, node: ast.Compare) -> bool:
        left = self._value(node.left)
        for operator, right_node in zip(node.ops, node.comparators, strict=True):
            right = self._value(right_node)
            if not _compared(operator, left, right, node):
                return False
            left = right
        return True

    def _name(self, node: ast.Name) -> Json:
        if node.id in WORDS:
            return WORDS[node.id]
        return self._found(node.id, (node.id,))

    def _part(self, node: ast.Attribute | ast.Subscript) -> Json:
        base = self._value(node.value)
        part = node.attr if isinstance(node, ast.Attribute) else _constant(node.slice)
        items = as_array(base)
        path = _source(node)
        if items is not None and isinstance(part, str):
            got: Json = [lookup(item, (part,)) for item in items]
            if ABSENT in got:
                raise Absent(path)
        else:
            got = lookup(base, (part,))
        return self._kept(path, got)

    def _found(self, path: str, parts: Sequence[str | int]) -> Json:
        return self._kept(path, lookup(self.answer, parts))

    def _kept(self, path: str, got: Json) -> Json:
        if got is ABSENT:
            raise Absent(path)
        self.read[path] = got
        return got

    def _call(self, node: ast.Call) -> Json:
        name = cast("ast.Name", node.func).id
        first = node.args[0]
        if name == "field":
            path = str(_constant(first))
            return self._found(path, path_parts(self.answer, path))
        if name in {"exists", "default"}:
            try:
                got = self._value(first)
            except Absent:
                return False if name == "exists" else self._value(node.args[1])
            return True if name == "exists" else got
        values = [self._value(argument) for argument in node.args]
        return _called(name, values, node)


def _computed(
    operation: Callable[[Decimal, Decimal], Decimal], left: Decimal, right: Decimal, node: ast.expr
) -> Decimal:
    try:
        return operation(left, right)
    except DecimalException:
        raise Mistyped(f"{_source(node)} cannot be computed of {left:g} and {right:g}") from None


def _called(name: str, values: Sequence[Json], node: ast.expr) -> Json:
    first = values[0]
    if name == "len":
        found = as_object(first) or as_array(first)
        if isinstance(first, str):
            return Decimal(len(composed(first)))
        if found is None and as_object(first) is None:
            raise Mistyped(
                f"{_source(node)} needs a text, list or object, not {shorten(_json(first))}"
            )
        return Decimal(len(found or ()))
    if name == "lower":
        if not isinstance(first, str):
            raise Mistyped(f"{_source(node)} needs a text, not {shorten(_json(first))}")
        return first.lower()
    if name == "abs":
        return _number(first, node).copy_abs()
    if name == "round":
        digits = int(_number(values[1], node)) if len(values) > 1 else 0
        step = Decimal(1).scaleb(-max(-30, min(30, digits)))
        return _computed(_CONTEXT.quantize, _number(first, node), step, node)
    listed = as_array(first) if len(values) == 1 else values
    if listed is None:
        raise Mistyped(f"{_source(node)} needs a list, not {shorten(_json(first))}")
    numbers = [_number(item, node) for item in listed]
    if name == "sum":
        return reduce(_CONTEXT.add, numbers, Decimal(0))
    if not numbers:
        raise Mistyped(f"{_source(node)} of an empty list")
    return min(numbers) if name == "min" else max(numbers)


def _compared(operator: ast.cmpop, left: Json, right: Json, node: ast.expr) -> bool:
    if isinstance(operator, ast.Eq | ast.NotEq):
        return _equal(left, right) == isinstance(operator, ast.Eq)
    if isinstance(operator, ast.In | ast.NotIn):
        return _contained(left, right, node) == isinstance(operator, ast.In)
    if isinstance(left, str) and isinstance(right, str):
        order = (composed(left) > composed(right)) - (composed(left) < composed(right))
    else:
        one, other = _number(left, node), _number(right, node)
        order = (one > other) - (one < other)
    return _ORDERED[type(operator)](order)


def _equal(left: Json, right: Json) -> bool:
    one, other = _exact(left), _exact(right)
    if one is None and other is None:
        return same_json(left, right, "none")
    return one == other


def _contained(item: Json, container: Json, node: ast.expr) -> bool:
    items = as_array(container)
    if items is not None:
        return any(_equal(item, other) for other in items)
    keys = as_object(container)
    if isinstance(item, str) and keys is not None:
        return item in keys
    if isinstance(item, str) and isinstance(container, str):
        return composed(item) in composed(container)
    raise Mistyped(
        f"{_source(node)}: {shorten(_json(container))} cannot hold {shorten(_json(item))}"
    )


def _number(value: Json, node: ast.expr) -> Decimal:
    number = _exact(value)
    if number is None:
        raise Mistyped(f"{_source(node)} needs numbers, not {shorten(_json(value))}")
    return number


def _exact(value: Json) -> Decimal | None:
    if isinstance(value, Decimal):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Decimal(str(value)) if is_number else None


def _json(value: Json) -> Json:
    return float(value) if isinstance(value, Decimal) else value


def _constant(node: ast.expr) -> str | int:
    return cast("str | int", cast("ast.Constant", node).value)


def _source(node: ast.expr) -> str:
    return ast.unparse(node)


_ORDERED: Mapping[type[ast.cmpop], Callable[[int], bool]] = {
    ast.Lt: lambda order: order < 0,
    ast.LtE: lambda order: order <= 0,
    ast.Gt: lambda order: order > 0,
    ast.GtE: lambda order: order >= 0,
}
_ARITHMETIC: Mapping[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: _CONTEXT.add,
    ast.Sub: _CONTEXT.subtract,
    ast.Mult: _CONTEXT.multiply,
    ast.Div: _CONTEXT.divide,
    ast.Mod: _CONTEXT.remainder,
}
