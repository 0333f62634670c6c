"""Cuts a prompt into the lines that are shown of it; demonstrations become short."""

from __future__ import annotations

import json
from dataclasses import dataclass

from promptyard.errors import PromptError
from promptyard.records.base import as_object
from promptyard.records.prompt_text import parse_layout, split_lines
from promptyard.records.prompts import Prompt
from promptyard.reports.visible import one_line, visible

DEMO_INPUT_CHARS = 110
DEMO_OUTPUT_CHARS = 60


@dataclass(frozen=True)
class PromptLine:
    """One line of a prompt: as it stands there, and as it is shown.

    A demonstration is shown as `input → output`, both shortened; hidden characters are written
    out.
    """

    raw: str
    shown: str
    demo: bool


def prompt_lines(prompt: Prompt) -> tuple[PromptLine, ...]:
    """Return the lines of a prompt, without their line ends.

    Raises nothing: in a prompt whose front matter is never closed no line is a demonstration.
    """
    try:
        layout = parse_layout(prompt.text)
        blocks = [(b.body, b.end) for b in layout.blocks if b.role == "demos"]
    except PromptError:
        blocks = []
    lines: list[PromptLine] = []
    for line in split_lines(prompt.text):
        inside = any(start <= line.start < end for start, end in blocks)
        demo = inside and bool(line.text.strip())
        shown = _demo_text(line.text) if demo else visible(line.text)
        lines.append(PromptLine(line.text, shown, demo))
    return tuple(lines)


def _demo_text(line: str) -> str:
    try:
        value = as_object(json.loads(line))
    except ValueError:
        value = None
    if value is None or "output" not in value:
        return visible(one_line(line, DEMO_INPUT_CHARS))
    given = as_object(value.get("input")) or {}
    alone = next(iter(given.values())) if len(given) == 1 else given
    shown = alone if isinstance(alone, str) else json.dumps(alone, ensure_ascii=False)
    answer = value["output"]
    said = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    return visible(f"{one_line(shown, DEMO_INPUT_CHARS)} → {one_line(said, DEMO_OUTPUT_CHARS)}")
