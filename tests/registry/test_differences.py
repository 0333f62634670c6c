"""A diff shows every byte that differs; the changes beside it say what the settings mean."""

from __future__ import annotations

import pytest

from promptyard.records.prompts import Program, Prompt, Step, WorkflowSpec
from promptyard.registry.differences import diff_programs, program_changes

OLD = """---
output: {format: label, labels: [yes, no]}
params: {temperature: 0, top_p: 1}
tools:
- {name: find, description: "Find.", parameters: {}}
---
system:
Answer.
demos:
{"input": {"x": "a"}, "output": "yes"}
user:
{{x}}
"""
NEW = """---
output: {format: label, labels: [yes, perhaps]}
params: {temperature: 0.5, seed: 1}
tools:
- {name: find, description: "Find it.", parameters: {}}
- {name: tell, description: "Tell.", parameters: {}}
---
system:
Answer.
demos:
{"input": {"x": "b"}, "output": "no"}
user:
{{x}}
"""


def program(text: str, **files: object) -> Program:
    return Program.single(Prompt.from_text(text, files))


def changes(old: Program, new: Program) -> set[str]:
    return {change.sentence for change in program_changes(old, new)}


def test_contract_parameters_tools_and_demonstrations_are_named() -> None:
    said = changes(program(OLD), program(NEW))
    assert said >= {
        "contract label no: there → –",
        "contract label perhaps: – → there",
        "parameter temperature: 0 → 0.5",
        "parameter top_p: 1 → –",
        "parameter seed: – → 1",
    }
    assert any(line.startswith("tool find: ") and "Find it." in line for line in said)
    assert any(line.startswith("tool tell: – → ") for line in said)
    assert sum(line.startswith("demonstration ") for line in said) == 2


def test_a_file_beside_the_prompt_is_compared_though_no_text_shows_it() -> None:
    text = "---\noutput: {format: json, schema: a.json}\n---\nuser:\n{{x}}\n"
    old = program(text, **{"a.json": {"type": "object"}})
    new = program(text, **{"a.json": {"type": "array"}})
    shown = diff_programs(old, new, old_name="p v1", new_name="p v2")
    assert '-  "type": "object"' in shown.splitlines()
    assert "+++ p v2/a.json" in shown.splitlines()
    assert "file a.json: " in " ".join(changes(old, new))


def test_another_workflow_and_other_steps_are_compared() -> None:
    prompt = Prompt.from_text("user:\n{{x}}\n")
    one = Program(steps=(Step(name="a", prompt=prompt),))
    two = Program(
        steps=(Step(name="a", prompt=prompt), Step(name="b", prompt=prompt)),
        workflow=WorkflowSpec(name="chain"),
    )
    shown = diff_programs(one, two, old_name="v1", new_name="v2")
    assert "+++ v2/b" in shown
    assert '+  "name": "chain",' in shown
    assert {"step b: – → there"} < changes(one, two)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("user:\n{{x}}\n", "user:\r\n{{x}}\r\n"),
        ("user:\n{{x}}\n", "user:\n{{x}}"),
        ("user:\na\u2028{{x}}\n", "user:\na\n{{x}}\n"),
    ],
)
def test_versions_that_differ_in_line_ends_only_are_not_called_equal(old: str, new: str) -> None:
    shown = diff_programs(program(old), program(new), old_name="v1", new_name="v2")
    assert shown.count("\n") >= 3
    assert shown.isprintable() or "\\n" in shown


def test_equal_programs_have_no_difference() -> None:
    assert diff_programs(program(OLD), program(OLD), old_name="v1", new_name="v2") == ""
    assert program_changes(program(OLD), program(OLD)) == ()
