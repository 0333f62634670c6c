"""The checks `length` and `word_count`: how long the answer, or one field of it, is."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from promptyard.metrics.comparison import composed
from promptyard.metrics.context import MetricContext
from promptyard.metrics.field_rule import FIELD_OPTIONS, Breach, FieldRule
from promptyard.metrics.json_text import as_array, shorten
from promptyard.records.base import Json, as_object
from promptyard.records.cases import Case, CheckSpec

Unit: TypeAlias = Literal["chars", "words", "lines", "sentences", "items"]
UNITS: tuple[Unit, ...] = ("chars", "words", "lines", "sentences", "items")
NOUNS = {"chars": "characters"}

_END = re.compile(
    r"(?<![.!?\u2026])[.!?\u2026]++[\"'\u201d\u2019)\]\u00bb]*+\s++(?=[^a-z\s])"
    r"|(?<![\u3002\uff01\uff1f])[\u3002\uff01\uff1f]++[\"'\u201d\u2019\u300d\u300f)\uff09]*+"
)
_WORD = re.compile(r"\w")


class Length(FieldRule):
    """Check how long the answer is, in characters, words, lines, sentences or items.

    Characters are code points after NFC, white space at both ends does not count. Words are
    parted by white space. Lines with white space alone do not count. A sentence ends with
    `.`, `!`, `?` or `…` before white space, unless a small letter follows, and with `。`, `！`
    or `？`; abbreviations before a capital letter end one, too. Items are those of a JSON array,
    or the keys of an object.

    Options:
        min: the least length allowed, 0 or more.
        max: the greatest length allowed.
        value: the one length allowed, instead of `min` and `max`.
        unit: `chars` (default), `words`, `lines`, `sentences` or `items`.
        field: a dotted path, to check one field of a JSON answer; default: the whole answer.
        allow_null: true lets the field be null; default false.
        allow_absent: true lets the field be absent; default false.
        allow_fence: as in `is_json`; only with `field` or `items`.

    Fails with `too_long` or `too_short`, with `wrong_type` where a field is no text (for items:
    no array or object), with `missing_required_field` where it is absent, with `invalid_json`
    where JSON is needed and the answer is none. Hard, validity.
    """

    name = "length"
    option_names: tuple[str, ...] = ("min", "max", "value", "unit", *FIELD_OPTIONS)
    unit: Unit = "chars"

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        unit = spec.options.get("unit", self.unit)
        self.whole_is_json = unit == "items"
        super().__init__(spec, context)
        self.unit = self.options.choice("unit", UNITS, self.unit)
        exact = self.options.count("value")
        self.least = self.options.count("min") if exact is None else exact
        self.most = self.options.count("max") if exact is None else exact
        if self.least is None and self.most is None:
            raise self.options.wrong("max", "is missing; give 'min', 'max' or 'value'")
        if exact is not None and (self.options.has("min") or self.options.has("max")):
            raise self.options.wrong("value", "is exact: give it without 'min' and 'max'")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise self.options.wrong("min", "must not be more than 'max'", self.least)

    def breach(self, case: Case, got: Json) -> Breach | None:
        """Count and compare."""
        n_units = self._n_items(got) if self.unit == "items" else self._n_parts(got)
        if n_units is None:
            wanted = "an array or object" if self.unit == "items" else "a text"
            return Breach("wrong_type", f"must be {wanted}, got {shorten(got)}")
        noun = NOUNS.get(self.unit, self.unit)
        if self.most is not None and n_units > self.most:
            return Breach("too_long", f"has {n_units} {noun}, at most {self.most} are allowed")
        if self.least is not None and n_units < self.least:
            return Breach("too_short", f"has {n_units} {noun}, at least {self.least} are needed")
        return None

    def _n_items(self, got: Json) -> int | None:
        items = as_array(got)
        found = as_object(got) if items is None else items
        return None if found is None else len(found)

    def _n_parts(self, got: Json) -> int | None:
        if not isinstance(got, str):
            return None
        if self.unit == "words":
            return len(got.split())
        if self.unit == "lines":
            return sum(bool(line.strip()) for line in got.splitlines())
        if self.unit == "sentences":
            return sum(_WORD.search(part) is not None for part in _END.split(got))
        return len(composed(got.strip()))


class WordCount(Length):
    """Check how many words the answer has, parted by white space.

    Options:
        min: the least number of words allowed, 0 or more.
        max: the greatest number of words allowed.
        value: the one number allowed, instead of `min` and `max`.
        field: a dotted path, to check one field of a JSON answer; default: the whole answer.
        allow_null: true lets the field be null; default false.
        allow_absent: true lets the field be absent; default false.
        allow_fence: as in `is_json`; only with `field`.

    Fails with `too_long` or `too_short`, with `wrong_type` where a field is no text, with
    `missing_required_field` where it is absent, with `invalid_json` where a field is asked for
    and the answer is not JSON. Hard, validity.
    """

    name = "word_count"
    option_names = ("min", "max", "value", *FIELD_OPTIONS)
    unit = "words"
