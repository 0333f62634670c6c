"""Decides whether an answer equals what was expected: as JSON, else as text."""

from __future__ import annotations

import json
import re
import string
import unicodedata
from collections.abc import Hashable, Sequence
from typing import Literal, TypeAlias

from promptyard.metrics.json_text import InvalidJson, as_array, clean, parse_json, shorten
from promptyard.records.base import Json, as_object

Normalization: TypeAlias = Literal["none", "strip", "casefold", "squad"]
NORMALIZATIONS: tuple[Normalization, ...] = ("none", "strip", "casefold", "squad")
LABEL_LIMIT = 80
BLOCK = 256

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_INVISIBLE = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalized(text: str, how: Normalization) -> str:
    """Bring a text into the form in which it is compared; Unicode is always composed (NFC).

    `none` does no more; `strip` drops white space at both ends; `casefold` also ignores case;
    `squad` lowers the case, drops ASCII punctuation and the articles a, an, the, and collapses
    white space (Rajpurkar et al. 2016, the official script); a text of nothing else, such as the
    choice "A", is only lowered, or an empty answer would equal it.
    """
    if how == "none":
        return composed(text)
    if how == "strip":
        return composed(text).strip()
    if how == "casefold":
        return caseless(text).strip()
    lowered = composed(text).lower().translate(_PUNCTUATION)
    kept = " ".join(_ARTICLES.sub(" ", lowered).split())
    return kept or " ".join(composed(text).lower().split())


def composed(text: str) -> str:
    """Bring a text into Unicode's composed form (NFC)."""
    return text if text.isascii() else _unicode_form(text, "NFC")


def caseless(text: str) -> str:
    """Fold case by Unicode's canonical caseless matching and compose the result."""
    return composed(_unicode_form(text, "NFD").casefold())


def compatible(text: str) -> str:
    """Bring a text into Unicode's compatibility form (NFKC): no ligatures, no wide forms."""
    return text if text.isascii() else _unicode_form(text, "NFKC")


def visible_form(text: str) -> str:
    """Bring a text into NFKC, without the characters in it that nobody sees.

    Soft hyphens, zero-width and direction marks, variation selectors and tags part no word.
    """
    return text if text.isascii() else compatible(_INVISIBLE.sub("", text))


def same_json(left: Json, right: Json, how: Normalization) -> bool:
    """Compare two JSON values: types count (true is not 1, null is not absent), 1 equals 1.0.

    The order of keys does not count, that of arrays does. Texts are compared by `how`, keys
    exactly (NFC).
    """
    if isinstance(left, str) and isinstance(right, str):
        return left == right or normalized(left, how) == normalized(right, how)
    left_object, right_object = as_object(left), as_object(right)
    if left_object is not None and right_object is not None:
        ours = {normalized(key, "none"): item for key, item in left_object.items()}
        theirs = {normalized(key, "none"): item for key, item in right_object.items()}
        if len(ours) < len(left_object) or len(theirs) < len(right_object):
            return False  # two keys that are one after NFC: which value counts is not said
        return ours.keys() == theirs.keys() and all(
            same_json(item, theirs[key], how) for key, item in ours.items()
        )
    left_items, right_items = as_array(left), as_array(right)
    if left_items is not None and right_items is not None:
        return len(left_items) == len(right_items) and all(
            same_json(ours, theirs, how)
            for ours, theirs in zip(left_items, right_items, strict=True)
        )
    if _is_number(left) and _is_number(right):
        return bool(left == right)
    return type(left) is type(right) and bool(left == right)


def comparison_key(value: Json, how: Normalization) -> Hashable:
    """Return what two JSON values have in common exactly when `same_json` finds them equal."""
    if isinstance(value, str):
        return ("text", normalized(value, how))
    found = as_object(value)
    if found is not None:
        pairs = {normalized(key, "none"): item for key, item in found.items()}
        return frozenset((key, comparison_key(item, how)) for key, item in pairs.items())
    items = as_array(value)
    if items is not None:
        return tuple(comparison_key(item, how) for item in items)
    return ("number" if _is_number(value) else "word", value)


def same_answer(expected: Json, output: str, how: Normalization) -> bool:
    """Compare a raw answer with what was expected.

    As JSON where both are JSON (a text that was expected is parsed, too), else as text.
    """
    try:
        gold: Json = parse_json(expected) if isinstance(expected, str) else expected
        got: Json = parse_json(output)
    except InvalidJson:
        text = label_text(expected)
        return text is not None and normalized(text, how) == normalized(output, how)
    return same_json(gold, got, how)


def accepted_values(expected: Json, *, any_of: bool) -> tuple[Json, ...]:
    """Return the alternatives of an expectation: `{"any_of": [...]}`, or a list with `any_of`.

    Everything else is one alternative, itself. Empty where the alternatives are no list or none.
    """
    marked = as_object(expected)
    if marked is not None and set(marked) == {"any_of"}:
        return tuple(as_array(marked["any_of"]) or ())
    return tuple(as_array(expected) or ()) if any_of else (expected,)


def described(accepted: Sequence[Json]) -> str:
    """Write the accepted values for a reason."""
    if len(accepted) == 1:
        return shorten(accepted[0])
    return "one of " + shorten(list(accepted), 100)


def label_text(value: Json) -> str | None:
    """Write a scalar as the label it is; None for null, objects and arrays, which are none."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool | int | float) else None


def answer_label(output: str, how: Normalization, labels: Sequence[str]) -> str:
    """Return the label that a wrong answer stands for, cut at `LABEL_LIMIT` characters.

    An answer that `how` finds equal to one of `labels` takes its spelling.
    """
    compared = normalized(output, how)
    for label in labels:
        if normalized(label, how) == compared:
            return label
    text = clean(normalized(output, "none" if how == "none" else "strip"))
    return text if len(text) <= LABEL_LIMIT else text[:LABEL_LIMIT] + "…"


def _unicode_form(text: str, form: Literal["NFC", "NFD", "NFKC"]) -> str:
    # CPython sorts a run of combining marks in quadratic time: 80,000 of them take 8 seconds.
    # A text with such a run is no language; it is compared as it stands.
    return text if _has_flood_of_marks(text) else unicodedata.normalize(form, text)


def _has_flood_of_marks(text: str) -> bool:
    """Whether a whole block is combining marks, as in every run of two blocks and more."""
    return len(text) > 2 * BLOCK and any(
        all(map(unicodedata.combining, text[start : start + BLOCK]))
        for start in range(0, len(text), BLOCK)
    )


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
