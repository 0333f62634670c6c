"""Reads the spool of a client: a folder of segments, files of one live event a line.

Whatever stands in a line is read as an event or comes back as rejected, with the reason: nothing is
skipped in silence, and no line can stop the reading. Nothing is written here.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

from pydantic import TypeAdapter, ValidationError

from promptyard.records.base import Json, as_list, as_object
from promptyard.records.live import Feedback, LiveEvent, Outcome

RejectedKind: TypeAlias = Literal["too_long", "cut_off", "no_json", "no_event", "not_storable"]

CLOSED = ".jsonl"
OPEN = ".jsonl.open"
MAX_LINE_BYTES = 1 << 20
"""Longest line that is read as an event, 1 MiB."""

MAX_NAME_CHARS = 200
"""Longest name or id; the store holds no longer one."""

_MAX_WHOLE = 1 << 53  # larger numbers are no amounts, and no sum of floats holds them
_EVENT: TypeAdapter[LiveEvent] = TypeAdapter(LiveEvent)
_NUMBERS = (b"NaN", b"Infinity", b"e", b"E")


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of a spool. `name` is the same while it is open and afterwards."""

    name: str
    path: Path
    n_bytes: int
    is_open: bool
    modified_s: float


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that is no event: its number from 1, why (a word and a sentence), its beginning."""

    line_number: int
    kind: RejectedKind
    reason: str
    line: bytes
    n_bytes: int


def segments(folder: Path) -> list[Segment]:
    """Return the segments of a spool, oldest first by name; what is no plain file is none.

    Raises OSError when the folder cannot be read.
    """
    found: list[Segment] = []
    for path in folder.iterdir():
        if not path.name.endswith((CLOSED, OPEN)):
            continue
        try:
            about = path.lstat()
        except FileNotFoundError:  # it was closed or collected a moment ago
            continue
        if stat.S_ISREG(about.st_mode):
            name = path.name.removesuffix(".open").removesuffix(CLOSED)
            is_open = path.name.endswith(OPEN)
            found.append(Segment(name, path, about.st_size, is_open, about.st_mtime))
    return sorted(found, key=lambda segment: (segment.name, not segment.is_open))


def read_segment(segment: Segment) -> Iterator[LiveEvent | Rejected]:
    """Yield what the lines of one segment are, in their order; one line in memory at a time.

    A last line without an end is left for later where the segment is open: it may still be growing.
    A closed one was cut there, so it is rejected. Raises OSError.
    """
    with segment.path.open("rb") as file:
        yield from read_lines(file, is_growing=segment.is_open)


def read_lines(file: BinaryIO, *, is_growing: bool = False) -> Iterator[LiveEvent | Rejected]:
    """Yield what lines of events are, wherever they come from; see `read_segment`."""
    for number, (line, n_bytes, is_whole) in enumerate(_lines(file), start=1):
        if not is_whole and is_growing:
            return
        if n_bytes > MAX_LINE_BYTES:
            reason = f"{n_bytes:,} bytes; an event has {MAX_LINE_BYTES:,} at most"
            yield Rejected(number, "too_long", reason, line, n_bytes)
        elif line.strip():
            event = _event(number, line)
            if not is_whole and isinstance(event, Rejected):
                event = replace(event, kind="cut_off")
            yield event


def _lines(file: BinaryIO) -> Generator[tuple[bytes, int, bool]]:
    """Yield (beginning, length, has an end) of each line, without its end."""
    while head := file.readline(MAX_LINE_BYTES + 1):
        n_bytes = len(head)
        part = head
        while part and not part.endswith(b"\n"):
            part = file.readline(MAX_LINE_BYTES)
            n_bytes += len(part)
        is_whole = part.endswith(b"\n")
        yield head.rstrip(b"\r\n")[:MAX_LINE_BYTES], n_bytes - is_whole, is_whole


def _event(number: int, line: bytes) -> LiveEvent | Rejected:
    kind: RejectedKind = "no_json"
    try:
        event = _parsed(line)
        reason = _unusable(event, line)
        if reason is None:
            return event
        kind = "not_storable"
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        kind = "no_json" if first["type"] == "json_invalid" else "no_event"
        place = ".".join(str(part) for part in first["loc"])
        reason = f"{place}: {first['msg']}" if place else first["msg"]
    except RecursionError:
        reason = "nested too deep"
    except ValueError as error:
        reason = str(error).splitlines()[0]
    return Rejected(number, kind, reason[:300], line, len(line))


def _parsed(line: bytes) -> LiveEvent:
    try:
        return _EVENT.validate_json(line, strict=True)
    except ValidationError:
        if b"\\u" not in line:
            raise
    # Lone surrogates, which a model may write, are read by the standard library only.
    return _EVENT.validate_python(json.loads(line, parse_constant=_refuse), strict=True)


def _refuse(constant: str) -> Json:
    raise ValueError(f"{constant} is no number of JSON")


def _unusable(event: LiveEvent, line: bytes) -> str | None:
    """Say what of a well-formed event the store or a sum over it could not hold."""
    names = {"id": event.id, "prompt": event.prompt}
    if isinstance(event, Feedback):
        names["outcome_id"] = event.outcome_id
    elif event.rollout_id is not None:
        names["rollout_id"] = event.rollout_id
    for what, name in names.items():
        if not name or len(name) > MAX_NAME_CHARS:
            return f"{what}: {len(name)} characters; a name has 1 to {MAX_NAME_CHARS}"
        if "\x00" in name or any("\ud800" <= sign <= "\udfff" for sign in name):
            return f"{what}: NUL or a lone surrogate cannot be stored in a name"
    if not isinstance(event, Feedback) and not 1 <= event.version <= _MAX_WHOLE:
        return f"version: {str(event.version)[:30]} is no number of a version"
    if isinstance(event, Outcome):
        if any(sign in line for sign in _NUMBERS) and _has_no_number(
            [dict(event.features), event.inputs]
        ):
            return "a number is not finite"
        return _too_large(event)
    return None


def _too_large(outcome: Outcome) -> str | None:
    """Say which number of an outcome is larger than any amount: a sum could not hold it."""
    amounts: dict[str, object] = {
        "input_tokens": outcome.input_tokens,
        "output_tokens": outcome.output_tokens,
        "latency_s": outcome.latency_s,
        "cost_usd": outcome.cost_usd,
    }
    amounts |= {f"features.{name}": value for name, value in outcome.features.items()}
    for what, value in amounts.items():
        if isinstance(value, int | float) and abs(value) > _MAX_WHOLE:
            return f"{what}: larger than any amount"
    return None


def _has_no_number(value: Json) -> bool:
    """Say whether a JSON value contains NaN or an infinity; the parser has bounded its depth."""
    if isinstance(value, float):
        return value != value or value in {float("inf"), float("-inf")}  # noqa: PLR0124 (NaN)
    items = as_object(value)
    inside = list(items.values()) if items is not None else as_list(value)
    return inside is not None and any(_has_no_number(item) for item in inside)
