"""Writes an eval set as a promptfoo configuration, which promptfoo runs and we read back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from promptyard.errors import PromptError
from promptyard.evalset.exported import Exported, ExportSource
from promptyard.evalset.foreign.promptfoo.assertions_of_checks import (
    Inexpressible,
    assertion_of_check,
)
from promptyard.evalset.foreign.promptfoo.merging import NAMED
from promptyard.evalset.foreign.promptfoo.native import (
    CASE_KEYS,
    OURS,
    SHARED,
    SHOWN_KEYS,
    with_check,
)
from promptyard.evalset.foreign.promptfoo.templates import as_literal
from promptyard.evalset.native_rows import case_row, check_row
from promptyard.evalset.yaml_text import yaml_text
from promptyard.records.base import Json, as_list
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.prompts import Prompt

SCHEMA_LINE = "# yaml-language-server: $schema=https://promptfoo.dev/config-schema.json\n"


def promptfoo_yaml(source: ExportSource) -> Exported:
    """Write a configuration with prompts, default assertions and tests; providers are yours to add.

    Checks that promptfoo cannot run are kept in the metadata, and said in the notes. Values are
    written so that promptfoo fills no template in them and opens no file.
    """
    notes: Counter[str] = Counter()
    expected = [case.expected for case in source.cases]
    shared = [spec for spec in source.checks if not _needs_its_case(spec, expected)]
    of_each = [spec for spec in source.checks if spec not in shared]
    config: dict[str, Json] = {
        "description": source.name,
        "prompts": [_prompt(prompt, notes) for prompt in source.prompts] or ["{{prompt}}"],
    }
    default = _graded(shared, None, SHARED, notes, expected)
    if default:
        config["defaultTest"] = default
    config["tests"] = [_test(case, of_each, notes) for case in source.cases]
    said = [text if n == 1 else f"{text} ({n:,} times)" for text, n in notes.items()]
    return Exported(
        text=SCHEMA_LINE + yaml_text(config),
        notes=("add `providers` before you run it with promptfoo", *said),
    )


def _needs_its_case(spec: CheckSpec, expected: Sequence[Json]) -> bool:
    """Say whether a check of all cases can be written for each case only."""
    try:
        assertion_of_check(check_row(spec), None, expected)
    except Inexpressible as why:
        return why.of_each_case
    return False


def _test(case: Case, of_each: Sequence[CheckSpec], notes: Counter[str]) -> dict[str, Json]:
    row = case_row(case)
    test: dict[str, Json] = {"description": case.id, "vars": dict(case.input)}
    _warn(case, notes)
    if any(as_list(value) is not None for value in case.input.values()):
        test["options"] = {"disableVarExpansion": True}
    graded = _graded([*of_each, *case.checks], case, OURS, notes)
    if "assert" in graded:
        test["assert"] = graded["assert"]
    ours = {key: row[key] for key in CASE_KEYS if key in row}
    kept = graded.get("metadata", {}).get(OURS, {})
    shown = {key: row[key] for key in SHOWN_KEYS if key in row}
    test["metadata"] = {**shown, OURS: {**ours, **kept}}
    return test


def _warn(case: Case, notes: Counter[str]) -> None:
    """Say what promptfoo would do with a value, which cannot be written otherwise."""
    for value in case.input.values():
        if not isinstance(value, str):
            continue
        if value.startswith("file://"):
            notes["promptfoo opens a file where the value of a variable begins with file://"] += 1
        if any(found[1] in case.input for found in NAMED.finditer(value)):
            notes["promptfoo fills in a variable that the value of another one names"] += 1


def _graded(
    checks: Sequence[CheckSpec],
    case: Case | None,
    key: str,
    notes: Counter[str],
    all_expected: Sequence[Json] = (),
) -> dict[str, Json]:
    """Write checks as `assert`, and those that cannot be run there into the metadata."""
    asserts: list[Json] = []
    kept: list[Json] = []
    for number, spec in enumerate(checks):
        row = check_row(spec)
        try:
            assertion = assertion_of_check(row, case, all_expected)
            asserts.append(with_check(assertion, row))
        except Inexpressible as why:
            kept.append([number, row])
            notes[f"promptfoo does not run '{spec.type}'{why}; it is kept in the metadata"] += 1
    graded: dict[str, Json] = {"assert": asserts} if asserts else {}
    return {**graded, "metadata": {key: {"checks": kept}}} if kept else graded


def _prompt(text: str, notes: Counter[str]) -> str:
    """Write a prompt as promptfoo takes it: a text where it is one message, else a JSON chat."""
    prompt = Prompt(text=text)
    names = prompt.variables
    marks = {name: f"\ue000{number}\ue001" for number, name in enumerate(names)}
    try:
        messages = prompt.render(marks)
    except PromptError as error:
        notes[f"a prompt could not be written: {error}"] += 1
        return "{{prompt}}"
    contents = [(message.role, _template(message.text, marks)) for message in messages]
    if len(contents) == 1 and contents[0][0] == "user":
        return contents[0][1]
    chat = [{"role": role, "content": content} for role, content in contents]
    return json.dumps(chat, ensure_ascii=False, indent=1)


def _template(text: str, marks: Mapping[str, str]) -> str:
    """Put variables where their marks stand; everything else is no template."""
    by_mark = {mark: name for name, mark in marks.items()}
    pieces = [text]
    for mark in by_mark:
        pieces = [part for piece in pieces for part in _parted(piece, mark)]
    return "".join(f"{{{{{by_mark[p]}}}}}" if p in by_mark else as_literal(p) for p in pieces)


def _parted(piece: str, mark: str) -> list[str]:
    first, *rest = piece.split(mark)
    return [first, *(part for following in rest for part in (mark, following))]
