"""Where a local edit may happen: spans found in a prompt, widened, merged, capped and marked.

A span is found exactly, else fuzzily. Locked sections hold none. Source: anchors on algorithms, A5
(arXiv 2504.20355) and part D.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Mapping, Sequence

from promptyard.candidates.reply import find, json_objects, one_line, with_newline
from promptyard.records.base import Json, Record, as_list, as_object
from promptyard.records.prompt_text import TOKEN
from promptyard.records.prompts import Prompt
from promptyard.records.regions import Region, regions
from promptyard.records.sentences import folded, pieces_of

MAX_SPANS = 3
MAX_SHARE = 0.3
MIN_LIKENESS = 0.72
SPAN_OPS = ("replace", "insert_after")


class RawSpan(Record):
    """A place as the model named it; an empty `old` is the end of the section."""

    op: str = "replace"
    section: str = ""
    old: str = ""


class SpansReply(Record):
    """What could be read out of a reply that names spans."""

    cause: str = ""
    spans: tuple[RawSpan, ...] = ()
    problem: str | None = None


class EditSpan(Record):
    """The characters [start, end) of the text of `section`; `start == end` is a place to insert."""

    id: str = ""
    section: str
    start: int
    end: int
    text: str


def spans_schema(prompt: Prompt) -> Mapping[str, Json]:
    """Return the form of a reply that names spans; locked sections cannot be named."""
    ids = [part.id for part in regions(prompt) if not part.locked]
    item: Mapping[str, Json] = {
        "type": "object",
        "properties": {
            "op": {"type": "string", "enum": list(SPAN_OPS)},
            "section": {"type": "string", "enum": ids},
            "old": {"type": "string"},
        },
        "required": ["op", "section", "old"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {
            "cause": {"type": "string"},
            "edit_spans": {"type": "array", "items": item},
        },
        "required": ["cause", "edit_spans"],
        "additionalProperties": False,
    }


def read_spans(text: str) -> SpansReply:
    """Read named spans out of a reply; the first JSON object with `edit_spans` counts."""
    found = next((item for item in json_objects(text) if "edit_spans" in item), None)
    if found is None:
        return SpansReply(problem="the reply holds no JSON object with `edit_spans`")
    spans: list[RawSpan] = []
    for item in as_list(found["edit_spans"]) or ():
        row = as_object(item) or {}
        texts = {key: row.get(key) for key in ("op", "section", "old")}
        spans.append(
            RawSpan.model_validate({key: v for key, v in texts.items() if isinstance(v, str)})
        )
    cause = one_line(str(found.get("cause") or ""))
    problem = None if spans else "`edit_spans` names no place"
    return SpansReply(cause=cause, spans=tuple(spans), problem=problem)


def place_spans(given: Sequence[RawSpan], prompt: Prompt) -> tuple[list[EditSpan], list[str]]:
    """Return (spans in the order of the prompt, what became of those that are not among them).

    At most `MAX_SPANS` with at most `MAX_SHARE` of the editable characters; those named first have
    priority, and one that is too long becomes a place to insert behind it.
    """
    found: list[EditSpan] = []
    notes: list[str] = []
    for item in given:
        placed = _placed(item, prompt)
        if isinstance(placed, str):
            notes.append(placed)
        else:
            found.append(placed)
    merged = _merged(found)
    if len(merged) > MAX_SPANS:
        notes.append(f"{len(merged)} spans, the first {MAX_SPANS} are taken")
    return _numbered(_capped(merged[:MAX_SPANS], prompt, notes), prompt), notes


def fallback_span(prompt: Prompt, section: str | None) -> EditSpan | None:
    """Return the section of a bucket as a span, its end where it is too long; None without one.

    A prompt with one editable section has no other choice.
    """
    editable = [part for part in regions(prompt) if not part.locked]
    part = next((part for part in editable if section in (part.id, part.section)), None)
    if part is None and len(editable) == 1:
        part = editable[0]
    if part is None:
        return None
    return _numbered(_capped([_trimmed(part, 0, len(part.text))], prompt, []), prompt)[0]


def marked_spans(prompt: Prompt) -> list[EditSpan]:
    """Return the spans that the user marked."""
    return [
        EditSpan(id=s.id, section=s.section, start=s.start, end=s.end, text=s.text)
        for s in prompt.spans
    ]


def marked_text(prompt: Prompt, spans: Sequence[EditSpan], nonce: str) -> str:
    """Return what the optimizer reads of a prompt, with a pair of tags around each span."""
    layout = prompt.layout
    cuts: list[tuple[int, str]] = []
    for span in spans:
        start, end = offsets(prompt, span)
        cuts += [(start, f'<edit-{nonce} id="{span.id}">'), (end, f"</edit-{nonce}>")]
    demos = [(block.start, block.end) for block in layout.blocks if block.role == "demos"]
    text, at = "", layout.front
    for place, tag in cuts:  # in order: spans are, and do not overlap
        text += _between(prompt.text, at, place, demos) + tag
        at = place
    text += _between(prompt.text, at, len(prompt.text), demos)
    return text.strip("\n")


def offsets(prompt: Prompt, span: EditSpan) -> tuple[int, int]:
    """Return where a span stands in the text of the whole prompt."""
    section = prompt.layout.section(span.section)
    assert section is not None
    return section.body + span.start, section.body + span.end


def _between(text: str, start: int, end: int, demos: Sequence[tuple[int, int]]) -> str:
    for first, last in demos:
        if start <= first < end:
            return text[start:first] + _between(text, last, end, demos)
    return text[start:end]


def _placed(item: RawSpan, prompt: Prompt) -> EditSpan | str:
    parts = regions(prompt)
    named = next((part for part in parts if item.section in (part.id, part.section)), None)
    if named is not None and named.locked:
        return f"section '{item.section}' is locked"
    old = with_newline(item.old, prompt.layout.newline).strip()
    if not old:
        if named is None:
            return "a place without a section and without a text"
        return _inserts_behind(_trimmed(named, 0, len(named.text)))
    editable = [part for part in parts if not part.locked]
    order = [named, *(part for part in editable if part is not named)] if named else editable
    place = next(((part, at) for part in order if (at := find(part.text, old))), None)
    if place is None and any(part.locked and find(part.text, old) for part in parts):
        return f"the text stands in a locked section: {old[:60]!r}"
    place = place or _nearest(order, old)
    if place is None:
        return f"the text does not stand in the prompt: {old[:60]!r}"
    part, (start, end) = place
    span = _trimmed(part, *_widened(part.text, start, end))
    return _inserts_behind(span) if item.op == "insert_after" else span


def _nearest(parts: Sequence[Region], old: str) -> tuple[Region, tuple[int, int]] | None:
    """Find the sentences that are most like a text; None where none is like it enough."""
    wanted = folded(old)
    n_wanted = len(pieces_of(old)) or 1
    matcher = difflib.SequenceMatcher(None, autojunk=False)
    matcher.set_seq2(wanted)
    best: tuple[float, Region, tuple[int, int]] | None = None
    for part in parts:
        pieces = pieces_of(part.text)
        for size in {max(1, n_wanted - 1), n_wanted, n_wanted + 1}:
            for first in range(len(pieces) - size + 1):
                start, end = pieces[first].start, pieces[first + size - 1].end
                matcher.set_seq1(folded(part.text[start:end]))
                bar = best[0] if best else MIN_LIKENESS
                if matcher.real_quick_ratio() < bar or matcher.quick_ratio() < bar:
                    continue
                ratio = matcher.ratio()
                if ratio >= MIN_LIKENESS and (best is None or ratio > best[0]):
                    best = (ratio, part, (start, end))
    return None if best is None else (best[1], best[2])


def _trimmed(part: Region, start: int, end: int) -> EditSpan:
    """Make a span of a region without the white space around it."""
    text = part.text[start:end]
    if text.strip():
        start += len(text) - len(text.lstrip())
        end -= len(text) - len(text.rstrip())
    else:
        end = start
    return EditSpan(
        section=part.section,
        start=part.start + start,
        end=part.start + end,
        text=part.text[start:end],
    )


def _inserts_behind(span: EditSpan) -> EditSpan:
    return span.model_copy(update={"start": span.end, "text": ""})


def _widened(text: str, start: int, end: int) -> tuple[int, int]:
    """Widen a range so that it cuts no variable, no word and no character of several parts."""
    for token in TOKEN.finditer(text):
        if token.start() < start < token.end():
            start = token.start()
        if token.start() < end < token.end():
            end = token.end()
    while start > 0 and _joined(text[start - 1], text[start]):
        start -= 1
    while 0 < end < len(text) and _joined(text[end - 1], text[end]):
        end += 1
    return start, end


def _joined(left: str, right: str) -> bool:
    """Say whether two neighbouring characters belong together."""
    if unicodedata.category(right) in ("Mn", "Me", "Mc") or "\u200d" in (left, right):
        return True
    if "\U0001f3fb" <= right <= "\U0001f3ff" or (left, right) == ("\r", "\n"):
        return True
    return _in_word(left) and _in_word(right)


def _in_word(char: str) -> bool:
    return char.isalnum() or char == "_" or unicodedata.category(char) in ("Mn", "Me", "Mc")


def _merged(spans: Sequence[EditSpan]) -> list[EditSpan]:
    """Join spans that overlap or touch; in the order in which the first of each was named."""
    merged: list[EditSpan] = []
    for span in spans:
        joined, rank = span, len(merged)
        for other in [item for item in merged if _touch(item, span)]:
            rank = min(rank, merged.index(other))
            joined = _union(joined, other)
            merged.remove(other)
        merged.insert(rank, joined)
    return merged


def _touch(one: EditSpan, other: EditSpan) -> bool:
    return one.section == other.section and one.start <= other.end and other.start <= one.end


def _union(one: EditSpan, other: EditSpan) -> EditSpan:
    first, second = sorted((one, other), key=lambda span: (span.start, -span.end))
    text = first.text + second.text[max(0, first.end - second.start) :]
    return first.model_copy(update={"end": max(first.end, second.end), "text": text})


def _capped(spans: Sequence[EditSpan], prompt: Prompt, notes: list[str]) -> list[EditSpan]:
    left = MAX_SHARE * sum(len(part.text) for part in regions(prompt) if not part.locked)
    kept: list[EditSpan] = []
    for span in spans:
        length = span.end - span.start
        if length > left:
            notes.append(f"a span of {length} characters is more than a local edit may change")
            span = _inserts_behind(span)  # noqa: PLW2901  (what is left of it)
            length = 0
        left -= length
        kept.append(span)
    return kept


def _numbered(spans: Sequence[EditSpan], prompt: Prompt) -> list[EditSpan]:
    ordered = sorted(spans, key=lambda span: offsets(prompt, span))
    return [span.model_copy(update={"id": f"s{n}"}) for n, span in enumerate(ordered, 1)]
