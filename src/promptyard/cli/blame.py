"""Draws where the lines of a prompt come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptyard.cli.draw import table
from promptyard.reports.origins import effect_text, listed
from promptyard.reports.visible import one_line, visible

if TYPE_CHECKING:
    from rich.console import Console

    from promptyard.records.blame import Blame, BlameEntry

TEXT_CHARS = 72
SHOWN_CASES = 3


def draw_blame(out: Console, blame: Blame) -> None:
    """Draw each line with its number, then what is known of the lines that are not the seed's."""
    several = len({line.step for line in blame.lines}) > 1
    rows: list[tuple[str, ...]] = []
    for line in blame.lines:
        where = f"{line.step}:{line.number}" if several else str(line.number)
        text = one_line(line.text, TEXT_CHARS)
        entries = line.entries or (None,)
        for index, entry in enumerate(entries):
            # Of several sentences in a line each has its own row.
            said = one_line(entry.text, TEXT_CHARS) if entry and len(entries) > 1 else text
            rows.append((where if index == 0 else "", said, *_cells(entry)))
    columns = ("line", "text", "from", "bucket", "failing", "cases")
    out.print(table(f"{blame.name} v{blame.number}", columns, rows, right=(0,)))
    if blame.removed:
        cells = [(one_line(item.replaced, TEXT_CHARS), *_cells(item)) for item in blame.removed]
        out.print(table("Sentences taken out", columns[1:], cells))
    _draw_runs(out, blame)


def _cells(entry: BlameEntry | None) -> tuple[str, str, str, str]:
    if entry is None:
        return ("", "", "", "")
    number = f"v{entry.version}"
    if entry.source == "seed":
        return (f"seed {number}", "", "", "")
    if entry.source == "demo":
        return (f"{number} demonstration ({entry.demo_source})", "", "", listed(entry.case_ids, 1))
    by = entry.generator or entry.author
    return (
        f"{number} {by}",
        ", ".join(entry.buckets),
        effect_text(entry.effect),
        listed(entry.case_ids, SHOWN_CASES),
    )


def _draw_runs(out: Console, blame: Blame) -> None:
    """Say of each run that has a part in the prompt what it took for the cause and decided."""
    entries = [entry for line in blame.lines for entry in line.entries if entry.run_id]
    for run_id in dict.fromkeys(entry.run_id for entry in [*entries, *blame.removed]):
        own = [entry for entry in [*entries, *blame.removed] if entry.run_id == run_id]
        out.print(f"Run {run_id} (v{own[0].version})", style="bold", markup=False)
        decided = visible(f"{own[0].decision}: {own[0].sentence}")
        out.print(f"  decided {decided}" if own[0].decision else "  decided nothing", markup=False)
        for text in dict.fromkeys(entry.hypothesis for entry in own if entry.hypothesis):
            out.print(f"  because {visible(text)}", markup=False)
