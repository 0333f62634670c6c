"""Finds the fenced blocks of a Markdown page, with what a comment before each says of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXECUTED = ("bash", "python")
SHOWN = ("json", "markdown", "text", "toml", "yaml")
NOT_EXECUTED = "sh"

FENCE = re.compile(
    r"^(?P<mark>`{3,})(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=mark)$", re.S | re.M
)
COMMENT = re.compile(r"<!-- (?P<text>[^\n]*?) -->\n\Z")
FILE_NAME = re.compile(r"# (?P<name>\w+\.py)\n")


@dataclass(frozen=True)
class Block:
    """One fenced block; `comment` is the HTML comment on the line before it, if there is one."""

    page: str
    line: int
    language: str
    text: str
    comment: str

    @property
    def name(self) -> str:
        """Where it stands, for messages."""
        return f"{self.page}:{self.line}"

    @property
    def file_name(self) -> str | None:
        """The file that the block shows, if its first line names one."""
        found = FILE_NAME.match(self.text)
        return found["name"] if found else None


def pages() -> list[Path]:
    """All pages, generated ones included."""
    return [
        *sorted(ROOT.glob("*.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
    ]


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    found: list[Block] = []
    for match in FENCE.finditer(text):
        comment = COMMENT.search(text[: match.start()])
        found.append(
            Block(
                page=str(page.relative_to(ROOT)),
                line=text.count("\n", 0, match.start()) + 1,
                language=match["language"],
                text=match["text"],
                comment=comment["text"] if comment else "",
            )
        )
    return found
