"""New texts of spans: read out of a reply, freed of what stands around them, and spliced by us.

Only characters inside a span change, whatever the reply holds. Source: anchors on algorithms, A5
(arXiv 2504.20355) and part D.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Mapping, Sequence

from promptyard.candidates.reply import (
    attributes_of,
    json_objects,
    one_line,
    with_newline,
    without_fence,
)
from promptyard.candidates.spans import EditSpan, offsets
from promptyard.records.base import Json, Record, as_list, as_object
from promptyard.records.edits import Replace
from promptyard.records.prompts import Prompt
from promptyard.records.sentences import BULLET

MIN_OVERLAP_CHARS = 8
WHOLE_SHARE = 0.6
MIN_WHOLE_CHARS = 40
TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
MARK = re.compile(r"</?edit-[0-9a-f]{8}\b[^>]*>", re.IGNORECASE)
PLAIN_MARK = re.compile(r"</?edit>", re.IGNORECASE)
PROMPT_BLOCK = re.compile(r"<(prompt[\w-]*)\b[^>]*>\n?(.*?)\n?</\1>", re.DOTALL | re.IGNORECASE)


class TextsReply(Record):
    """New texts by the id of their span; `problem` says why there are none."""

    hypothesis: str = ""
    texts: Mapping[str, str] = {}
    problem: str | None = None


def texts_schema(spans: Sequence[EditSpan]) -> Mapping[str, Json]:
    """Return the form of a reply with new texts for these spans."""
    item: Mapping[str, Json] = {
        "type": "object",
        "properties": {
            "id": {"type": "string", "enum": [span.id for span in spans]},
            "new": {"type": "string"},
        },
        "required": ["id", "new"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {
            "hypothesis": {"type": "string"},
            "replacements": {"type": "array", "items": item},
        },
        "required": ["hypothesis", "replacements"],
        "additionalProperties": False,
    }


def read_texts(text: str, prompt: Prompt, spans: Sequence[EditSpan], nonce: str) -> TextsReply:
    """Read the new text of each span: JSON, texts between its tags, or the whole prompt anew."""
    found = next((item for item in json_objects(text) if "replacements" in item), None)
    if found is not None:
        rows = [as_object(item) or {} for item in as_list(found["replacements"]) or ()]
        given = [(row.get("id"), row.get("new")) for row in rows]
        texts = {k: v for k, v in given if isinstance(k, str) and isinstance(v, str)}
        hypothesis = one_line(str(found.get("hypothesis") or ""))
    else:
        texts, hypothesis = _tagged_texts(text, nonce), ""
    known = {span.id: span for span in spans}
    texts = {name: new for name, new in texts.items() if name in known}
    if texts:
        return TextsReply(hypothesis=hypothesis, texts=_without_wholes(texts, prompt, spans))
    block = PROMPT_BLOCK.search(text)
    whole = block.group(2) if block else without_fence(text).strip("\n")
    if _is_whole(whole, prompt, spans):
        return TextsReply(texts=inside_spans(whole, prompt, spans))
    return TextsReply(problem="the reply holds no JSON object with `replacements` of the spans")


def span_edits(
    texts: Mapping[str, str], prompt: Prompt, step: str, spans: Sequence[EditSpan]
) -> list[Replace]:
    """Turn new texts into edits of their spans; a text that changes nothing makes none."""
    edits: list[Replace] = []
    for span in spans:
        if span.id not in texts:
            continue
        new = _fitted(texts[span.id], prompt, span)
        if new != span.text:
            edits.append(
                Replace(
                    step=step,
                    section=span.section,
                    start=span.start,
                    end=span.end,
                    old=span.text,
                    text=new,
                )
            )
    return edits


def inside_spans(whole: str, prompt: Prompt, spans: Sequence[EditSpan]) -> dict[str, str]:
    """Compare a whole prompt with the old one; return what differs inside the spans.

    Differences elsewhere, and those that reach over the edge of a span, are left out.
    """
    places = {span.id: offsets(prompt, span) for span in spans}
    bounds = sorted({place for pair in places.values() for place in pair})
    new = with_newline(MARK.sub("", whole), prompt.layout.newline)
    hunks = _hunks(prompt.text, new, bounds)
    texts: dict[str, str] = {}
    for name, (start, end) in places.items():
        own = [(a, b, text) for a, b, text in hunks if start <= a and b <= end]
        if own:
            texts[name] = _applied(prompt.text, start, end, own)
    return texts


def _tagged_texts(text: str, nonce: str) -> dict[str, str]:
    pair = re.compile(
        rf"<edit-{nonce}\b([^>]*)>(.*?)(?:</edit-{nonce}\s*>|\Z)", re.DOTALL | re.IGNORECASE
    )
    found = [(attributes_of(m.group(1)).get("id"), m.group(2)) for m in pair.finditer(text)]
    return {name: new for name, new in found if name is not None}


def _without_wholes(
    texts: Mapping[str, str], prompt: Prompt, spans: Sequence[EditSpan]
) -> dict[str, str]:
    """Where a text is the whole prompt, take what it changes inside of its span."""
    kept: dict[str, str] = {}
    for span in spans:
        new = texts.get(span.id)
        if new is not None and _is_whole(new, prompt, spans):
            new = inside_spans(new, prompt, spans).get(span.id)
        if new is not None:
            kept[span.id] = new
    return kept


def _is_whole(text: str, prompt: Prompt, spans: Sequence[EditSpan]) -> bool:
    """Say whether a text repeats most of what stands outside the spans."""
    said = {line.strip() for line in MARK.sub("", text).splitlines()}
    touched = [offsets(prompt, span) for span in spans]
    at, outside, repeated = prompt.layout.front, 0, 0
    for line in prompt.text[at:].splitlines(keepends=True):
        start, at = at, at + len(line)
        own = line.strip()
        if own and not any(a < at and start < b for a, b in touched):
            outside += len(own)
            repeated += len(own) if own in said else 0
    return outside >= MIN_WHOLE_CHARS and repeated >= WHOLE_SHARE * outside


def _hunks(old: str, new: str, bounds: Sequence[int]) -> list[tuple[int, int, str]]:
    """Return differences as (start, end, new text); lines are compared first, then words."""
    found: list[tuple[int, int, str]] = []
    old_lines, new_lines = old.splitlines(keepends=True), new.splitlines(keepends=True)
    starts = [0]
    for line in old_lines:
        starts.append(starts[-1] + len(line))
    matcher = difflib.SequenceMatcher(None, old_lines, new_lines, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            found += _word_hunks(old, starts[i1], starts[i2], "".join(new_lines[j1:j2]), bounds)
    return found


def _word_hunks(
    old: str, start: int, end: int, new: str, bounds: Sequence[int]
) -> list[tuple[int, int, str]]:
    cuts = [start, *(place for place in bounds if start < place < end), end]
    pieces = [old[a:b] for a, b in itertools.pairwise(cuts)]
    old_tokens = [token for piece in pieces for token in TOKEN.findall(piece)]
    new_tokens: list[str] = TOKEN.findall(new)
    places = [start]
    for token in old_tokens:
        places.append(places[-1] + len(token))
    matcher = difflib.SequenceMatcher(None, old_tokens, new_tokens)
    return [
        (places[i1], places[i2], "".join(new_tokens[j1:j2]))
        for tag, i1, i2, j1, j2 in matcher.get_opcodes()
        if tag != "equal"
    ]


def _applied(old: str, start: int, end: int, hunks: Sequence[tuple[int, int, str]]) -> str:
    text, at = "", start
    for a, b, new in hunks:
        text += old[at:a] + new
        at = b
    return text + old[at:end]


def _fitted(new: str, prompt: Prompt, span: EditSpan) -> str:
    """Make a new text fit its place: no tags, nothing of what stands around it, its line ends."""
    newline = prompt.layout.newline
    new = MARK.sub("", new)
    if not PLAIN_MARK.search(span.text):
        new = PLAIN_MARK.sub("", new)
    if "```" not in span.text:
        new = without_fence(new)
    new = with_newline(new, newline)
    start, end = offsets(prompt, span)
    before, after = prompt.text[:start], prompt.text[end:]
    if not _shares(span.text, new, before):
        new = _without_head(new, before)
    new = _without_tail(new, after).strip()
    if span.start < span.end or not new:
        return new
    return _inserted(new, before, after, newline)


def _shares(old: str, new: str, before: str) -> bool:
    """Say whether the old text begins like the new one although its neighbourhood does, too."""
    k = len(new) - len(_without_head(new, before))
    return k > 0 and old.startswith(new[:k])


def _without_head(new: str, before: str) -> str:
    """Take off the longest beginning that repeats the end of what stands before the span."""
    for size in range(min(len(new), len(before)), 0, -1):
        if before.endswith(new[:size]) and _counts(new[:size], before[:-size][-1:]):
            return new[size:]
    return new


def _without_tail(new: str, after: str) -> str:
    """Take off the longest end that repeats the beginning of what stands behind the span."""
    for size in range(min(len(new), len(after)), 0, -1):
        if after.startswith(new[-size:]) and _counts(new[-size:], after[size : size + 1]):
            return new[:-size]
    return new


def _counts(piece: str, neighbour: str) -> bool:
    """Say whether a repeated piece is no chance: whole words, long enough, or a list mark."""
    edge = not neighbour or not (neighbour.isalnum() or neighbour == "_")
    if BULLET.fullmatch(piece):
        return neighbour in ("", "\n")
    return edge and len(piece.strip()) >= MIN_OVERLAP_CHARS


def _inserted(new: str, before: str, after: str, newline: str) -> str:
    """Part inserted text from its neighbours: a line of its own behind a line, a space in one."""
    line = before[before.rfind("\n") + 1 :]
    ends_line = not after or after[0] in "\r\n"
    if not line.strip():
        lead = "" if not line else newline
        return lead + new + ("" if ends_line else newline)
    if not ends_line:
        return f" {new}"
    item = BULLET.match(line.lstrip())
    if item and not BULLET.match(new) and not item.group(0)[0].isdigit():
        indent = line[: len(line) - len(line.lstrip())]
        new = indent + item.group(0) + new
    return newline + new
