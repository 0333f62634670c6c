"""The workflows of the table, under the public contract suite."""

from __future__ import annotations

import pytest

from promptyard.errors import ConfigError
from promptyard.protocols import Workflow
from promptyard.records.cases import Case
from promptyard.records.prompts import Program, Prompt, Step, WorkflowSpec
from promptyard.testing.workflow_contract import WorkflowContract
from promptyard.workflows import WORKFLOWS

CASE = Case(id="c", input={"text": "hello"}, split="train")
TWO_STEPS = Program(
    steps=(
        Step(name="outline", prompt=Prompt.from_text("user:\nOutline: {{text}}\n")),
        Step(name="write", prompt=Prompt.from_text("user:\nWrite up {{outline}} for {{text}}\n")),
    ),
    workflow=WorkflowSpec(name="chain"),
)


class TestSingle(WorkflowContract):
    def workflow(self) -> Workflow:
        return WORKFLOWS["single"]({})

    def program(self) -> Program:
        return Program.single(Prompt.from_text("user:\nSay {{text}}\n"))

    def case(self) -> Case:
        return CASE


class TestChain(WorkflowContract):
    def workflow(self) -> Workflow:
        return WORKFLOWS["chain"]({})

    def program(self) -> Program:
        return TWO_STEPS

    def case(self) -> Case:
        return CASE

    def test_a_step_reads_the_answers_of_the_steps_before_it(self) -> None:
        _, calls = self.run()
        asked = [request.messages[-1].text for _, request in calls]
        assert asked == ["Outline: hello", "Write up answer 1 of outline for hello"]


def test_every_workflow_of_the_table_is_under_contract() -> None:
    assert set(WORKFLOWS) == {"single", "chain"}


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_unknown_options_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="no options"):
        WORKFLOWS[name]({"rounds": 3})
