"""The live line of a run, on terminals of several widths."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from promptyard.cli.draw import progress_columns

SPENT = "2,740 calls · 13,300 left · $12.50 · best 91.7 %"


@pytest.mark.parametrize(("width", "has_bar"), [(80, False), (116, True), (200, True)])
def test_the_live_line_is_cut_at_no_width(width: int, has_bar: bool) -> None:
    out = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    bars = Progress(*progress_columns(width), console=out)
    bars.add_task("baseline", completed=1045, total=2000, spent=SPENT)
    out.print(bars)
    assert isinstance(out.file, io.StringIO)
    (line,) = out.file.getvalue().splitlines()
    assert "1045/2000" in line
    assert SPENT in line
    assert line.rstrip().endswith("left")
    assert "…" not in line
    assert ("━" in line) == has_bar
