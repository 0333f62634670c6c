"""The id of a program, taken from its JSON without building the program.

A client proves every byte that it serves before it has imported a record. `Program.id` is the
definition; the tests hold the two together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast


def program_digest(value: Any) -> str:
    """Return the id that `Program.model_validate(value).id` would have.

    Raises ValueError saying what is not as in a program.
    """
    program = _object(value, "program")
    steps = program.get("steps")
    if not isinstance(steps, list) or not steps:
        raise ValueError("program.steps is no list with at least one step")
    workflow = _object(program.get("workflow", {}), "program.workflow")
    canonical = {
        "steps": [_step(step) for step in cast("list[Any]", steps)],
        "workflow": {
            "name": _text(workflow.get("name", "single"), "program.workflow.name"),
            "options": _object(workflow.get("options", {}), "program.workflow.options"),
        },
    }
    written = json.dumps(canonical, allow_nan=False)
    return hashlib.sha256(written.encode("ascii")).hexdigest()


def program_of_text(text: str) -> dict[str, Any]:
    """Return the JSON of a program of one prompt, whose file has this text."""
    nothing: dict[str, Any] = {}
    prompt = {"text": text, "files": nothing}
    workflow = {"name": "single", "options": nothing}
    return {"steps": [{"name": "main", "prompt": prompt}], "workflow": workflow}


def _step(value: Any) -> dict[str, Any]:
    step = _object(value, "program.steps[]")
    prompt = _object(step.get("prompt"), "program.steps[].prompt")
    return {
        "name": _text(step.get("name"), "program.steps[].name"),
        "prompt": {
            "text": _text(prompt.get("text"), "program.steps[].prompt.text"),
            "files": _object(prompt.get("files", {}), "program.steps[].prompt.files"),
        },
    }


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is no object")  # noqa: TRY004 - one kind of error for a bad value
    return cast("Mapping[str, Any]", value)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{where} is no text")  # noqa: TRY004 - one kind of error for a bad value
    return value
