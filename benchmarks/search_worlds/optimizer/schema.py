"""Fills a JSON Schema by the names of its properties."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from search_worlds.optimizer.prompts import Part
from search_worlds.optimizer.rewriting import Edit

Schema = Mapping[str, Any]
PROMPT = re.compile(r"prompt|instruction|candidate|rewrite|variant", re.IGNORECASE)
EXPLAINED = re.compile(r"why|reason|hypothes|critique|cause|explan|diagnos|analys|note", re.I)
OP = re.compile(r"^(?:op|operation|action|kind|type|mode)$", re.IGNORECASE)
PLACE = re.compile(r"section|part|span|region|where|^id$", re.IGNORECASE)
OLD = re.compile(r"old|find|anchor|search|target|before|original|quote|from", re.IGNORECASE)
NEW = re.compile(r"new|replac|with|text|content|insert|sentence|^to$", re.IGNORECASE)
WORDS_OF = {
    "append": "append|add|insert",
    "insert_after": "after|insert|add",
    "replace": "replac|edit|change|sub",
    "delete": "delet|remov|drop",
}


@dataclass(frozen=True)
class Answers:
    """What there is to fill in: prompts by number, edits, and what explains them."""

    prompt: Callable[[int], str]
    edits: Callable[[], Sequence[Edit]]
    part_texts: Callable[[], Sequence[Part]]
    explanation: Callable[[], str]
    n_prompts: int


def filled(schema: Schema, answers: Answers) -> Any:
    """A value that fits the schema."""
    definitions = schema.get("$defs", schema.get("definitions", {}))
    return _Filler(cast("Schema", definitions), answers).value(schema, "", 0)


class _Filler:
    def __init__(self, definitions: Schema, answers: Answers) -> None:
        self._definitions = definitions
        self._answers = answers

    def value(self, given: Schema, name: str, number: int) -> Any:
        """Fill one schema; `number` tells candidates of one array apart."""
        schema = self._resolved(given)
        if "enum" in schema or "const" in schema:
            return schema["enum"][0] if "enum" in schema else schema["const"]
        kind = schema.get("type")
        if "properties" in schema or kind == "object":
            properties = cast("Mapping[str, Schema]", schema.get("properties", {}))
            return {key: self.value(item, key, number) for key, item in properties.items()}
        if kind == "array":
            return self._array(schema, name)
        if kind in {"number", "integer"}:
            return 1
        if kind == "boolean":
            return True
        if PROMPT.search(name) and not EXPLAINED.search(name):
            return self._answers.prompt(number)
        return self._answers.explanation()

    def _resolved(self, schema: Schema) -> Schema:
        if "$ref" in schema:
            return self._resolved(self._definitions[str(schema["$ref"]).rsplit("/", 1)[-1]])
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return self._resolved(
                    next(item for item in schema[key] if item.get("type") != "null")
                )
        return schema

    def _array(self, schema: Schema, name: str) -> list[Any]:
        items = self._resolved(cast("Schema", schema.get("items", {})))
        properties = cast("Mapping[str, Schema]", items.get("properties", {}))
        if properties:
            has_old = any(OLD.search(key) for key in properties)
            has_new = any(NEW.search(key) and not PLACE.search(key) for key in properties)
            if has_old:
                return [self._edit(properties, edit) for edit in self._answers.edits()]
            if has_new and any(PLACE.search(key) for key in properties):
                parts = self._answers.part_texts()
                return [
                    self._edit(properties, Edit("replace", part.id, "", part.text))
                    for part in parts
                ]
            return [self.value(items, name, n) for n in range(self._answers.n_prompts)]
        if PROMPT.search(name):
            return [self._answers.prompt(n) for n in range(self._answers.n_prompts)]
        return [edit.new for edit in self._answers.edits()]

    def _edit(self, properties: Mapping[str, Schema], edit: Edit) -> dict[str, Any]:
        return {
            key: self._edit_field(key, self._resolved(item), edit)
            for key, item in properties.items()
        }

    def _edit_field(self, key: str, schema: Schema, edit: Edit) -> Any:
        allowed = cast("Sequence[Any]", schema.get("enum", ()))
        if OP.search(key):
            fits = [item for item in allowed if re.search(WORDS_OF[edit.op], str(item), re.I)]
            return (fits or [*allowed, edit.op])[0]
        if EXPLAINED.search(key):
            return self._answers.explanation()
        if PLACE.search(key) and not OLD.search(key):
            return edit.section if not allowed or edit.section in allowed else allowed[0]
        if OLD.search(key):
            return edit.old
        if NEW.search(key):
            return edit.new
        return self.value(schema, key, 0)
