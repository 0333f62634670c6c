"""Makes one regular expression that finds any of many phrases in a time linear in the text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

_Node: TypeAlias = "dict[str, _Node]"
_END = ""  # the key that says that a phrase ends here; characters are never empty

_WORD = re.compile(r"\w")
_NOT_AFTER_WORD, _NOT_BEFORE_WORD = r"(?<!\w)", r"(?!\w)"


def phrase_pattern(phrases: Iterable[str], *, whole_words: bool) -> re.Pattern[str]:
    """Compile phrases into a tree of their beginnings, so that no phrase is tried by itself.

    The longest phrase at a place is found. With `whole_words` a phrase that begins or ends with a
    letter, digit or underscore must do so at the edge of a word. Empty phrases find nothing.
    """
    trees: dict[tuple[bool, bool], _Node] = {}
    for phrase in filter(None, phrases):
        edges = (_is_edge(phrase[0], whole_words), _is_edge(phrase[-1], whole_words))
        node = trees.setdefault(edges, {})
        for char in phrase:
            node = node.setdefault(char, {})
        node[_END] = {}
    parts = [
        (_NOT_AFTER_WORD if at_start else "")
        + f"(?:{_expression(tree)})"
        + (_NOT_BEFORE_WORD if at_end else "")
        for (at_start, at_end), tree in trees.items()
    ]
    return re.compile("|".join(parts) or r"(?!)")


def _is_edge(char: str, whole_words: bool) -> bool:
    return whole_words and _WORD.match(char) is not None


def _expression(node: _Node) -> str:
    branches: list[str] = []
    for char, child in sorted(node.items()):
        literal, inner = char, child
        while len(inner) == 1 and _END not in inner:  # one way on: no group is needed
            ((following, inner),) = inner.items()
            literal += following
        if char != _END:
            branches.append(re.escape(literal) + _expression(inner))
    if not branches:
        return ""
    joined = f"(?:{'|'.join(branches)})"
    if _END in node:
        return joined + "?"
    return branches[0] if len(branches) == 1 else joined
