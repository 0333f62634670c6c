"""What a user says of where failures are mended: checked before anything is spent."""

from __future__ import annotations

from collections.abc import Mapping

from promptyard.errors import ConfigError
from promptyard.line.source import TaskSource
from promptyard.records.evidence import DEMOS
from promptyard.records.prompts import Program
from promptyard.signals.targets import near_places, place_of


def check_targets(
    program: Program, targets: Mapping[str, str], source: TaskSource | None = None
) -> None:
    """Refuse a target that the program does not have or that may not be edited.

    Raises ConfigError in one line with the tag and the nearest section, and with file and line
    where `source` names the files.
    """
    for tag, place in targets.items():
        if reason := _wrong(program, tag, place):
            where = source.place(("optimize", "targets", tag)) if source else None
            raise ConfigError(f"{where or 'optimize.targets'}: {reason}")


def _wrong(program: Program, tag: str, place: str) -> str | None:
    """Say what is wrong with one target; None for one that holds."""
    if not tag.strip():
        return "a tag is empty; write TAG or TAG:FIELD"
    if place == DEMOS or place_of(program, place) is not None:
        return None
    if reason := _closed(program, place):
        return f"'{tag}': {reason}; name another section"
    near = near_places(program, place)
    hint = f"did you mean '{near[0]}'?" if len(near) == 1 else f"known: {', '.join(near)}"
    return f"'{tag}': there is no section '{place}'; {hint}"


def _closed(program: Program, place: str) -> str | None:
    """Say why a section that exists may not be edited; None where there is none."""
    step, _, section = place.rpartition("/")
    for item in program.steps:
        for found in item.prompt.sections if step in ("", item.name) else ():
            if found.id == section:
                if found.locked:
                    return f"section '{place}' is locked"
                return f"section '{place}' has no span marked <edit>...</edit>"
    return None
