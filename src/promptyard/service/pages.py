"""Lists by pages: an opaque cursor says where the next one begins. And ETags of single things."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query, Request, Response
from pydantic import BaseModel

from promptyard.records.base import Json, Record
from promptyard.service.problems import RequestRefused

Item = TypeVar("Item")

MAX_PAGE = 1_000
_MAX_NUMBER = 1 << 53

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="How many items at most.")]
Cursor = Annotated[
    str | None, Query(max_length=500, description="`next` of the page before; none for the first.")
]


class Page(Record, Generic[Item]):
    """A part of a list. `next` is the cursor of the part that follows, None at the end."""

    items: tuple[Item, ...]
    next: str | None = None


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
    start = place_of(cursor, int) or 0
    end = start + limit
    return Page(items=tuple(items[start:end]), next=cursor_of(end) if end < len(items) else None)


def tagged(request: Request, record: BaseModel) -> Response:
    """Answer with a record and its ETag, or with 304 where the caller has it already."""
    body = record.model_dump_json().encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if tag in [item.strip() for item in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(body, media_type="application/json", headers={"ETag": tag})
