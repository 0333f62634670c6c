"""The digest of a program's JSON is the id of the program, whatever the program holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from promptyard.records.program_digest import program_digest, program_of_text
from promptyard.records.prompts import Program, Prompt, Step, WorkflowSpec

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
FILES = st.dictionaries(st.text(), JSON, max_size=3)
PROMPTS = st.builds(Prompt, text=st.text(), files=FILES)
STEPS = st.lists(st.builds(Step, name=st.text(), prompt=PROMPTS), min_size=1, max_size=3)
WORKFLOWS = st.builds(WorkflowSpec, name=st.text(), options=FILES)
PROGRAMS = st.builds(Program, steps=STEPS.map(tuple), workflow=WORKFLOWS)


@given(PROGRAMS)
def test_it_is_the_id_of_the_program(program: Program) -> None:
    value = json.loads(json.dumps(program.model_dump(mode="json", by_alias=True)))
    assert program_digest(value) == program.id == Program.model_validate(value).id


@given(st.text())
def test_a_text_alone_is_the_program_of_one_prompt(text: str) -> None:
    program = Program.single(Prompt(text=text))
    assert program_digest(program_of_text(text)) == program.id
    assert Program.model_validate(program_of_text(text)) == program


def test_what_may_be_left_out_may_be_left_out() -> None:
    value: dict[str, Any] = {"steps": [{"name": "main", "prompt": {"text": "hi"}}]}
    assert program_digest(value) == Program.model_validate(value).id


NO_PROGRAMS: list[Any] = [
    None,
    [],
    {},
    {"steps": []},
    {"steps": {}},
    {"steps": [1]},
    {"steps": [{"name": "main"}]},
    {"steps": [{"name": 1, "prompt": {"text": ""}}]},
    {"steps": [{"name": "main", "prompt": {"text": None}}]},
    {"steps": [{"name": "main", "prompt": {"text": "", "files": []}}]},
    {"steps": [{"name": "main", "prompt": {"text": ""}}], "workflow": "single"},
    {"steps": [{"name": "main", "prompt": {"text": ""}}], "workflow": {"name": None}},
]


@pytest.mark.parametrize("value", NO_PROGRAMS)
def test_what_is_no_program_has_no_digest(value: Any) -> None:
    with pytest.raises(ValueError, match="program"):
        program_digest(value)
    with pytest.raises(ValidationError):
        Program.model_validate(value)


def test_a_changed_copy_has_a_digest_of_its_own_though_the_first_one_was_asked_for() -> None:
    """Else a prompt that is registered behind another one is taken for that one."""
    first = Program.single(Prompt.from_text("user:\nA {{x}}\n"))
    second = Program.single(Prompt.from_text("user:\nB {{x}}\n"))
    assert first.id != second.id
    changed = first.model_copy(update={"steps": second.steps})
    assert changed.id == second.id
    assert first.model_copy().id == first.id
