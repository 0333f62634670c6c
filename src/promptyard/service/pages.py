"""Lists by pages: an opaque cursor says where the next one begins. And ETags of single things."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from pydantic_core import PydanticSerializationError, to_json

from promptyard.records.base import Json, Record, as_list, as_object
from promptyard.service.problems import RequestRefused

Item = TypeVar("Item")

MAX_PAGE = 1_000
_MAX_NUMBER = 1 << 53
REVALIDATED = "private, no-cache"
"""What may change: a cache asks with the ETag whether it has."""
IMMUTABLE = "private, max-age=31536000, immutable"
"""What never changes: nobody needs to ask again."""
TAGGED: dict[int | str, dict[str, Any]] = {
    200: {"headers": {"ETag": {"description": "Its state.", "schema": {"type": "string"}}}},
    304: {"description": "The caller has it already (`If-None-Match`)."},
    412: {"description": "It has changed (`If-Match`)."},
}
"""What a route that answers by `tagged` documents beside its record."""

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="How many items at most.")]
Cursor = Annotated[
    str | None, Query(max_length=500, description="`next` of the page before; none for the first.")
]


class Page(Record, Generic[Item]):
    """A part of a list. `next` is the cursor of the part that follows, None at the end."""

    items: tuple[Item, ...] = Field(description="What is on this page, in the order of the list.")
    next: str | None = Field(
        default=None, description="The `cursor` of the next page; null where this is the last."
    )


def cursor_of(place: Json) -> str:
    """Write where a page ended as a cursor."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def place_of(cursor: str | None, kind: type[Item]) -> Item | None:
    """Read a cursor, whose place is of `kind`. Raises RequestRefused for one that is not ours."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        place = json.loads(base64.b64decode(padded.encode("ascii"), b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        place = None
    is_beyond = isinstance(place, int) and not 0 <= place <= _MAX_NUMBER
    if not isinstance(place, kind) or isinstance(place, bool) or is_beyond:
        detail = "the cursor is not one of this list; begin without one"
        raise RequestRefused(400, "cursor", detail)
    return place


def slice_of(items: Sequence[Item], cursor: str | None, limit: int) -> Page[Item]:
    """Return a page of a list that is read as a whole; the cursor counts its items."""
    start = number_of(cursor) or 0
    end = start + limit
    return Page(items=tuple(items[start:end]), next=cursor_of(end) if end < len(items) else None)


def log_of(items: Sequence[Item], cursor: str | None, limit: int) -> Page[Item]:
    """Return a page of a log that is read as a whole, oldest first: the newest of it come first.

    The cursor counts the items that are left, so entries that are added meanwhile shift nothing.
    """
    end = number_of(cursor)
    end = len(items) if end is None else min(end, len(items))
    start = max(0, end - limit)
    return Page(items=tuple(items[start:end][::-1]), next=cursor_of(start) if start else None)


def page_of(items: Sequence[Item], limit: int, place: Callable[[Item], Json]) -> Page[Item]:
    """Return a page of what was read with one item more than `limit`, to see whether there is more.

    `place` is where an item stands: that of the last one is the cursor.
    """
    more = len(items) > limit
    shown = tuple(items[:limit])
    return Page(items=shown, next=cursor_of(place(shown[-1])) if more else None)


def part_of(items: Sequence[Item], start: int, limit: int) -> Page[Item]:
    """Return a page of what was read from `start` on, with one item more than `limit`."""
    more = len(items) > limit
    return Page(items=tuple(items[:limit]), next=cursor_of(start + limit) if more else None)


def number_of(cursor: str | None) -> int | None:
    """Read a cursor that is a number. Raises RequestRefused for one that is not ours."""
    return place_of(cursor, int)


class JsonAnswer(JSONResponse):
    """JSON of whatever texts are stored: signs that UTF-8 cannot say are escaped."""

    def render(self, content: Json) -> bytes:
        """Write the content."""
        return json_bytes(content)


def json_bytes(value: Json) -> bytes:
    """Write a JSON value; infinities, which JSON has not, as null."""
    try:
        return to_json(value, inf_nan_mode="null")
    except PydanticSerializationError:  # lone surrogates
        return json.dumps(sayable_numbers(value), separators=(",", ":")).encode("ascii")


def sayable_numbers(value: Json) -> Json:
    """Replace what JSON has no number for by None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if (given := as_object(value)) is not None:
        return {key: sayable_numbers(item) for key, item in given.items()}
    if (items := as_list(value)) is not None:
        return [sayable_numbers(item) for item in items]
    return value


def tagged(request: Request, record: BaseModel, *, cache: str = REVALIDATED) -> Response:
    """Answer with a record and its ETag, or with 304 where the caller has it already.

    Raises RequestRefused with 412 where the caller wants another state (`If-Match`).
    """
    body = json_bytes(record.model_dump(mode="json", by_alias=True))
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": cache}
    wanted = request.headers.get("if-match")
    if wanted is not None and not _names(wanted, tag):
        detail = f"this has changed: its ETag is {tag} now; read it again"
        raise RequestRefused(412, "changed", detail)
    if _names(request.headers.get("if-none-match", "").replace("W/", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _names(header: str, tag: str) -> bool:
    given = [item.strip() for item in header.split(",")]
    return "*" in given or tag in given
