"""The base of all records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeAlias, cast

from pydantic import BaseModel, ConfigDict

from promptyard.records.canonical import canonical_json, content_hash, content_hash_of_list

__all__ = [
    "Json",
    "Record",
    "as_list",
    "as_object",
    "canonical_json",
    "content_hash",
    "content_hash_of_list",
]

Json: TypeAlias = Any  # a JSON value; pydantic's JsonValue costs a recursive check per case


class Record(BaseModel):
    """A frozen value that travels through the line. Unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with the fields of `update`; as in pydantic, these are not checked."""
        copied = super().model_copy(update=update, deep=deep)
        if update:
            # pydantic copies what a cached_property has computed: an id of the fields before.
            values = vars(copied)
            for name in values.keys() - type(self).model_fields.keys():
                del values[name]
        return copied


_NO_OBJECTS = (str, int, float, list, type(None))


def as_object(value: Json) -> Mapping[str, Json] | None:
    """Return a JSON object as such, or None for any other value."""
    if isinstance(value, dict):
        return value  # pyright: ignore[reportUnknownVariableType] (a cast is a call, and this is hot)
    if isinstance(value, _NO_OBJECTS):  # known at once; asking for a Mapping is ten times slower
        return None
    return cast("Mapping[str, Json]", value) if isinstance(value, Mapping) else None


def as_list(value: Json) -> list[Json] | None:
    """Return a JSON array as a list, or None for any other value."""
    return list(cast("list[Json]", value)) if isinstance(value, list | tuple) else None
