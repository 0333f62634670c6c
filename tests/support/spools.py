"""Reads spools as the line does: every line has to be a live event."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter

from promptyard.records.live import Exposure, Feedback, LiveEvent, Outcome

EVENTS: TypeAdapter[LiveEvent] = TypeAdapter(LiveEvent)


def lines_in(spool: Path) -> list[str]:
    """All lines of all segments with their ends, oldest segment first."""
    return [
        line
        for path in sorted(spool.glob("*.jsonl*"))
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True)
    ]


def event_of(line: str) -> Exposure | Outcome | Feedback:
    """Read a line as strictly as the collector does."""
    return EVENTS.validate_json(line, strict=True)


def events_in(spool: Path) -> list[Exposure | Outcome | Feedback]:
    """All events. A line that is none raises."""
    return [event_of(line) for line in lines_in(spool)]


def outcomes_in(spool: Path) -> list[Outcome]:
    """All outcomes."""
    return [event for event in events_in(spool) if isinstance(event, Outcome)]
