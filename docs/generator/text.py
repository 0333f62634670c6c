"""Texts of the generated pages: docstrings, tables, pages as Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence

MARK = "<!-- Written by `python -m docs.generate`. Do not edit by hand. -->\n\n"


def docstring(source: str | None) -> str:
    """Turn a docstring into Markdown: Google sections become lists, indented code a block."""
    lines = inspect.cleandoc(source or "").splitlines()
    out: list[str] = []
    in_section = False
    for line in lines:
        if re.fullmatch(r"(Args|Options|Attributes|Raises|Returns):", line):
            out += [f"**{line}**", ""]
            in_section = True
        elif in_section and (item := re.match(r" {4}([^ :][^:]*): (.*)", line)):
            name = re.sub(r"(?<!`)\b(?!or\b)\w+\b(?!`)", r"`\g<0>`", item.group(1))
            out.append(f"- {name}: {item.group(2)}")
        elif in_section and line.startswith("        "):
            out.append("  " + line.strip())
        elif not line.strip():
            out.append("")
            in_section = False
        else:
            out.append(line)
    text = "\n".join(out)
    return re.sub(r"::?\n\n((?: {4}.*\n?)+)", _code_block, text).strip()


def _code_block(match: re.Match[str]) -> str:
    return f":\n\n```text\n{inspect.cleandoc(match.group(1))}\n```\n"


def sentences(source: str | None) -> str:
    """Bring a text onto one line."""
    return " ".join((source or "").split())


def first(source: str | None) -> str:
    """Return the first paragraph of a docstring on one line."""
    return sentences((source or "").partition("\n\n")[0])


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"

    return line(columns) + line(["---"] * len(columns)) + "".join(map(line, rows)) + "\n"


def page(title: str, parts: Sequence[str]) -> str:
    """Join the parts of a page under its title and the mark that it is generated."""
    return f"{MARK}# {title}\n\n" + "".join(parts).rstrip() + "\n"
