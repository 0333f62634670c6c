"""The part of promptfoo's templates that has no logic: variables, filled in one pass; raw text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from promptyard.evalset.foreign.checks import Unsupported
from promptyard.evalset.wording import one_line
from promptyard.records.base import Json, as_object

VARIABLE = re.compile(r"\{\{-?\s*([A-Za-z_]\w*(?:\.\w+)*)\s*-?\}\}")
RAW = re.compile(r"\{%-?\s*raw\s*-?%\}(.*?)\{%-?\s*endraw\s*-?%\}", re.DOTALL)
_ANY_MARK = re.compile(r"\{[{%#]")
_BEFORE_RAW = re.compile(r"(?<=\{)(?=%-?\s*(?:end)?raw)")


def fill(text: str, values: Mapping[str, Json]) -> str:
    """Fill the variables of a text.

    Raises Unsupported for template logic, filters, the environment, and a variable without value.
    """
    if "{" not in text:
        return text
    pieces: list[str] = []
    for is_raw, piece in pieces_of(text):
        if not is_raw and has_logic(piece):
            raise Unsupported(f"template logic ({one_line(text)})")
        pieces.append(
            piece if is_raw else VARIABLE.sub(lambda m: plain_text(lookup(m[1], values)), piece)
        )
    return "".join(pieces)


def pieces_of(text: str) -> Iterator[tuple[bool, str]]:
    """Yield (whether it is raw, piece) of a template."""
    at = 0
    for match in RAW.finditer(text):
        yield False, text[at : match.start()]
        yield True, match[1]
        at = match.end()
    yield False, text[at:]


def as_literal(text: str) -> str:
    """Write a text so that promptfoo reads no template in it and opens no file."""
    if not _ANY_MARK.search(text) and not text.startswith(("file://", "package:")):
        return text
    return "".join(f"{{% raw %}}{part}{{% endraw %}}" for part in _BEFORE_RAW.split(text))


def lookup(name: str, values: Mapping[str, Json]) -> Json:
    """Return the value of a variable; dots look into objects. Raises Unsupported."""
    first, *rest = name.split(".")
    if first == "env":
        raise Unsupported("a template that reads the environment")
    found: Json = values
    for part in (first, *rest):
        inside = as_object(found)
        if inside is None or part not in inside:
            raise Unsupported(f"a template with '{one_line(name)}', which the test does not set")
        found = inside[part]
    return found


def plain_text(value: Json) -> str:
    """Write a value as a JavaScript program would put it into a text; objects are JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


def has_logic(text: str) -> bool:
    """Say whether a template has more than plain variables."""
    return bool(_ANY_MARK.search(VARIABLE.sub("", text)))
