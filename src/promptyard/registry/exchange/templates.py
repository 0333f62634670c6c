"""Reads templates of other tools as texts and variables, and refuses what is more than that.

Our templates are logic-less: one pass, names only. A loop, a condition, a filter or a partial has
no counterpart; it is refused by name and line, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from promptyard.errors import PromptError

PieceKind: TypeAlias = Literal["text", "variable", "chat", "role"]
TagKind: TypeAlias = Literal["name", "comment", "literal", "refused"]


class Piece(NamedTuple):
    """A part of a template: a text, a variable, a variable that holds messages, or a new role."""

    kind: PieceKind
    value: str


NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
MAX_SHOWN = 60
_ROLE = re.compile(r"role\s+(['\"])(?P<role>[a-z]+)\1")
_JSON = re.compile(rf"json\s+(?P<name>{NAME.pattern})")
_SINGLE = re.compile(r"\{\{|\}\}|\{(?P<inner>[^{}]*)\}|[{}]")
_RESERVED = frozenset({"this", "else"})


@dataclass(frozen=True)
class Syntax:
    """The tags of a template language, each with its two ends; earlier ones are looked for first.

    `is_closed` says that an end that is missing is a mistake, not text.
    """

    tags: Sequence[tuple[str, str, TagKind]]
    is_closed: bool = True


_DOUBLE = Syntax((("{{", "}}", "name"),), is_closed=False)
_JINJA = Syntax((("{%", "%}", "refused"), ("{#", "#}", "comment"), ("{{", "}}", "name")))
_MUSTACHE = Syntax((("{{!", "}}", "comment"), ("{{{", "}}}", "name"), ("{{", "}}", "name")))
_HANDLEBARS = Syntax(
    (
        ("\\{{", "}}", "literal"),
        ("{{!--", "--}}", "comment"),
        ("{{!", "}}", "comment"),
        ("{{{", "}}}", "name"),
        ("{{", "}}", "name"),
    )
)


def double_braces(text: str, line: int = 1) -> list[Piece]:
    """Read `{{name}}`, as Langfuse writes variables."""
    return list(_read(_DOUBLE, text, line, _variable))


def jinja(text: str, line: int = 1) -> list[Piece]:
    """Read Jinja of which only `{{ name }}` and comments are used."""
    return list(_read(_JINJA, text, line, _variable))


def mustache(text: str, line: int = 1) -> list[Piece]:
    """Read Mustache of which only `{{name}}`, `{{{name}}}`, `{{&name}}` and comments are used."""
    return list(_read(_MUSTACHE, text, line, lambda inner: _variable(inner.lstrip("&"))))


def handlebars(text: str, line: int = 1) -> list[Piece]:
    """Read Dotprompt's Handlebars: names, comments, `role`, `history` and `json`, nothing else."""
    return list(_read(_HANDLEBARS, text, line, _helper))


def single_braces(text: str, line: int = 1) -> list[Piece]:
    """Read `{name}`, as Python's f-strings and LangChain write variables; `{{` is a brace."""
    pieces: list[Piece] = []
    at = 0
    for match in _SINGLE.finditer(text):
        if text[at : match.start()]:
            pieces.append(Piece("text", text[at : match.start()]))
        at = match.end()
        if match[0] in ("{{", "}}"):
            pieces.append(Piece("text", match[0][0]))
            continue
        found = None if match["inner"] is None else _variable(match["inner"])
        if found is None:
            raise _refused(text, line, match.start(), match.end())
        pieces.append(found)
    if text[at:]:
        pieces.append(Piece("text", text[at:]))
    return pieces


SYNTAXES: Mapping[str, Callable[[str, int], list[Piece]]] = {
    "double": double_braces,
    "single": single_braces,
    "jinja2": jinja,
    "mustache": mustache,
}
"""How variables stand in a text, by the name that people give it."""


def _read(
    syntax: Syntax, text: str, line: int, meaning: Callable[[str], Piece | None]
) -> Iterator[Piece]:
    """Yield the pieces of a text. Looks at each character once, however hostile they are."""
    opening = re.compile("|".join(re.escape(tag[0]) for tag in syntax.tags))
    ends = {opened: (closed, kind) for opened, closed, kind in syntax.tags}
    at = 0
    while match := opening.search(text, at):
        closed, kind = ends[match[0]]
        end = text.find(closed, match.end())
        if end < 0 and not syntax.is_closed:
            break
        if text[at : match.start()]:
            yield Piece("text", text[at : match.start()])
        at = end + len(closed)
        inner = text[match.end() : end]
        piece = meaning(inner) if end >= 0 and kind == "name" else None
        if end >= 0 and kind == "literal":
            piece = Piece("text", text[match.start() + 1 : at])
        if piece is not None:
            yield piece
        elif end < 0 or kind != "comment":
            raise _refused(text, line, match.start(), at if end >= 0 else len(text))
    if text[at:]:
        yield Piece("text", text[at:])


def _variable(inner: str) -> Piece | None:
    name = inner.strip()
    if NAME.fullmatch(name) and name not in _RESERVED:
        return Piece("variable", name)
    return None


def _helper(inner: str) -> Piece | None:
    words = inner.strip()
    if found := _ROLE.fullmatch(words):
        return Piece("role", found["role"])
    if words == "history":
        return Piece("chat", "history")
    if found := _JSON.fullmatch(words):
        return Piece("variable", found["name"])
    return _variable(words)


def _refused(text: str, line: int, start: int, end: int) -> PromptError:
    at = line + text.count("\n", 0, start)
    shown = " ".join(text[start : min(end, start + 2 * MAX_SHOWN)].split())
    if len(shown) > MAX_SHOWN:
        shown = f"{shown[:MAX_SHOWN]}…"
    return PromptError(
        f"line {at}: `{shown}` has no counterpart in a template without logic; write what it "
        "gives as a variable"
    )
