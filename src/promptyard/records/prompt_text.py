r"""The prompt file format: where its parts stand in the text, and how a message is rendered.

A prompt file is Markdown. Its text is the single source: parsing finds offsets in it and never
rewrites it, so that writing is the identity and an edit changes the bytes it names and no others.

    ---                                   front matter (YAML), optional
    output: {format: label, labels: [a, b]}
    ---
    system:                               a role line opens a message
    Sort the message.

    ## Labels {#labels .locked}           a heading opens a section; attributes name and lock it
    - a
    demos:                                one JSON object a line: {"input": {...}, "output": "..."}
    {"input": {"text": "hi"}, "output": "a"}
    user:
    {{text}}                              a variable

`<edit>...</edit>` marks the only spans that may change. A backslash before `{{`, `<edit>`,
`</edit>` or a role line makes it literal; an `<edit>` without its partner is literal too. Inside
``` fences there are no headings and no role lines. Source: ADR-0003.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import cast

from promptyard.errors import PromptError
from promptyard.records.base import Json, as_object
from promptyard.records.fences import FENCE_LINE, fence_after
from promptyard.records.images import image_url
from promptyard.records.messages import ImagePart, Message, Part, Role, TextPart

ROLE_LINE = re.compile(r"(system|user|assistant|demos):[ \t]*$")
MISWRITTEN_ROLE = re.compile(r"^(?!(?:system|user|assistant):)(?i:system|user|assistant):$", re.M)
HEADING_LINE = re.compile(
    r"(#{1,6})[ \t]++(|.*?[^ \t])[ \t]*+(\{[ \t]*+[#.][^{}]*+\})?+[ \t]*+$"  # gives nothing back
)
VARIABLE = re.compile(r"\{\{[ \t]*([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*\}\}")
EDIT_PAIR = re.compile(r"(?<!\\)<edit>((?:(?!(?<!\\)</?edit>).)*)(?<!\\)</edit>", re.DOTALL)
TOKEN = re.compile(
    r"\\(?P<escaped>\{\{|</?edit>)|(?P<variable>\{\{[ \t]*[A-Za-z_][A-Za-z0-9_.-]*[ \t]*\}\})"
)
ESCAPED_ROLE = re.compile(r"^\\(?=(?:system|user|assistant|demos):[ \t]*$)", re.MULTILINE)


@dataclass(frozen=True)
class Line:
    """A line with its offset; `text` has no line end."""

    start: int
    end: int  # offset behind the line end
    text: str


@dataclass(frozen=True)
class Block:
    """A message of the file: its role line is [start, body), its body [body, end)."""

    role: str
    start: int
    body: int
    end: int


@dataclass(frozen=True)
class SectionSpan:
    """A section of a block: its heading is [start, body), its text [body, end)."""

    id: str
    title: str
    role: str
    locked: bool
    start: int
    body: int
    end: int


@dataclass(frozen=True)
class EditSpan:
    """What stands between `<edit>` and `</edit>`: [start, end), in section `section`."""

    id: str
    section: str
    start: int
    end: int


@dataclass(frozen=True)
class Layout:
    """Where everything stands in a prompt text. Blocks are in order and cover [front, len)."""

    text: str
    front: int  # offset behind the front matter; 0 where there is none
    front_yaml: str
    blocks: tuple[Block, ...]
    sections: tuple[SectionSpan, ...]
    edit_spans: tuple[EditSpan, ...]

    @cached_property
    def newline(self) -> str:
        """The line end that this file uses."""
        return "\r\n" if "\r\n" in self.text else "\n"

    def section(self, section_id: str) -> SectionSpan | None:
        """Find a section by its id."""
        return next((item for item in self.sections if item.id == section_id), None)


def split_lines(text: str, start: int = 0) -> list[Line]:
    r"""Cut `text[start:]` into lines at \n only; a \r before it belongs to the line end."""
    lines: list[Line] = []
    while start < len(text):
        newline = text.find("\n", start)
        end = len(text) if newline < 0 else newline + 1
        body = text[start : end if newline < 0 else newline]
        if start == 0:
            body = body.removeprefix("\ufeff")  # a byte-order mark is no part of the first line
        lines.append(Line(start, end, body.removesuffix("\r")))
        start = end
    return lines


@lru_cache(maxsize=4096)
def parse_layout(text: str) -> Layout:
    """Find front matter, messages, sections and edit spans. Reads once, changes nothing.

    Raises PromptError when the front matter is opened and never closed.
    """
    front, front_yaml = _front_matter(text)
    blocks: list[Block] = []
    headings: list[tuple[Line, re.Match[str], int]] = []
    role, start, body = "user", front, front
    fence: str | None = None
    for line in split_lines(text, front):
        if FENCE_LINE.match(line.text):
            fence = fence_after(line.text, fence)
            continue
        if fence is not None:
            continue
        if found := ROLE_LINE.match(line.text):
            if line.start > front or blocks:
                blocks.append(Block(role, start, body, line.start))
            role, start, body = found.group(1), line.start, line.end
        elif role != "demos" and (heading := HEADING_LINE.match(line.text)):
            headings.append((line, heading, len(blocks)))
    blocks.append(Block(role, start, body, len(text)))
    if len(blocks) > 1 and blocks[0].start == blocks[0].body and not _body(text, blocks[0]).strip():
        # Blank lines before the first role line belong to that message's role line.
        blocks[1] = Block(blocks[1].role, blocks[0].start, blocks[1].body, blocks[1].end)
        del blocks[0]
        headings = [(line, match, index - 1) for line, match, index in headings]
    sections = _sections(blocks, headings)
    return Layout(text, front, front_yaml, tuple(blocks), sections, _edit_spans(text, sections))


def _body(text: str, block: Block) -> str:
    return text[block.body : block.end]


def _front_matter(text: str) -> tuple[int, str]:
    lines = split_lines(text)
    if not lines or lines[0].text.rstrip() != "---":
        return 0, ""
    for line in lines[1:]:
        if line.text.rstrip() == "---":
            return line.end, text[lines[0].end : line.start]
    raise PromptError(
        "line 1: the front matter is opened by '---' and never closed; add a '---' line"
    )


def _sections(
    blocks: list[Block], headings: list[tuple[Line, re.Match[str], int]]
) -> tuple[SectionSpan, ...]:
    sections: list[SectionSpan] = []
    taken: set[str] = set()
    for index, block in enumerate(blocks):
        if block.role == "demos":
            continue
        own = [(line, match) for line, match, at in headings if at == index]
        first_end = own[0][0].start if own else block.end
        name = _unique(block.role, taken)
        sections.append(
            SectionSpan(name, "", block.role, False, block.start, block.body, first_end)
        )
        for number, (line, match) in enumerate(own):
            end = own[number + 1][0].start if number + 1 < len(own) else block.end
            given, locked = _attributes(match.group(3) or "")
            title = match.group(2)
            name = _unique(given or _slug(title), taken)
            sections.append(SectionSpan(name, title, block.role, locked, line.start, line.end, end))
    return tuple(sections)


def _attributes(source: str) -> tuple[str, bool]:
    words = source.strip("{} \t").split()
    name = next((word[1:] for word in words if word.startswith("#")), "")
    return name, ".locked" in words


def _slug(title: str) -> str:
    return re.sub(r"[^\w]+", "-", title.lower()).strip("-") or "section"


def _unique(name: str, taken: set[str]) -> str:
    chosen, number = name, 2
    while chosen in taken:
        chosen, number = f"{name}-{number}", number + 1
    taken.add(chosen)
    return chosen


def _edit_spans(text: str, sections: tuple[SectionSpan, ...]) -> tuple[EditSpan, ...]:
    spans: list[EditSpan] = []
    for section in sections:
        for match in EDIT_PAIR.finditer(text, section.body, section.end):
            spans.append(
                EditSpan(f"edit-{len(spans) + 1}", section.id, match.start(1), match.end(1))
            )
    return tuple(spans)


@lru_cache(maxsize=4096)
def demo_block(text: str) -> Block | None:
    """Return the message that demonstrations repeat: the last user message with a variable."""
    layout = parse_layout(text)
    for block in reversed(layout.blocks):
        if block.role == "user" and any(
            match.group("variable") for match in TOKEN.finditer(text, block.body, block.end)
        ):
            return block
    return None


@lru_cache(maxsize=4096)
def block_variables(text: str, block: Block) -> tuple[str, ...]:
    """Return the names of the variables of one message, in order, each once."""
    found = TOKEN.finditer(text, block.body, block.end)
    names = (m.group("variable").strip("{} \t") for m in found if m.group("variable"))
    return tuple(dict.fromkeys(names))


def variables(text: str) -> tuple[str, ...]:
    """Return the names of all variables of a prompt text, in order, each once."""
    return tuple(variable_offsets(text))


def variable_offsets(text: str) -> Mapping[str, int]:
    """Return by the name of each variable where it is first used."""
    offsets: dict[str, int] = {}
    for block in parse_layout(text).blocks:
        if block.role != "demos":
            for match in TOKEN.finditer(text, block.body, block.end):
                if match.group("variable"):
                    offsets.setdefault(match.group("variable").strip("{} \t"), match.start())
    return offsets


def demo_lines(text: str) -> tuple[tuple[int, Json], ...]:
    """Return (line number, parsed JSON) of every demonstration in the `demos:` blocks.

    Raises PromptError naming the line that is not a JSON object.
    """
    found: list[tuple[int, Json]] = []
    layout = parse_layout(text)
    for block in layout.blocks:
        if block.role != "demos":
            continue
        first = text.count("\n", 0, block.body) + 1
        for offset, line in enumerate(split_lines(text[: block.end], block.body)):
            if not line.text.strip():
                continue
            try:
                value = json.loads(line.text)
            except ValueError as error:
                raise PromptError(
                    f"line {first + offset}: a demonstration is one JSON object a line ({error})"
                ) from None
            found.append((first + offset, value))
    return tuple(found)


def render_block(text: str, block: Block, values: Mapping[str, Json]) -> tuple[Message, ...]:
    """Render one message of the file with `values` filled in, in one pass.

    Values are never read as templates. Heading attributes and edit marks are taken out. A variable
    that holds messages and stands alone in its block becomes these messages.

    Raises PromptError naming every variable that `values` lacks.
    """
    pieces = _block_pieces(text, block)
    try:
        filled = [values[name] if kind == "variable" else name for kind, name in pieces]
    except KeyError:
        raise _missing_variable(pieces, values) from None
    if block.role == "user" and (chat := _lone_chat(pieces, filled)):
        return chat
    parts: list[Part] = []
    texts: list[str] = []  # neighbouring texts are one part
    for (kind, _), value in zip(pieces, filled, strict=True):
        if isinstance(value, str):
            texts.append(value)
        elif kind == "variable" and (url := image_url(value)):
            if texts:
                parts.append(TextPart(text="".join(texts)))
                texts = []
            parts.append(ImagePart(url=url))
        else:
            texts.append(json.dumps(value, ensure_ascii=False))
    if texts or not parts:
        parts.append(TextPart(text="".join(texts)))
    role: Role = (
        "system"
        if block.role == "system"
        else ("assistant" if block.role == "assistant" else "user")
    )
    return (Message(role=role, parts=tuple(parts)),)


def _missing_variable(
    pieces: tuple[tuple[str, str], ...], values: Mapping[str, Json]
) -> PromptError:
    missing = min(name for kind, name in pieces if kind == "variable" and name not in values)
    known = ", ".join(sorted(values)) or "none"
    return PromptError(
        f"the prompt uses {{{{{missing}}}}}, which is missing; the inputs given: {known}"
    )


@lru_cache(maxsize=4096)
def _block_pieces(text: str, block: Block) -> tuple[tuple[str, str], ...]:
    source = text[block.body : block.end]
    return template_pieces(source.removeprefix("\ufeff") if block.body == 0 else source)


def template_pieces(source: str) -> tuple[tuple[str, str], ...]:
    """Cut a block body into ("text", literal) and ("variable", name) pieces, marks removed."""
    plain = EDIT_PAIR.sub(lambda match: match.group(1), source)
    plain = ESCAPED_ROLE.sub("", _strip_attributes(plain))
    pieces: list[tuple[str, str]] = []
    at = 0
    for match in TOKEN.finditer(plain):
        pieces.append(("text", plain[at : match.start()]))
        if match.group("variable"):
            pieces.append(("variable", match.group("variable").strip("{} \t")))
        else:
            pieces.append(("text", match.group("escaped")))
        at = match.end()
    pieces.append(("text", plain[at:]))
    kept = [piece for piece in pieces if piece != ("text", "")]
    if kept and kept[0][0] == "text":
        kept[0] = ("text", kept[0][1].lstrip("\r\n"))
    if kept and kept[-1][0] == "text":
        kept[-1] = ("text", kept[-1][1].rstrip("\r\n"))
    return tuple(piece for piece in kept if piece[1])


def _strip_attributes(source: str) -> str:
    out: list[str] = []
    fence: str | None = None
    for line in split_lines(source):
        whole = source[line.start : line.end]
        if FENCE_LINE.match(line.text):
            fence = fence_after(line.text, fence)
        elif fence is None and (heading := HEADING_LINE.match(line.text)) and heading.group(3):
            whole = f"{heading.group(1)} {heading.group(2)}" + whole[len(line.text) :]
        out.append(whole)
    return "".join(out)


def _lone_chat(
    pieces: tuple[tuple[str, str], ...], filled: list[Json]
) -> tuple[Message, ...] | None:
    if len(pieces) != 1 or pieces[0][0] != "variable" or not isinstance(filled[0], list):
        return None
    turns: list[Message] = []
    for item in cast("list[Json]", filled[0]):
        turn = as_object(item)
        if turn is None or set(turn) != {"role", "content"}:
            return None
        role, content = turn["role"], turn["content"]
        if role not in ("system", "user", "assistant") or not isinstance(content, str):
            return None
        turns.append(Message.of(role, content))
    return tuple(turns)
