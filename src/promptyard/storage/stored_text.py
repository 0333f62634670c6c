"""How records and names are written as text, so that both databases keep the same.

Records are stored as JSON text. JSON escapes NUL, which PostgreSQL cannot hold in a text, and
lone surrogates are escaped here; so every value comes back as it went in, on both databases.
Names of things are plain text columns: what a database could not hold in them is refused.
"""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from promptyard.errors import NameRefused
from promptyard.records.base import Json, Record

MAX_NAME_LENGTH = 200
"""Characters of a name or id. An index row of PostgreSQL holds 2.7 kB; a key has up to 3 names."""

AnyRecord = TypeVar("AnyRecord", bound=Record)


def to_text(record: Record) -> str:
    """Write a record as JSON text that `from_text` reads back equal."""
    # pydantic's own JSON would write infinities, which intervals have, as null, and it refuses
    # lone surrogates. Records hold nothing but JSON values, records and tuples of them.
    return json_text(record.model_dump())


def from_text(kind: type[AnyRecord], text: str) -> AnyRecord:
    """Read a record that `to_text` wrote."""
    try:
        return kind.model_validate_json(text)
    except ValidationError:  # lone surrogates, which only the standard library reads
        return kind.model_validate(json.loads(text))


def json_text(value: Json) -> str:
    """Write a JSON value as text that every database can hold."""
    try:
        # Four times faster than json.dumps, which matters: this is done for every model call.
        return to_json(value, inf_nan_mode="constants").decode()
    except PydanticSerializationError:  # lone surrogates, or nested deeper than it goes
        return json.dumps(value, separators=(",", ":"))


def shown_text(text: str) -> str:
    """Return `text` for a column that only repeats what a record says: unstorable signs as �."""
    text = text.replace("\x00", "\ufffd")
    return text if _encodable(text) else text.encode("utf-8", "replace").decode("utf-8")


def check_names(**names: str) -> None:
    """Raise NameRefused for a name or id that one of the databases could not hold or index."""
    check_characters(**names)
    for what, name in names.items():
        if len(name) > MAX_NAME_LENGTH:
            raise NameRefused(
                f"The {what.replace('_', ' ')} '{name[:40]}...' has {len(name)} characters; "
                f"use at most {MAX_NAME_LENGTH}."
            )


def check_characters(**texts: str) -> None:
    """Raise NameRefused for a text of any length that one of the databases could not hold."""
    for what, text in texts.items():
        if "\x00" in text or not _encodable(text):
            raise NameRefused(
                f"The {what.replace('_', ' ')} {text!a} contains a character that cannot be "
                "stored; leave out NUL and lone surrogates."
            )


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
