"""The one parser for replies of the optimizer model.

Tags carry the nonce of their request. Differences of case, extra attributes, code fences around
the reply and one missing closing tag at the very end are tolerated; nested edits are refused, and
a reply is never taken for a prompt. Source: anchors on algorithms, part D.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from promptyard.candidates.meta_prompt import Part
from promptyard.records.base import Record
from promptyard.records.edits import Replace
from promptyard.records.prompts import Prompt

ATTRIBUTE = re.compile(r"([\w-]+)\s*=\s*\"([^\"]*)\"|([\w-]+)\s*=\s*'([^']*)'")


class RawEdit(Record):
    """An edit as the model wrote it: a part, the text to replace (None: none given), the new."""

    part: str
    mode: str = ""
    old: str | None = None
    new: str = ""


class Reply(Record):
    """What could be read out of a reply; `problem` says why nothing could."""

    hypothesis: str = ""
    edits: tuple[RawEdit, ...] = ()
    problem: str | None = None


def parse_reply(text: str, nonce: str) -> Reply:
    """Read hypothesis and edits out of a reply to the request with this nonce."""
    body = _without_fence(text)
    hypothesis = _inner(body, "hypothesis", nonce) or ""
    opened = re.compile(rf"<edit-{nonce}\b([^>]*)>", re.IGNORECASE)
    closed = re.compile(rf"</edit-{nonce}\s*>", re.IGNORECASE)
    edits: list[RawEdit] = []
    starts = list(opened.finditer(body))
    for number, start in enumerate(starts):
        limit = starts[number + 1].start() if number + 1 < len(starts) else len(body)
        end = closed.search(body, start.end())
        if end is None and number + 1 < len(starts):
            return Reply(hypothesis=hypothesis, problem="an edit is not closed before the next")
        if end is not None and end.start() > limit:
            return Reply(hypothesis=hypothesis, problem="edits are nested")
        inner = body[start.end() : end.start() if end else len(body)]
        names = _attributes(start.group(1))
        edits.append(
            RawEdit(
                part=names.get("part") or names.get("section") or "",
                mode=names.get("mode", ""),
                old=_inner(inner, "old", nonce),
                new=_inner(inner, "new", nonce) or "",
            )
        )
    if not edits:
        return Reply(hypothesis=hypothesis, problem="the reply holds no edit in the asked tags")
    return Reply(hypothesis=_one_line(hypothesis), edits=tuple(edits))


def locate(edit: RawEdit, prompt: Prompt, parts: Sequence[Part], step: str) -> Replace | str:
    """Turn a raw edit into a Replace at its place in the prompt, or say why that is impossible."""
    part = next((item for item in parts if item.id == edit.part), None)
    if part is None:
        return f"there is no part '{edit.part}'"
    if part.locked:
        return f"part '{edit.part}' is locked"
    newline = "\r\n" if "\r\n" in prompt.text else "\n"
    new = _with_newline(edit.new, newline)
    if edit.mode == "rewrite":
        tail = part.text[len(part.text.rstrip()) :]
        return _replace(step, part, 0, len(part.text), new.strip("\r\n") + tail)
    old = _with_newline(edit.old or "", newline).strip("\r\n")
    if not old.strip():
        if not new.strip():
            return "the edit is empty"
        at = len(part.text.rstrip())
        lead = newline if part.text[:at].strip() else ""
        return _replace(step, part, at, at, lead + new.strip("\r\n"))
    places = _places(part.text, old)
    if len(places) != 1:
        where = "does not stand" if not places else f"stands {len(places)} times"
        return f"the text to replace {where} in part '{edit.part}'"
    return _replace(step, part, places[0], places[0] + len(old), new.strip("\r\n"))


def _places(text: str, old: str) -> list[int]:
    """Find `old` as a whole line (labels are prefixes of other labels), else anywhere."""
    found = [match.start() for match in re.finditer(re.escape(old), text)]
    whole = [
        at
        for at in found
        if (at == 0 or text[at - 1] == "\n")
        and (at + len(old) == len(text) or text[at + len(old)] in "\r\n")
    ]
    return whole or found


def _replace(step: str, part: Part, start: int, end: int, text: str) -> Replace:
    return Replace(
        step=step,
        section=part.section,
        start=part.start + start,
        end=part.start + end,
        old=part.text[start:end],
        text=text,
    )


def _inner(text: str, tag: str, nonce: str) -> str | None:
    """Return what stands in the last complete tag pair, or behind a last tag left open."""
    pair = re.compile(rf"<{tag}-{nonce}\b[^>]*>(.*?)</{tag}-{nonce}\s*>", re.DOTALL | re.IGNORECASE)
    found = pair.findall(text)
    if found:
        return str(found[-1])
    left_open = re.search(rf"<{tag}-{nonce}\b[^>]*>(.*)$", text, re.DOTALL | re.IGNORECASE)
    return left_open.group(1) if left_open else None


def _attributes(source: str) -> dict[str, str]:
    return {
        (m.group(1) or m.group(3)).lower(): html.unescape(m.group(2) or m.group(4) or "")
        for m in ATTRIBUTE.finditer(source)
    }


def _without_fence(text: str) -> str:
    fenced = re.fullmatch(r"\s*```[\w-]*\n(.*?)\n?```\s*", text, re.DOTALL)
    return fenced.group(1) if fenced else text


def _with_newline(text: str, newline: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", newline)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
