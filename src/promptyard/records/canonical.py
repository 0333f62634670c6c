"""The canonical form of JSON that content hashes are taken of.

Apart from the records, so that a client can prove bytes before it has built any.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable
from typing import Any


def canonical_json(value: Any) -> str:
    """Write a JSON value in the one form that is hashed: sorted keys, no spaces, NFC text.

    Raises ValueError for NaN and infinities, which JSON cannot say.
    """
    text = json.dumps(
        value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )
    return unicodedata.normalize("NFC", text)


def content_hash(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON form of `value`; lone surrogates are kept apart."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def content_hash_of_list(values: Iterable[Any]) -> str:
    """Return `content_hash(list(values))`, with no more than one value in memory at a time."""
    # Normalising piece by piece is the same: pieces begin and end with ASCII, which joins nothing.
    digest = hashlib.sha256(b"[")
    for number, value in enumerate(values):
        digest.update(b"," if number else b"")
        digest.update(canonical_json(value).encode("utf-8", "surrogatepass"))
    digest.update(b"]")
    return digest.hexdigest()
