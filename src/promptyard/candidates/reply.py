"""The one parser for replies of the optimizer model.

Replies of edits are JSON by `EDITS_SCHEMA`; texts stand in tags that carry the nonce of their
request. Prose and code fences around either are tolerated; a reply is never taken for a prompt.
Source: anchors on algorithms, part D.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from typing import cast

from promptyard.records.base import Json, Record, as_object
from promptyard.records.edits import Replace
from promptyard.records.prompts import Prompt
from promptyard.records.quoting import HIDDEN
from promptyard.records.region_text import RegionText, is_fence, region_text
from promptyard.records.regions import Region, regions
from promptyard.records.sentences import folded, folded_text, pieces_of

OPS = ("append", "insert_after", "replace", "delete")

EDITS_SCHEMA: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "hypothesis": {"type": "string"},
        "edits": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "op": {"type": "string", "enum": list(OPS)},
                    "section": {"type": "string"},
                    "old": {"type": "string"},
                    "new": {"type": "string"},
                },
                "required": ["op", "section", "old", "new"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["hypothesis", "edits"],
    "additionalProperties": False,
}

ATTRIBUTE = re.compile(r"([\w-]+)\s*=\s*\"([^\"]*)\"|([\w-]+)\s*=\s*'([^']*)'")


class RawEdit(Record):
    """An edit as the model wrote it."""

    op: str
    section: str = ""
    old: str = ""
    new: str = ""


class Reply(Record):
    """What could be read out of a reply; `problem` says why nothing could."""

    hypothesis: str = ""
    edits: tuple[RawEdit, ...] = ()
    problem: str | None = None


def parse_edits(text: str) -> Reply:
    """Read hypothesis and edits out of a reply; the first JSON object with edits counts."""
    found = next((item for item in json_objects(text) if "edits" in item), None)
    if found is None:
        return Reply(problem="the reply holds no JSON object with `edits`")
    hypothesis = one_line(str(found.get("hypothesis") or ""))
    given = found["edits"]
    if not isinstance(given, list):
        return Reply(hypothesis=hypothesis, problem="`edits` is no list")
    edits: list[RawEdit] = []
    for item in cast("list[Json]", given):
        row = as_object(item)
        if row is None:
            continue
        values = {key: row.get(key) for key in ("op", "section", "old", "new")}
        texts = {key: value for key, value in values.items() if isinstance(value, str)}
        if texts.get("old") or texts.get("new"):
            edits.append(RawEdit.model_validate({"op": "", **texts}))
    return Reply(hypothesis=hypothesis, edits=tuple(edits))


def json_objects(text: str) -> list[Mapping[str, Json]]:
    """Return the JSON objects that stand in a text, outermost ones, in order."""
    decoder = json.JSONDecoder()
    found: list[Mapping[str, Json]] = []
    at = text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at = text.find("{", at + 1)
            continue
        if (item := as_object(value)) is not None:
            found.append(item)
        at = text.find("{", end)
    return found


def locate(edit: RawEdit, prompt: Prompt, step: str, fallback: Region | None) -> Replace | str:
    """Turn a raw edit into a Replace at its place in the prompt, or say why that is impossible.

    The old sentence is looked for in the named section, then in all; where it does not stand, the
    new one is appended to the named section, or to `fallback`.
    """
    parts = regions(prompt)
    named = next((part for part in parts if edit.section in (part.id, part.section)), None)
    if named is not None and named.locked:
        return f"section '{edit.section}' is locked"
    newline = prompt.layout.newline
    new = with_newline(edit.new, newline).strip("\r\n")
    old = with_newline(edit.old, newline).strip("\r\n")
    editable = [part for part in parts if not part.locked]
    order = [named, *editable] if named is not None else editable
    place = next(
        ((part, at) for part in order if old.strip() and (at := find(part.text, old, whole=True))),
        None,
    )
    if place is not None:
        part, (start, end) = place
        return _changed(edit.op, new, prompt, step, part, start, end)
    if not new.strip():
        return "the sentence to delete does not stand in the prompt"
    part = named or fallback or (editable[-1] if editable else None)
    if part is None or part.locked:
        return "no section of the prompt may be edited"
    text = region_text(prompt, part)
    text.append(new)
    return _replace_of(step, part, text)


def _changed(
    op: str, new: str, prompt: Prompt, step: str, part: Region, start: int, end: int
) -> Replace | str:
    """Change what stands at [start, end) of a region: a whole sentence, else these characters."""
    stands = part.text[start:end]
    text = region_text(prompt, part)
    behind = op in ("insert_after", "append") and not new.startswith(stands)
    if text.says(stands) and len(pieces_of(stands)) == 1:
        if op == "delete" or not new.strip():
            text.delete(stands)
        elif behind:
            text.insert_after(stands, new)
        else:
            text.replace(stands, new)
        return _replace_of(step, part, text)
    if op == "delete" or not new.strip():
        start, end = _whole_line(part.text, start, end)
        return _replace(step, part, start, end, "")
    if behind:
        lead = prompt.layout.newline if _fills_line(part.text, start, end) else " "
        return _replace(step, part, end, end, lead + new)
    return _replace(step, part, start, end, new)


def _replace_of(step: str, part: Region, text: RegionText) -> Replace | str:
    """Return the one replacement that makes a changed region of it."""
    changes = list(text.changes())
    if not changes:
        return "the edit changes nothing"
    start, end = changes[0].start, changes[-1].end
    new, at = "", start
    for change in changes:
        new += part.text[at : change.start] + change.new
        at = change.end
    return _replace(step, part, start, end, new)


def find(text: str, old: str, *, whole: bool = False) -> tuple[int, int] | None:
    """Find a sentence or line, exactly or but for case and white space; None where it is not.

    With `whole` it neither begins nor ends within a word: `top_up` is not in `top_up_failed`.
    """
    wanted = folded(old)
    for piece in pieces_of(text):
        if folded(piece.text) == wanted:
            return (piece.start, piece.end)
    words = r"\s+".join(re.escape(word) for word in old.split())
    if not words or _is_nowhere(text, old):
        return None
    if whole:
        words = rf"(?<!\w(?=\w)){words}(?!(?<=\w)\w)"
    match = re.search(words, text) or re.search(words, text, re.IGNORECASE)
    return match.span() if match else None


def _is_nowhere(text: str, old: str) -> bool:
    """Say without an expression, where letters have one other case, that it cannot be found."""
    return text.isascii() and old.isascii() and folded_text(old) not in folded_text(text)


def _fills_line(text: str, start: int, end: int) -> bool:
    before, after = text[:start], text[end:]
    alone = (not before or before[-1] in "\r\n") and (not after or after[0] in "\r\n")
    return alone and "\n" in text.strip()


def _whole_line(text: str, start: int, end: int) -> tuple[int, int]:
    """Take the line end along where the sentence fills its line, else one space before it."""
    if (start == 0 or text[start - 1] == "\n") and text[end : end + 1] in ("\n", "\r"):
        return start, end + (2 if text[end : end + 2] == "\r\n" else 1)
    while start > 0 and text[start - 1] in " \t":
        start -= 1
    return start, end


def _replace(step: str, part: Region, start: int, end: int, text: str) -> Replace | str:
    """Return the replacement; an edit that leaves half a code block has no place.

    Behind half a block no heading is one, so that a locked section there would be lost.
    """
    after = part.text[:start] + text + part.text[end:]
    if (_fences(part.text) - _fences(after)) % 2:
        return "the edit takes or brings half of a code block"
    return Replace(
        step=step,
        section=part.section,
        start=part.start + start,
        end=part.start + end,
        old=part.text[start:end],
        text=text,
    )


def _fences(text: str) -> int:
    return sum(is_fence(piece.text) for piece in pieces_of(text))


def tagged(text: str, tag: str, nonce: str) -> tuple[str, ...]:
    """Return what stands between the tags of a request with this nonce, in order.

    Differences of case, attributes and one missing closing tag at the very end are tolerated.
    """
    pair = re.compile(
        rf"<{tag}-{nonce}\b[^>]*>(.*?)(?:</{tag}-{nonce}\s*>|\Z)", re.DOTALL | re.IGNORECASE
    )
    return tuple(match.group(1) for match in pair.finditer(without_fence(text)))


def attributes_of(source: str) -> dict[str, str]:
    """Read the attributes of an opening tag."""
    return {
        (m.group(1) or m.group(3)).lower(): html.unescape(m.group(2) or m.group(4) or "")
        for m in ATTRIBUTE.finditer(source)
    }


def without_overlaps(edits: Sequence[Replace]) -> list[Replace]:
    """Keep the first of edits that want the same characters."""
    kept: list[Replace] = []
    for edit in edits:
        if not any(collide(edit, other) for other in kept):
            kept.append(edit)
    return kept


def collide(one: Replace, other: Replace) -> bool:
    """Say whether two edits of the same text cannot both be applied; inserts never collide."""
    if (one.step, one.section) != (other.step, other.section):
        return False
    if one.start == one.end or other.start == other.end:
        return one.start < other.end and other.start < one.end
    return max(one.start, other.start) < min(one.end, other.end)


def without_fence(text: str) -> str:
    """Take off one code fence around the whole text."""
    fenced = re.fullmatch(r"\s*```[\w-]*\n(.*?)\n?```\s*", text, re.DOTALL)
    return fenced.group(1) if fenced else text


def with_newline(text: str, newline: str) -> str:
    """Write a text with the line ends of a file."""
    return text.replace("\r\n", "\n").replace("\n", newline)


def one_line(text: str) -> str:
    """Put a sentence on one line without hidden characters, cut at 300 characters."""
    return " ".join(HIDDEN.sub(" ", text).split())[:300]
