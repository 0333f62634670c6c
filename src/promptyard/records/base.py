"""The base of all records, and the canonical form that content hashes are taken of."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, cast

from pydantic import BaseModel, ConfigDict

Json: TypeAlias = Any  # a JSON value; pydantic's JsonValue costs a recursive check per case


class Record(BaseModel):
    """A frozen value that travels through the line. Unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def canonical_json(value: Json) -> str:
    """Write a JSON value in the one form that is hashed: sorted keys, no spaces, NFC text.

    Raises ValueError for NaN and infinities, which JSON cannot say.
    """
    text = json.dumps(
        value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )
    return unicodedata.normalize("NFC", text)


def content_hash(value: Json) -> str:
    """SHA-256 (hex) of the canonical JSON form of `value`; lone surrogates are kept apart."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def content_hash_of_list(values: Iterable[Json]) -> str:
    """Return `content_hash(list(values))`, with no more than one value in memory at a time."""
    # Normalising piece by piece is the same: pieces begin and end with ASCII, which joins nothing.
    digest = hashlib.sha256(b"[")
    for number, value in enumerate(values):
        digest.update(b"," if number else b"")
        digest.update(canonical_json(value).encode("utf-8", "surrogatepass"))
    digest.update(b"]")
    return digest.hexdigest()


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
