"""Reads the options of a check and says in one line what is wrong with them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar, cast

from promptyard.errors import ConfigError
from promptyard.metrics.json_text import as_array, shorten
from promptyard.records.base import Json, as_object
from promptyard.records.cases import CheckSpec

COMMON_KEYS: tuple[str, ...] = tuple(
    name for name in CheckSpec.model_fields if name not in {"type", "options"}
)
"""Keys that every check has; a misspelt one arrives among the options."""

Word = TypeVar("Word", bound=str)


def plain_name(name: str) -> str:
    """Write the name of a check or a part as our tables do: small letters and underscores."""
    return name.strip().replace("-", "_").lower()


class Options:
    """The options of one check, read by type. Every method raises ConfigError in one line."""

    def __init__(self, spec: CheckSpec, known: Sequence[str]) -> None:
        self.check = spec.type
        self._values: Mapping[str, Json] = spec.options
        for name in spec.options:
            if name not in known:
                raise ConfigError(
                    f"check '{spec.type}': unknown option '{name}'"
                    + nearest(name, known, (*known, *COMMON_KEYS)),
                    key=(name,),
                )

    def has(self, name: str) -> bool:
        """Whether the user wrote this option; an explicit null counts as written."""
        return name in self._values

    def either(self, name: str, alias: str) -> str:
        """Return which of two spellings of one option was written (`name` where neither was)."""
        if self.has(name) and self.has(alias):
            raise self.wrong(alias, f"is another spelling of '{name}': give one of them")
        return alias if self.has(alias) else name

    def value(self, name: str) -> Json:
        """Return an option that may be any JSON value, None where it was not written."""
        return self._values.get(name)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a true-or-false option."""
        value = self._values.get(name, default)
        if not isinstance(value, bool):
            raise self.wrong(name, "must be true or false", value)
        return value

    def text(self, name: str) -> str:
        """Return an option that must be a text with something in it."""
        self._must_have(name)
        value = self._values[name]
        if not isinstance(value, str) or not value:
            raise self.wrong(name, "must be a text that is not empty", value)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return an option that must be a list of texts; a comma inside a text does not split."""
        self._must_have(name)
        value = self._values[name]
        items = as_array(value)
        if not items or not all(isinstance(item, str) and item for item in items):
            raise self.wrong(name, "must be a list of texts (commas do not split)", value)
        return tuple(items)

    def text_or_texts(self, name: str) -> tuple[str, ...]:
        """Return an option that must be a text or a list of texts."""
        one = isinstance(self._values.get(name), str)
        return (self.text(name),) if one else self.texts(name)

    def array(self, name: str) -> tuple[Json, ...]:
        """Return an option that must be a list with something in it."""
        self._must_have(name)
        value = self._values[name]
        items = as_array(value)
        if not items:
            raise self.wrong(name, "must be a list that is not empty", value)
        return tuple(items)

    def mapping(self, name: str) -> Mapping[str, Json]:
        """Return an option that must be a mapping."""
        self._must_have(name)
        value = self._values[name]
        found = as_object(value)
        if found is None:
            raise self.wrong(name, "must be a mapping", value)
        return found

    def choice(self, name: str, allowed: Sequence[Word], default: Word) -> Word:
        """Return an option that must be one of a few words."""
        value = self._values.get(name, default)
        for word in allowed:
            if word == value:
                return word
        raise ConfigError(
            f"check '{self.check}': option '{name}' cannot be {shorten(value)}"
            + nearest(str(value), allowed, allowed),
            key=(name,),
        )

    def seconds(self, name: str, *, default: float, most: float) -> float:
        """Return a time in seconds in (0, most]."""
        value = self._values.get(name, default)
        number = not isinstance(value, bool) and isinstance(value, int | float)
        if not number or not math.isfinite(value) or not 0 < value <= most:
            raise self.wrong(name, f"must be seconds, more than 0 and at most {most:g}", value)
        return float(value)

    def number(self, name: str, *, least: float = -math.inf) -> float | None:
        """Return an option that is a finite number, None where it was not written."""
        if not self.has(name):
            return None
        value = self._values[name]
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        if not plain or not math.isfinite(value) or value < least:
            words = "a number" if least == -math.inf else f"a number of at least {least:g}"
            raise self.wrong(name, f"must be {words}", value)
        return cast("float", value)

    def count(self, name: str) -> int | None:
        """Return an option that is a whole number, 0 or more, None where it was not written."""
        value = self.number(name, least=0)
        if value is None or isinstance(value, int):
            return value
        raise self.wrong(name, "must be a whole number, 0 or more", value)

    def share(self, name: str, *, default: float) -> float:
        """Return an option in (0, 1]."""
        value = self.number(name) if self.has(name) else default
        if value is None or not 0 < value <= 1:
            raise self.wrong(name, "must be more than 0 and at most 1", value)
        return value

    def whole_number(self, name: str, *, default: int, least: int = 0) -> int:
        """Return a whole number of at least `least`."""
        value = self._values.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.wrong(name, f"must be a whole number, {least} or more", value)
        return value

    def wrong(self, name: str, why: str, *got: Json) -> ConfigError:
        """Build the error for one option: what it must be and, where given, what it is."""
        shown = "".join(f", got {shorten(value)}" for value in got)
        return ConfigError(f"check '{self.check}': option '{name}' {why}{shown}", key=(name,))

    def _must_have(self, name: str) -> None:
        if name not in self._values:
            raise ConfigError(f"check '{self.check}': option '{name}' is missing; add it")


def nearest(word: str, known: Iterable[str], candidates: Iterable[str]) -> str:
    """Write how an error about an unknown word ends: the nearest candidate, else all known."""
    close = difflib.get_close_matches(word, list(candidates), n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known: {', '.join(known) or 'none'}"
