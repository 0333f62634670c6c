"""Where sentences come from, as texts: what a change did to its bucket, and lists of ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from promptyard.records.origins import Effect, Origin
from promptyard.records.sentences import folded, sentences
from promptyard.reports.diff import DiffLine
from promptyard.reports.visible import one_line, visible

WHY_CHARS = 160


def effect_text(effect: Effect | None) -> str:
    """Write what a change did on the cases it was measured on; it never measured without cases."""
    if effect is None:
        return "not measured alone"
    return f"{effect.n_failing_before} → {effect.n_failing_after} on {effect.n_cases} cases"


def listed(ids: Sequence[str], limit: int) -> str:
    """List the first ids and count the others."""
    more = f" and {len(ids) - limit} more" if len(ids) > limit else ""
    return ", ".join(ids[:limit]) + more


def with_origins(lines: Sequence[DiffLine], origins: Sequence[Origin]) -> tuple[DiffLine, ...]:
    """Write behind each changed line where it comes from: generator, buckets, effect."""
    added = {folded(item.atom.text): item for item in origins if item.atom.text}
    removed = {
        folded(item.atom.anchor): item
        for item in origins
        if item.atom.kind in ("replace", "delete")
    }
    found = {"added": added, "removed": removed}
    return tuple(
        replace(line, why=_why(line.text, found[line.kind]))
        if line.kind in found and not line.demo
        else line
        for line in lines
    )


def _why(text: str, origins: dict[str, Origin]) -> str:
    known = [origins[key] for said in sentences(text) if (key := folded(said)) in origins]
    told = [
        f"{item.generator}: {', '.join(item.buckets)} ({effect_text(item.effect)})"
        for item in known
    ]
    return visible(one_line("; ".join(dict.fromkeys(told)), WHY_CHARS))
