"""The syntax of rules over the fields of a JSON object, such as `start <= end`.

A rule is parsed by Python's own parser, and only the nodes that stand here are let through.
`rule_evaluation.py` walks the tree; nothing is ever executed.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator, Mapping, Sequence

LONGEST = 2000
DEEPEST = 60
FUNCTIONS: Mapping[str, tuple[int, int]] = {
    "exists": (1, 1),
    "default": (2, 2),
    "field": (1, 1),
    "len": (1, 1),
    "sum": (1, 1),
    "min": (1, 9),
    "max": (1, 9),
    "abs": (1, 1),
    "round": (1, 2),
    "lower": (1, 1),
}
"""The functions, with the least and the greatest number of their arguments."""

_OPERATORS = (ast.And, ast.Or, ast.Not, ast.USub, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Mod)
_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn)
_NODES = (
    *(ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Compare, ast.Call, ast.Constant, ast.Name),
    *(ast.Attribute, ast.Subscript, ast.List, ast.Load, *_OPERATORS, *_COMPARISONS),
)
_OPEN, _CLOSE = ("(", "[", "{"), (")", "]", "}")


class RuleError(ValueError):
    """A text is no rule; `str(error)` says why, in words that follow "the rule"."""


def parse_rule(text: str) -> ast.expr:
    """Parse a rule. Raises RuleError for what is none."""
    if len(text) > LONGEST:
        raise RuleError(f"is longer than {LONGEST} characters")
    try:
        body = ast.parse(_plain(text), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError) as error:
        why = error.msg if isinstance(error, SyntaxError) else "it is too deep"
        raise RuleError(f"cannot be read: {why}") from None
    level: list[ast.AST] = [body]
    for _ in range(DEEPEST):
        for node in level:
            _check(node)
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    if level:
        raise RuleError(f"is nested deeper than {DEEPEST} levels")
    return body


def _plain(text: str) -> str:
    """Write `a implies b` as `(not (a) or (b))`, which Python's parser knows; it binds weakest."""
    try:
        line = " ".join(part.strip() for part in text.splitlines())
        found = [
            token.string
            for token in tokenize.generate_tokens(io.StringIO(line).readline)
            if token.type not in {tokenize.NEWLINE, tokenize.ENDMARKER, tokenize.NL}
        ]
    except (tokenize.TokenError, SyntaxError) as error:
        raise RuleError(f"cannot be read: {error.args[0]}") from None
    return _group(iter(found), "")


def _group(tokens: Iterator[str], close: str) -> str:
    """Write the tokens up to the closing bracket, or to the end."""
    parts: list[list[list[str]]] = [[[]]]  # parted at commas, then at `implies`
    for word in tokens:
        if word == close:
            break
        if word in _OPEN:
            end = _CLOSE[_OPEN.index(word)]
            parts[-1][-1] += [word, _group(tokens, end), end]
        elif word == ",":
            parts.append([[]])
        elif word == "implies":
            parts[-1].append([])
        else:
            parts[-1][-1].append(word)
    else:
        if close:
            raise RuleError(f"cannot be read: '{close}' is missing")
    return ",".join(_implied([" ".join(side) for side in part]) for part in parts)


def _implied(sides: Sequence[str]) -> str:
    if len(sides) > 1 and not all(side.strip() for side in sides):
        raise RuleError("needs something on both sides of 'implies'")
    text = sides[-1]
    for side in reversed(sides[:-1]):
        text = f"(not ({side}) or ({text}))"
    return text


def _check(node: ast.AST) -> None:
    """Refuse what the language does not have."""
    if not isinstance(node, _NODES):
        raise RuleError(f"cannot have '{type(node).__name__}'")
    if isinstance(node, ast.Constant) and not isinstance(node.value, str | int | float | None):
        raise RuleError(f"cannot have the constant {node.value!r}")
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else "?"
        if name not in FUNCTIONS or node.keywords:
            raise RuleError(f"cannot call '{name}'; known: {', '.join(FUNCTIONS)}")
        least, most = FUNCTIONS[name]
        if not least <= len(node.args) <= most:
            raise RuleError(f"gives '{name}' {len(node.args)} values")
        if name == "field" and not isinstance(getattr(node.args[0], "value", None), str):
            raise RuleError("needs a name in quotes in 'field'")
    if isinstance(node, ast.Subscript) and not isinstance(
        getattr(node.slice, "value", None), str | int
    ):
        raise RuleError("needs a number or a name in quotes between brackets")
