"""Causes of failures that no evaluator has named: read out of expectation, answer and reason.

A bare score says that something is wrong, not what. Where the expectation is an object, each field
that differs is a cause of its own, split by how it differs; where it is a text, by what was
answered instead. What the reason says besides the values splits further. Only the row itself is
looked at, so that a cause has the same name in every set of rows. Source: anchors on search,
section 8.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from promptyard.records.base import Json, as_list, as_object
from promptyard.records.sentences import sentences
from promptyard.signals.fingerprint import shape

NOTHING: tuple[Json, ...] = (None, "", [])
MAX_NOTE_CHARS = 80
MAX_LABEL_CHARS = 60
_WORD = re.compile(r"<\w+>|[^\W\d_]{3,}")
_SAYS_NOTHING = frozenset(
    {"field", "fields", "value", "values", "label", "expected", "got", "but", "was", "were", "the"}
    | {"and", "should", "have", "been", "answer", "answered", "output", "given", "returned"}
    | {"actual", "instead", "null", "none", "true", "false", "wrong", "incorrect"}
)
_PUNCTUATION = re.compile(r"[\W_]+")


class Cause(NamedTuple):
    """What went wrong, where, and what the reason says of it beside the values."""

    tag: str
    field: str | None
    note: str


def causes(expected: Json, output: str, reason: str) -> tuple[Cause, ...]:
    """Return the causes of one failing answer; empty where nothing can be told."""
    wanted = as_object(expected)
    if wanted is not None:
        given = _object_in(output)
        if given is None:
            return ()
        return tuple(
            Cause(_difference(wanted.get(name), given.get(name), name in given), name, note)
            for name in {**wanted, **given}
            if not _same(wanted.get(name), given.get(name))
            for note in [_note(reason, name)]
        )
    note = _informative(shape(reason))
    if isinstance(expected, str):
        return (_text_cause(expected, output, note),)
    return (Cause("low_score", None, note),) if note else ()


def _text_cause(expected: str, output: str, note: str) -> Cause:
    got = output.strip()
    if not got:
        return Cause("empty_output", None, note)
    if _plain(got) == _plain(expected):
        return Cause("other_format", None, note)
    if expected in got and len(got) > len(expected):
        return Cause("extra_text", None, "")
    if note or max(len(expected), len(got)) > MAX_LABEL_CHARS:
        return Cause("other_value", None, note)
    return Cause("taken_for", f"{expected} as {got}", "")


def _difference(wanted: Json, given: Json, has: bool) -> str:
    if given in NOTHING:
        return "missing_value" if has else "missing_field"
    if wanted in NOTHING:
        return "invented_value"
    if isinstance(wanted, bool) != isinstance(given, bool) or _kind(wanted) != _kind(given):
        return "other_type"
    one, other = _plain(str(wanted)), _plain(str(given))
    if one == other:
        return "other_format"
    if one and other and (one in other or other in one):
        return "more_than_asked" if one in other else "less_than_asked"
    return "other_value"


def _kind(value: Json) -> str:
    return "number" if isinstance(value, int | float) else type(value).__name__


def _same(one: Json, other: Json) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        # The order of a list is no cause of its own.
        return sorted(str(item) for item in as_list(one) or ()) == sorted(
            str(item) for item in as_list(other) or ()
        )
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _note(reason: str, field: str) -> str:
    """Return what the reason says of a field: the sentence that names it, without particulars."""
    for said in sentences(reason):
        if re.search(rf"(?<!\w){re.escape(field)}(?!\w)", said):
            return _informative(shape(said))
    return ""


def _informative(said: str) -> str:
    words = [word for word in _WORD.findall(said) if not word.startswith("<")]
    telling = [word for word in words if word not in _SAYS_NOTHING]
    return said[-MAX_NOTE_CHARS:] if len(telling) >= 2 else ""


def _plain(text: str) -> str:
    return _PUNCTUATION.sub("", text.casefold())


def _object_in(text: str) -> dict[str, Json] | None:
    at = text.find("{")
    if at < 0:
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(text, at)
    except (ValueError, RecursionError):
        return None
    found = as_object(value)
    return None if found is None else dict(found)
