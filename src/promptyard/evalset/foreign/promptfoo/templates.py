"""The part of promptfoo's templates that has no logic: variables, filled in one pass."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from promptyard.evalset.foreign.checks import Unsupported
from promptyard.evalset.wording import one_line
from promptyard.records.base import Json, as_object

VARIABLE = re.compile(r"\{\{-?\s*([A-Za-z_]\w*(?:\.\w+)*)\s*-?\}\}")
_ANY_MARK = re.compile(r"\{[{%#]")


def fill(text: str, values: Mapping[str, Json]) -> str:
    """Fill the variables of a text.

    Raises Unsupported for template logic, filters, the environment, and a variable without value.
    """
    if "{" not in text:
        return text

    def value(match: re.Match[str]) -> str:
        return plain_text(lookup(match[1], values))

    if _ANY_MARK.search(VARIABLE.sub("", text)):
        raise Unsupported(f"template logic ({one_line(text)})")
    return VARIABLE.sub(value, text)


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
