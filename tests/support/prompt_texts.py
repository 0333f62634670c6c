"""Prompt files as people write them, drawn for property tests, and changes of them."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from promptyard.records.atoms import Atom
from promptyard.records.prompts import Prompt
from promptyard.records.regions import Region, regions
from promptyard.records.sentences import pieces_of

WORDS = (
    "answer",
    "ticket",
    "naïve",
    "straße",
    "e\u0301tage",  # a combining mark
    "\u4f60\u597d",
    "👩‍🔬",
    "v1.2",
    "state-of-the-art",
    "`code`",
    "**bold**",
    "<tag>",
    "50%",
    'a "quoted" word',
    "\u0394x",
)
ENDS = (".", "!", "?", " 🙂.", "")
LOCKED = "safety"


@st.composite
def sentence(draw: st.DrawFn, number: int) -> str:
    """A sentence that no other number makes; not all end with a full stop."""
    inner = draw(st.lists(st.sampled_from(WORDS), max_size=3))
    return " ".join(["Rule", str(number), *inner, "holds"]) + draw(st.sampled_from(ENDS))


@dataclass
class _Numbers:
    """Numbers that make sentences distinct."""

    last: int = 0

    def next(self) -> int:
        self.last += 1
        return self.last


def _body(draw: st.DrawFn, numbers: _Numbers) -> list[str]:
    lines: list[str] = []
    kinds = ("paragraph", "bullets", "numbers", "nested", "table", "code", "blank", "tabs")
    for kind in draw(st.lists(st.sampled_from(kinds), max_size=4)):
        said = [draw(sentence(numbers.next())) for _ in range(draw(st.integers(1, 3)))]
        match kind:
            case "paragraph":
                full = [text if text[-1] in ".!?" else f"{text}." for text in said]
                lines += [draw(st.sampled_from((" ", "  "))).join(full), ""]
            case "bullets":
                lines += [f"- {text}" for text in said]
            case "numbers":
                lines += [f"{n}. {text}" for n, text in enumerate(said, 1)]
            case "nested":
                lines += [f"* {said[0]}", *(f"  - {text}" for text in said[1:])]
            case "table":
                lines += [f"| {text} | yes |" for text in said]
            case "code":
                lines += ["```json", *(f'    {{"a": "{text}"}}' for text in said), "```"]
            case "blank":
                lines += ["", "  "]
            case _:
                lines += [f"\t{text}\t" for text in said]
    return lines


@st.composite
def prompts(draw: st.DrawFn, *, spans: bool = False) -> Prompt:
    """A prompt file of up to five sections, one of them locked, in either line end."""
    numbers = _Numbers()
    lines = ["system:", draw(sentence(numbers.next())), *_body(draw, numbers)]
    for title in ("Policy", "Output format", "Labels")[: draw(st.integers(0, 3))]:
        lines += [f"## {title}", *_body(draw, numbers)]
    if spans:
        marked = [draw(sentence(numbers.next())) for _ in range(2)]
        lines += [f"Always <edit>{marked[0]}</edit> here.", f"<edit>{marked[1]}</edit>"]
    locked = [f"## Safety {{#{LOCKED} .locked}}", draw(sentence(numbers.next())), ""]
    lines += draw(st.sampled_from(([], locked)))
    text = "\n".join([*lines, "user:", "{{text}}"]) + draw(st.sampled_from(("", "\n")))
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return Prompt.from_text(text)


def open_regions(prompt: Prompt) -> list[Region]:
    """The regions that may be edited, without the message that shows the case."""
    return [item for item in regions(prompt) if not item.locked and item.section != "user"]


def a_region(prompt: Prompt) -> st.SearchStrategy[Region]:
    """One of them."""
    return st.sampled_from(open_regions(prompt))


@st.composite
def changes(draw: st.DrawFn, prompt: Prompt, *, most: int = 6) -> tuple[Atom, ...]:
    """Atoms of a prompt: each anchor is one of its sentences and is changed once at most.

    Code fences stay: half of one does not go.
    """
    places = open_regions(prompt)
    left = {item.id: [piece.text for piece in pieces_of(item.text)] for item in places}
    atoms: list[Atom] = []
    for number in range(draw(st.integers(0, most))):
        region = draw(st.sampled_from(places)).id
        kind = draw(st.sampled_from(("append", "insert_after", "replace", "delete")))
        new = "" if kind == "delete" else draw(sentence(1000 + number))
        if kind == "append" or not left[region]:
            if new:
                atoms.append(Atom(kind="append", region=region, text=new))
            continue
        anchor = draw(st.sampled_from(left[region]))
        if kind != "insert_after":
            if anchor.startswith("```"):
                continue
            left[region].remove(anchor)
        atoms.append(Atom(kind=kind, region=region, anchor=anchor, text=new))
    return tuple(atoms)
