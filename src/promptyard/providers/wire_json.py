"""Bodies of requests as JSON: plain data that shares nothing, and the exact bytes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from promptyard.errors import PromptError
from promptyard.records.base import Json

RESERVED_PARAMS = ("model", "messages", "stream", "n")
"""Keys of a body that no prompt parameter may set: they would change what is asked of whom."""


def refuse_reserved(params: Mapping[str, Json], reserved: Sequence[str] = RESERVED_PARAMS) -> None:
    """Raise PromptError for a parameter that no prompt may set."""
    for key in reserved:
        if key in params:
            raise PromptError(
                f"Parameter {key!r} cannot be set by a prompt: every call asks one model for one "
                f"whole answer. Remove {key!r} from params."
            )


def plain(value: Json) -> Any:
    """Copy a JSON value into dicts and lists, so that a body can be changed without harm."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in cast("Mapping[str, Json]", value).items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in cast("Sequence[Json]", value)]
    return value


def wire_bytes(body: Mapping[str, Json]) -> bytes:
    """Write a body as the bytes that are posted: exactly its value, hashed nowhere otherwise.

    Keys stay in the order of the body, because models fill a JSON Schema in the order of its
    properties. Lone surrogates are written as escapes, since UTF-8 cannot say them. Raises
    ValueError for NaN and infinities.
    """
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
