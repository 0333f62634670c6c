"""Lays a table of texts out for the width there is; no word is broken while that can be helped.

Where columns cannot hold their words, rows are written below each other instead, each cell with its
column's name: a narrow terminal shows the same, only longer.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

from promptyard.reports.visible import visible

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table
    from rich.text import Text

MIN_PROSE = 24
"""Columns that a cell of several words has at least: narrower ones are too tall to be read."""

SHORT = 12
"""A cell of so many columns is not wrapped: `v1 → v2`, `3.0 points`."""

ROOMY = 3
"""Columns that each cell takes beside its text, where there is room."""
TIGHT = 2


class ShownTable:
    """A table whose layout is chosen when it is printed, as only then its width is known."""

    def __init__(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        right: Sequence[int],
    ) -> None:
        self._title = title
        self._columns = tuple(columns)
        self._rows = [tuple(visible(cell) for cell in row) for row in rows]
        self._right = frozenset(right)

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Generator[RenderableType]:
        """Yield the table or, where no layout fits, its rows below each other."""
        full = self._measured(_width, _width)
        n = len(full)
        if sum(full) + ROOMY * n + 1 <= options.max_width:
            yield self._table(None)
            return
        room = options.max_width - TIGHT * (n - 1)
        widths = shared(self._measured(_longest_word, _least), full, room)
        if widths is None:
            yield from self._stacked()
        else:
            yield self._table(widths)
        yield ""

    def _measured(self, head: Callable[[str], int], cell: Callable[[str], int]) -> list[int]:
        columns = zip(self._columns, *self._rows, strict=True)
        return [max(head(name), *map(cell, cells), 0) for name, *cells in columns]

    def _table(self, widths: Sequence[int] | None) -> Table:
        """Return rich's table; with `widths` its columns are as wide and stand closer."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        made = Table(title=self._title, box=SIMPLE_HEAD, title_justify="left", title_style="bold")
        if widths is not None:
            made.show_edge = made.pad_edge = False
            made.padding = (0, 1, 0, 0)
        for index, name in enumerate(self._columns):
            made.add_column(
                name,
                justify="right" if index in self._right else "left",
                overflow="fold",
                width=None if widths is None else widths[index],
            )
        for row in self._rows:
            made.add_row(*(Text(cell) for cell in row))
        return made

    def _stacked(self) -> Generator[RenderableType]:
        from rich.padding import Padding
        from rich.text import Text

        yield Text(self._title, style="bold")
        for first, *others in self._rows:
            yield Text(first or "–", style="bold", overflow="fold")
            rest = [
                _named(name, " ".join(cell.split()))
                for name, cell in zip(self._columns[1:], others, strict=True)
                if cell.strip() not in {"", "–"}
            ]
            if rest:
                yield Padding(Text(" · ").join(rest), (0, 0, 0, 2))


def shared(least: Sequence[int], full: Sequence[int], room: int) -> list[int] | None:
    """Share `room` columns among cells: each what it needs, the rest by what they lack.

    Returns None where not even their least fits.
    """
    spare = room - sum(least)
    if spare < 0:
        return None
    lacks = [most - low for low, most in zip(least, full, strict=True)]
    total = sum(lacks)
    given = [lack * min(spare, total) // total if total else 0 for lack in lacks]
    return [low + more for low, more in zip(least, given, strict=True)]


def _width(cell: str) -> int:
    from rich.cells import cell_len

    return max((cell_len(line) for line in cell.splitlines()), default=0)


def _longest_word(text: str) -> int:
    from rich.cells import cell_len

    return max((cell_len(word) for word in text.split()), default=0)


def _least(cell: str) -> int:
    """Return the width in which a cell can be read: a short one on a line, prose on a few."""
    whole = _width(cell)
    if whole <= SHORT:
        return whole
    return max(_longest_word(cell), min(whole, MIN_PROSE) if len(cell.split()) > 3 else 0)


def _named(name: str, cell: str) -> Text:
    from rich.text import Text

    return Text.assemble((f"{name}: ", "dim"), cell) if name else Text(cell)
