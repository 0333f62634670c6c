"""The check `unique`: no two items of an array are equal."""

from __future__ import annotations

from collections.abc import Hashable

from promptyard.metrics.comparison import Normalization, comparison_key
from promptyard.metrics.context import MetricContext
from promptyard.metrics.field_rule import FIELD_OPTIONS, Breach, FieldRule
from promptyard.metrics.json_text import ABSENT, as_array, lookup, path_parts, shorten
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec


class Unique(FieldRule):
    """Check that no two items of an array are equal, or have an equal key.

    Compared deeply, as in `equals`: 1 equals 1.0, true is not 1, the order of keys does not count.

    Options:
        field: the array, as a dotted path into a JSON answer; default: the whole answer.
        key: a dotted path into each item; only what stands there must be unique.
        normalize: `none`, `strip` (default), `casefold` or `squad`, for the texts in it.
        allow_null: true lets the field be null; default false.
        allow_absent: true lets the field be absent; default false.
        allow_fence: as in `is_json`.

    Fails with `constraint_violation`, with `wrong_type` where there is no array, with
    `missing_required_field` where the field is absent or an item lacks the key, with
    `invalid_json`. Hard, validity.
    """

    name = "unique"
    option_names = ("key", "normalize", *FIELD_OPTIONS)
    whole_is_json = True

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.key = self.options.text("key") if self.options.has("key") else None
        self.normalize: Normalization = self.normalize_option()

    def breach(self, case: Case, got: Json) -> Breach | None:
        """Look for the first item that has been seen before."""
        items = as_array(got)
        if items is None:
            return Breach("wrong_type", f"must be an array, got {shorten(got)}")
        seen: dict[Hashable, int] = {}
        for number, item in enumerate(items):
            value = item if self.key is None else lookup(item, path_parts(item, self.key))
            if value is ABSENT:
                return Breach("missing_required_field", f"has no '{self.key}' in item {number}")
            before = seen.setdefault(comparison_key(value, self.normalize), number)
            if before != number:
                what = "items" if self.key is None else f"'{self.key}' of items"
                why = f"has equal {what} {before} and {number}: {shorten(value)}"
                return Breach("constraint_violation", why)
        return None
