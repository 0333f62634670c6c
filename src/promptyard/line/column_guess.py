"""Guesses which column of a table is what is expected, where no name of one says it. Pure."""

from __future__ import annotations

from collections.abc import Collection

from promptyard.line.answer_kind import labels_of
from promptyard.records.imported import ImportedSet

ANSWER_WORDS = (
    "category", "class", "topic", "intent", "sentiment", "team", "queue", "rating", "stars", "type",
)  # fmt: skip
"""Words in the names of columns that are rather an answer than an input."""


def likely_expected(table: ImportedSet, said: Collection[str] = ()) -> str | None:
    """Return a column whose texts are few labels, where another one stays as the input.

    One that is named like an answer goes before others, a later one before an earlier one. None
    where a column is what is expected already; columns in `said` are what a person said they are.
    """
    fields = table.mapping
    if "expected" in fields.values():
        return None
    inputs = {
        column: field.removeprefix("input.")
        for column, field in fields.items()
        if field.startswith("input.")
    }
    if len(inputs) < 2:
        return None
    later_first = [item for item in reversed(inputs.items()) if item[0] not in said]
    named = {column for column in inputs if any(w in column.casefold() for w in ANSWER_WORDS)}
    for column, variable in sorted(later_first, key=lambda item: item[0] not in named):
        values = [item.row["input"].get(variable) for item in table.rows]
        texts = [value for value in values if isinstance(value, str)]
        given = [text for text in texts if text.strip()]  # a row may not be labelled yet
        if len(texts) == len(values) and labels_of(given):
            return column
    return None
