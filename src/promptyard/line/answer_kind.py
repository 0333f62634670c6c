"""Guesses what kind of answer a task wants from what its cases expect. Pure.

The guess is for a person to look at: it comes with its reason, and a new task is written so that
each part of it can be changed by hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from promptyard.evalset.wording import some
from promptyard.metrics.comparison import label_text
from promptyard.metrics.number_text import number_of
from promptyard.records.base import Json, Record, as_list, as_object

Kind: TypeAlias = Literal["label", "number", "object", "list", "text", "open"]

MAX_LABELS = 100
MAX_LABEL_CHARS = 60
MAX_LABEL_WORDS = 6
MAX_NUMERIC_LABELS = 5
MAX_FIELD_LABELS = 12
MAX_COMPARED_WORDS = 6


class AnswerKind(Record):
    """A kind of answer, why it was guessed, and what the task needs of it.

    `labels` are those of the kind `label`; `schema` and `field_notes` (what the prompt says of each
    field) those of `object` and `list`. `checks` go into task.yaml; `asides` are lines that stand
    beside them as comments.
    """

    kind: Kind
    why: str
    checks: tuple[Mapping[str, Json], ...]
    asides: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    json_schema: Mapping[str, Json] | None = None
    field_notes: Mapping[str, str] = {}


RUBRIC = '{type: llm_rubric, rubric: "The answer says what the expected answer says.", \
show: [input, expected]}'


def guess_kind(expected: Sequence[Json]) -> AnswerKind:
    """Guess the kind of answer from the expectations of all cases; null is not given."""
    given = [_first_alternative(value) for value in expected if value is not None]
    if not given:
        return AnswerKind(
            kind="open",
            why="no column says what is expected, so only the form of an answer can be checked",
            checks=({"type": "word_count", "min": 1},),
            asides=(
                "a rubric is read by a judge model (models.judge); say what a good answer is:",
                '{type: llm_rubric, rubric: "..."}',
            ),
        )
    if all(as_object(value) is not None for value in given):
        return _object([as_object(value) or {} for value in given])
    if all(as_list(value) is not None for value in given):
        return _list([as_list(value) or [] for value in given])
    texts = [label_text(value) for value in given]
    known = [text for text in texts if text is not None]
    labels = labels_of(known) if len(known) == len(texts) else ()
    if _are_numbers(given) and not _are_grades(known, labels):
        return AnswerKind(
            kind="number",
            why=f"all {len(given)} expected values are numbers",
            checks=({"type": "numeric"},),
            asides=("a difference that does not matter: {type: numeric, tolerance: 0.01}",),
        )
    if labels:
        return AnswerKind(
            kind="label",
            why=f"{len(given)} expected values are only {len(labels)} labels: {some(labels)}",
            checks=({"type": "exact_match"},),
            labels=labels,
        )
    return AnswerKind(
        kind="text",
        why=f"the {len(given)} expected values are free text, compared by the words in common",
        checks=({"type": "f1", "threshold": 0.7},),
        asides=("a judge model (models.judge) sees more than common words do:", RUBRIC),
    )


def labels_of(texts: Sequence[str], most: int = MAX_LABELS) -> tuple[str, ...]:
    """Return the distinct texts, most frequent first, where they are few and short; else ()."""
    counts = Counter(text.strip() for text in texts)
    few = len(counts) <= min(most, max(2, len(texts) // 2)) and (len(texts) > len(counts) > 1)
    short = all(
        0 < len(text) <= MAX_LABEL_CHARS
        and len(text.split()) <= MAX_LABEL_WORDS
        and "\n" not in text
        for text in counts
    )
    return tuple(sorted(counts, key=lambda text: (-counts[text], text))) if few and short else ()


def _first_alternative(value: Json) -> Json:
    """Look into `{any_of: [...]}` and `{min, max}`, which checks take for accepted answers."""
    found = as_object(value) or {}
    if set(found) == {"any_of"}:
        items = as_list(found["any_of"])
        return items[0] if items else value
    if found and set(found) <= {"min", "max"}:
        return next(iter(found.values()))
    return value


def _are_numbers(values: Sequence[Json]) -> bool:
    return all(number_of(value) is not None for value in values)


def _are_grades(texts: Sequence[str], labels: Sequence[str]) -> bool:
    """Tell 0 and 1, or the grades from 1 to 5, from numbers that were worked out."""
    whole = all(text.strip().isdigit() and len(text.strip()) == 1 for text in texts)
    return bool(labels) and whole and len(labels) <= MAX_NUMERIC_LABELS


def _object(objects: Sequence[Mapping[str, Json]]) -> AnswerKind:
    names = list(dict.fromkeys(name for item in objects for name in item))
    notes: dict[str, str] = {}
    checks: list[Mapping[str, Json]] = [{"type": "json_schema"}]
    asides: list[str] = []
    for name in names:
        values = [item[name] for item in objects if name in item]
        notes[name] = _note(values)
        check = _field_check(name, values)
        if len(values) < len(objects):
            asides.append(f"not in every expected object, so not compared: {name}")
        elif check is None:
            asides.append(f"free text or null, for a judge model (models.judge) to compare: {name}")
        else:
            checks.append(check)
    if any(aside.startswith("free text") for aside in asides):
        asides.append(RUBRIC)
    return AnswerKind(
        kind="object",
        why=f"all {len(objects)} expected values are JSON objects with the fields {some(names)}",
        checks=tuple(checks),
        asides=tuple(asides),
        json_schema=as_object(_schema(list(objects))),
        field_notes=notes,
    )


def _list(lists: Sequence[list[Json]]) -> AnswerKind:
    return AnswerKind(
        kind="list",
        why=f"all {len(lists)} expected values are JSON lists, compared whatever their order",
        checks=({"type": "is_json"}, {"type": "field_set"}),
        field_notes={"each item": _note([item for values in lists for item in values])},
    )


def _schema(values: Sequence[Json]) -> Json:
    """Infer the schema that all values meet: types, labels, fields, the items of lists."""
    types = _types_of(values)
    if labels := _field_labels(values):
        return {"enum": [*labels, *([None] if "null" in types else [])]}
    schema: dict[str, Json] = {"type": types[0] if len(types) == 1 else list(types)}
    objects = [found for value in values if (found := as_object(value)) is not None]
    if objects:
        names = dict.fromkeys(name for item in objects for name in item)
        schema["properties"] = {
            name: _schema([item[name] for item in objects if name in item]) for name in names
        }
        schema["required"] = [name for name in names if all(name in item for item in objects)]
        schema["additionalProperties"] = False
    items = [item for value in values for item in as_list(value) or ()]
    if "array" in types:
        schema["items"] = _schema(items) if items else {}
    return schema


def _field_labels(values: Sequence[Json]) -> tuple[str, ...]:
    texts = [value for value in values if isinstance(value, str)]
    only = set(_types_of(values)) <= {"string", "null"}
    return labels_of(texts, MAX_FIELD_LABELS) if only else ()


def _field_check(name: str, values: Sequence[Json]) -> Mapping[str, Json] | None:
    """Return the check that compares a field; None for free text that may be null."""
    types = _types_of(values)
    texts = [value for value in values if isinstance(value, str)]
    if types == ["array"]:
        return {"type": "field_set", "field": name}
    if set(types) <= {"integer", "number"}:
        return {"type": "field_numeric", "field": name}
    if texts and not _field_labels(values):
        n_words = sum(len(text.split()) for text in texts)
        if n_words > MAX_COMPARED_WORDS * len(texts):
            return None if "null" in types else {"type": "f1", "field": name, "threshold": 0.7}
        return {"type": "field_equals", "field": name, "normalize": "casefold"}
    return {"type": "field_equals", "field": name}


def _note(values: Sequence[Json]) -> str:
    """Say in words of a prompt what a field holds."""
    types = _types_of(values)
    labels = _field_labels(values)
    named = {
        "array": "a list",
        "boolean": "true or false",
        "integer": "a whole number",
        "number": "a number",
        "object": "an object",
        "string": f"one of: {', '.join(labels)}" if labels else "a text",
    }
    said = " or ".join(named[kind] for kind in types if kind != "null")
    if "null" not in types:
        return said
    return f"{said}. Null where it is missing" if said else "null"


def _types_of(values: Sequence[Json]) -> list[str]:
    types = list(dict.fromkeys(_type_of(value) for value in values))
    return [kind for kind in types if kind != "integer" or "number" not in types]


def _type_of(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if as_list(value) is not None else "object"
