"""The check `field_set`: a list or object has the expected items, in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple, TypeAlias

from promptyard.metrics.amounts import SCALES, amount_of, scale_factor
from promptyard.metrics.check import JsonCheck
from promptyard.metrics.comparison import Normalization, comparison_key, normalized
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import (
    ABSENT,
    as_array,
    lookup,
    path_parts,
    pointer,
    shorten,
)
from promptyard.metrics.number_text import number_of
from promptyard.metrics.similarity import overlap
from promptyard.records.base import Json, as_object
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import HitCounts, Score

Mode: TypeAlias = Literal["f1", "exact", "subset", "superset"]
Item: TypeAlias = tuple[str | None, Json]
"""The key of an item, which only those of objects have, and the item."""

MODES: tuple[Mode, ...] = ("f1", "exact", "subset", "superset")


class ItemSet(NamedTuple):
    """Items in their order, the key by which each is compared, and how often a key occurs."""

    items: Sequence[Item]
    keys: Sequence[Hashable]
    counts: Counter[Hashable]

    def beyond(self, other: ItemSet) -> list[Item]:
        """Return the items that the other one has not, or not as often, in their order."""
        left = Counter(other.counts)
        found: list[Item] = []
        for item, key in zip(self.items, self.keys, strict=True):
            left[key] -= 1
            if left[key] < 0:
                found.append(item)
        return found


NOTHING = ItemSet((), (), Counter())


class FieldSet(JsonCheck):
    """Compare the items of a list, or the pairs of an object, with the expected ones, unordered.

    The items are a multiset: one that is given twice must be expected twice. They are compared
    deeply, as in `equals`. Of an object each (key, value) pair is an item.

    Options:
        field: the list or object, as a dotted path; default: the whole answer.
        value: the expected list or object, when it is the same for all cases; default: the
            case's, at `field`.
        mode: `f1` (default, the value is the F1 of the two multisets), `exact` (1 or 0),
            `subset` (every given item is expected) or `superset` (every expected one is given).
        normalize: `none`, `strip` (default), `casefold` or `squad`, for the texts in the items.
        numeric: true compares items that are numbers by value, also those written as text, as in
            `numeric`; default false.
        scale: another field, as in `field_numeric`, whose word (thousand, million, percent ...)
            multiplies the items that are numbers, in the answer and in the expectation. An item
            may bring its own scale (`$9.5 million`, `49%`) and be negative in brackets, `$(31.5)`.
            Makes it `numeric`.
        allow_fence: as in `is_json`.

    Two empty sets are equal. Below 1.0 it has the tag `wrong_value` and the field; an absent field
    has `missing_required_field`, what is no list (or no object where one is expected) `wrong_type`,
    and an unknown scale `invalid_enum`, too, and all are 0, as is an answer that is not JSON, with
    `invalid_json`. `Score.counts` has
    the hits, so that reports can give micro-averages. Soft, accuracy. A case that expects neither
    list nor object there is unscored.
    """

    name = "field_set"
    tag = "wrong_value"
    option_names = ("field", "value", "mode", "normalize", "numeric", "scale", "allow_fence")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.field = self.options.text("field") if self.options.has("field") else None
        self.mode: Mode = self.options.choice("mode", MODES, "f1")
        self.normalize: Normalization = self.normalize_option()
        self.numeric = self.options.flag("numeric")
        self.scale = self.options.text("scale") if self.options.has("scale") else None
        self.has_value = self.options.has("value")
        if self.has_value and _items(self.options.value("value")) is None:
            value = self.options.value("value")
            raise self.options.wrong("value", "must be a list or a mapping", value)

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Look for the expectation first: a case without one is unscored whatever the answer."""
        expected = self._item_set(self._expected(case), self._gold_factor(case))
        findings = await super().score(case, completion)
        if all(score.counts is None for score in findings):  # not JSON: nothing was given
            return [_counted(score, NOTHING, expected) for score in findings]
        return findings

    def grade(self, case: Case, completion: Completion, value: Json) -> Sequence[Score]:
        """Count the items in common."""
        gold = self._expected(case)
        got = value if self.field is None else lookup(value, path_parts(value, self.field))
        expected = self._item_set(gold, self._gold_factor(case))
        factor = self._factor(value)
        same_kind = (as_array(got) is None) == (as_array(gold) is None)
        if got is ABSENT or not same_kind or _items(got) is None:
            cause = "missing_required_field" if got is ABSENT else "wrong_type"
            why = "is missing" if got is ABSENT else f"is {shorten(got)}"
            finding = self._wrong(completion, value, 0.0, f"{why}; expected {shorten(gold)}", cause)
            return (_counted(finding, NOTHING, expected),)
        if factor is None:
            why = f"has an unknown scale in '{self.scale}'; known: {', '.join(SCALES)[2:]}"
            finding = self._wrong(completion, value, 0.0, why, "invalid_enum")
            return (_counted(finding, NOTHING, expected),)
        given = self._item_set(got, factor)
        worth = self._worth(expected.counts, given.counts)
        if worth == 1.0:
            return (_counted(self.passed(field=self.field)[0], given, expected),)
        parts = (
            ("lacks", expected.beyond(given)),
            ("has unexpected", given.beyond(expected)),
        )
        why = " and ".join(f"{word} {_listed(items)}" for word, items in parts if items)
        return (_counted(self._wrong(completion, value, worth, why), given, expected),)

    def _worth(self, expected: Counter[Hashable], given: Counter[Hashable]) -> float:
        if self.mode == "subset":
            return float(given <= expected)
        if self.mode == "superset":
            return float(expected <= given)
        if self.mode == "exact":
            return float(given == expected)
        return overlap((given & expected).total(), given.total(), expected.total())

    def _expected(self, case: Case) -> Json:
        gold: Json = self.options.value("value") if self.has_value else case.expected
        if self.field is not None and not self.has_value:
            gold = lookup(gold, path_parts(gold, self.field))
        if _items(gold) is None:
            where = "'expected'" if self.field is None else f"'expected' at '{self.field}'"
            raise self.ungradable(case, f"{where} must be a list or an object")
        return gold

    def _factor(self, value: Json) -> Decimal | None:
        if self.scale is None:
            return Decimal(1)
        return scale_factor(lookup(value, path_parts(value, self.scale)))

    def _gold_factor(self, case: Case) -> Decimal:
        factor = Decimal(1) if self.has_value else self._factor(case.expected)
        if factor is None:
            raise self.ungradable(case, f"'expected' has an unknown scale in '{self.scale}'")
        return factor

    def _item_set(self, value: Json, factor: Decimal) -> ItemSet:
        items = _items(value) or ()
        keys = [self._key(item, factor) for item in items]
        return ItemSet(items, keys, Counter(keys))

    def _key(self, item: Item, factor: Decimal) -> Hashable:
        name, value = item
        number = None
        if self.scale is not None:
            number = amount_of(value, factor)
        elif self.numeric:
            number = number_of(value)
        key = comparison_key(value, self.normalize) if number is None else ("number", number)
        return (None if name is None else normalized(name, "none"), key)

    def _wrong(
        self, completion: Completion, value: Json, worth: float, why: str, *causes: str
    ) -> Score:
        where = "the output" if self.field is None else f"the field '{self.field}'"
        return self.partly(
            completion,
            worth,
            f"{where} {why}",
            tags=(*causes, self.tag),
            field=self.field,
            path=None if self.field is None else pointer(path_parts(value, self.field)),
        )


def _items(value: Json) -> Sequence[Item] | None:
    """Return the items of a list, or the pairs of an object; None for anything else."""
    pairs = as_object(value)
    if pairs is not None:
        return list(pairs.items())
    items = as_array(value)
    return None if items is None else [(None, item) for item in items]


def _listed(items: Sequence[Item]) -> str:
    """Write the first three items for a reason."""
    shown = [
        shorten(item, 50) if name is None else f"{shorten(name, 30)}: {shorten(item, 50)}"
        for name, item in items[:3]
    ]
    return ", ".join(shown) + (f" and {len(items) - 3} more" if len(items) > 3 else "")


def _counted(score: Score, given: ItemSet, expected: ItemSet) -> Score:
    counts = HitCounts(
        n_hits=(given.counts & expected.counts).total(),
        n_given=len(given.items),
        n_expected=len(expected.items),
    )
    return score.model_copy(update={"counts": counts})
