"""What a user says of where failures are mended: checked before anything is spent."""

from __future__ import annotations

from collections.abc import Mapping

from promptyard.errors import ConfigError
from promptyard.records.evidence import DEMOS
from promptyard.records.prompts import Program
from promptyard.signals.targets import near_places, place_of


def check_targets(program: Program, targets: Mapping[str, str]) -> None:
    """Refuse a target that the program does not have or that may not be edited.

    Raises ConfigError in one line with the tag and the nearest section.
    """
    for tag, place in targets.items():
        if not tag.strip():
            raise ConfigError("optimize.targets: a tag is empty; write TAG or TAG:FIELD")
        if place == DEMOS or place_of(program, place) is not None:
            continue
        if reason := _closed(program, place):
            raise ConfigError(f"optimize.targets: '{tag}': {reason}; name another section")
        near = near_places(program, place)
        hint = f"did you mean '{near[0]}'?" if len(near) == 1 else f"known: {', '.join(near)}"
        raise ConfigError(f"optimize.targets: '{tag}': there is no section '{place}'; {hint}")


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
