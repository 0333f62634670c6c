"""What changed between two programs: the lines of their texts, and what these lines mean.

The text of a prompt holds its settings; what a reader wants to know of them is which parameter,
tool, label or demonstration changed, and not on which line of YAML. Files and the workflow stand in
no text at all.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from promptyard.errors import PromptError
from promptyard.records.base import Json, Record
from promptyard.records.prompts import Program, Prompt

Part: TypeAlias = Literal[
    "step", "contract", "parameter", "tool", "demonstration", "file", "workflow", "line ends"
]
MISSING = "–"
MAX_SHOWN = 120


class Change(Record):
    """One thing that is other in the newer program. `old` or `new` is None where it is not there.

    `name` says which one of its part: the parameter, the tool, the file.
    """

    step: str
    part: Part
    name: str = ""
    old: str | None = None
    new: str | None = None

    @property
    def sentence(self) -> str:
        """The change on one line."""
        what = f"{self.part} {self.name}" if self.name else self.part
        old, new = (_shown(value) for value in (self.old, self.new))
        return f"{what}: {old} → {new}"


def diff_programs(old: Program, new: Program, *, old_name: str, new_name: str) -> str:
    """Write the unified diff of two programs, step by step, files and workflow included.

    Empty when they are equal to the byte: where lines differ in nothing but their ends, these are
    shown.
    """
    names = _step_names(old, new)
    pieces: list[str] = []
    for name in names:
        suffix = "" if names == ["main"] else f"/{name}"
        labels = (f"{old_name}{suffix}", f"{new_name}{suffix}")
        before, after = _prompt(old, name), _prompt(new, name)
        pieces += _text_diff(before.text if before else "", after.text if after else "", labels)
        for file in _file_names(before, after):
            there = [_file_lines(prompt, file) for prompt in (before, after)]
            pieces += _unified(there[0], there[1], (f"{labels[0]}/{file}", f"{labels[1]}/{file}"))
    settings = [_json_lines(item.workflow.model_dump(mode="json")) for item in (old, new)]
    pieces += _unified(settings[0], settings[1], (f"{old_name}/workflow", f"{new_name}/workflow"))
    return "\n".join(pieces)


def program_changes(old: Program, new: Program) -> tuple[Change, ...]:
    """Say what changed beside the words: contract, parameters, tools, demonstrations, files."""
    changes: list[Change] = []
    for name in _step_names(old, new):
        before, after = _prompt(old, name), _prompt(new, name)
        if before is None or after is None:
            there = ("there" if before else None, "there" if after else None)
            changes.append(Change(step=name, part="step", name=name, old=there[0], new=there[1]))
        else:
            changes += _prompt_changes(name, before, after)
    if old.workflow != new.workflow:
        specs = [json.dumps(item.workflow.model_dump(mode="json")) for item in (old, new)]
        changes.append(Change(step="", part="workflow", old=specs[0], new=specs[1]))
    return tuple(changes)


def _prompt_changes(step: str, old: Prompt, new: Prompt) -> Iterator[Change]:
    for part, before, after in _settings(old, new):
        for name in dict.fromkeys((*before, *after)):
            if before.get(name) != after.get(name):
                yield Change(
                    step=step,
                    part=part,
                    name=name,
                    old=before.get(name),
                    new=after.get(name),
                )
    ends = [_line_ends(prompt.text) for prompt in (old, new)]
    if ends[0] != ends[1]:
        yield Change(step=step, part="line ends", old=ends[0], new=ends[1])


def _settings(
    old: Prompt, new: Prompt
) -> Iterator[tuple[Part, Mapping[str, str], Mapping[str, str]]]:
    yield "contract", _contract(old), _contract(new)
    yield "parameter", _params(old), _params(new)
    yield "tool", _tools(old), _tools(new)
    yield "demonstration", _demos(old), _demos(new)
    yield "file", _written(old.files), _written(new.files)


def _contract(prompt: Prompt) -> Mapping[str, str]:
    try:
        contract = prompt.output
    except PromptError:  # an old version may not read any longer; its text is shown in any case
        return {}
    value = contract.model_dump(mode="json", by_alias=True)
    labels = {f"label {label}": "there" for label in value.pop("labels")}
    return {**_written({key: item for key, item in value.items() if item is not None}), **labels}


def _params(prompt: Prompt) -> Mapping[str, str]:
    try:
        return _written(prompt.params)
    except PromptError:
        return {}


def _tools(prompt: Prompt) -> Mapping[str, str]:
    try:
        return {tool.name: _text(tool.model_dump(mode="json")) for tool in prompt.tools}
    except PromptError:
        return {}


def _demos(prompt: Prompt) -> Mapping[str, str]:
    try:
        return {demo.line(): "there" for demo in prompt.demos}
    except PromptError:
        return {}


def _written(values: Mapping[str, Json]) -> Mapping[str, str]:
    return {str(key): _text(value) for key, value in values.items()}


def _text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


def _shown(value: str | None) -> str:
    text = MISSING if value is None else value
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def _step_names(old: Program, new: Program) -> list[str]:
    return list(dict.fromkeys(step.name for step in (*old.steps, *new.steps)))


def _prompt(program: Program, name: str) -> Prompt | None:
    return next((step.prompt for step in program.steps if step.name == name), None)


def _file_names(old: Prompt | None, new: Prompt | None) -> list[str]:
    prompts = [prompt for prompt in (old, new) if prompt is not None]
    return list(dict.fromkeys(name for prompt in prompts for name in prompt.files))


def _file_lines(prompt: Prompt | None, name: str) -> Sequence[str]:
    if prompt is None or name not in prompt.files:
        return ()
    return _json_lines(prompt.files[name])


def _json_lines(value: Json) -> Sequence[str]:
    return json.dumps(value, ensure_ascii=False, indent=2).splitlines()


def _text_diff(old: str, new: str, labels: tuple[str, str]) -> list[str]:
    """Compare lines; where only their ends differ, compare these."""
    found = _unified(old.splitlines(), new.splitlines(), labels)
    if found or old == new:
        return found
    return _unified(_with_ends(old), _with_ends(new), labels)


def _with_ends(text: str) -> list[str]:
    lines = text.splitlines(keepends=True)
    return [line.replace("\r", "\\r").replace("\n", "\\n") for line in lines]


def _line_ends(text: str) -> str:
    n_crlf = text.count("\r\n")
    kind = "CRLF" if n_crlf and n_crlf == text.count("\n") else ("mixed" if n_crlf else "LF")
    return kind if text.endswith("\n") or not text else f"{kind}, none at the end"


def _unified(old: Sequence[str], new: Sequence[str], labels: tuple[str, str]) -> list[str]:
    return list(difflib.unified_diff(list(old), list(new), *labels, lineterm=""))
