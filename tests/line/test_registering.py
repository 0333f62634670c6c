"""Programs that come over the network are registered as those of a folder, or refused."""

from __future__ import annotations

import math
from typing import Any

import pytest

from promptyard.errors import ConfigError, NotFound, PromptError, PromptyardError
from promptyard.line.registering import Registered, WrittenPrompt, register_program
from promptyard.records.prompts import Program, Prompt, Step, WorkflowSpec
from support.released import run, url

__all__ = ["url"]


def register(url: str, written: WrittenPrompt | Program, **more: Any) -> Registered:
    return run(register_program(url, more.pop("name", "p"), written, author="ann", **more))


def chain(*texts: str) -> Program:
    steps = tuple(
        Step(name=f"s{number}", prompt=Prompt.from_text(text)) for number, text in enumerate(texts)
    )
    return Program(steps=steps, workflow=WorkflowSpec(name="chain"))


def test_a_text_is_the_next_version_and_the_same_text_is_that_version(url: str) -> None:
    first = register(url, WrittenPrompt("user:\nD {{x}}\n"), message="shorter")
    assert (first.version.number, first.version.parent, first.is_new) == (4, 3, True)
    assert (first.version.author, first.version.hypothesis) == ("ann", "shorter")
    again = register(url, WrittenPrompt("user:\nD {{x}}\n"), parent="production")
    assert (again.version, again.is_new) == (first.version, False)
    other = register(url, WrittenPrompt("user:\nE {{x}}\n"), parent="production")
    assert other.version.parent == 1


def test_the_first_version_of_a_name_is_its_seed(url: str) -> None:
    made = register(url, WrittenPrompt("user:\nD {{x}}\n"), name="team/new").version
    assert (made.name, made.number, made.parent, made.status) == ("team/new", 1, None, "seed")
    with pytest.raises(NotFound, match="none can be its parent"):
        register(url, WrittenPrompt("user:\nD\n"), name="other", parent="1")


def test_a_text_for_a_step_leaves_the_other_steps_of_the_parent(url: str) -> None:
    whole = register(url, chain("user:\nA {{x}}\n", "user:\nB {{s0}}\n"), name="c").version
    changed = register(url, WrittenPrompt("user:\nC {{s0}}\n", step="s1"), name="c").version
    assert [step.prompt.text for step in changed.program.steps] == [
        "user:\nA {{x}}\n",
        "user:\nC {{s0}}\n",
    ]
    assert (changed.parent, changed.program.workflow) == (whole.number, whole.program.workflow)


REFUSED: tuple[tuple[str, WrittenPrompt | Program, type[PromptyardError], str], ...] = (
    ("p", WrittenPrompt("---\nnmae: x\n---\nuser:\nA\n"), PromptError, "unknown key 'nmae'"),
    ("p", WrittenPrompt("user:\nA\n", step="other"), PromptError, "no step 'other'"),
    ("new", WrittenPrompt("user:\nA\n", step="s"), NotFound, "no version yet"),
    ("a\nb", WrittenPrompt("user:\nA\n"), PromptError, "no name for a prompt"),
    ("p", WrittenPrompt("user:\nA\n", {"f": [{"n": math.inf}]}), ConfigError, "no number"),
    ("p", WrittenPrompt("user:\n" + "# a\n" * 100_000), PromptError, "headings and messages"),
    ("p", WrittenPrompt("user:\n" * 100_000), PromptError, "headings and messages"),
    ("p", WrittenPrompt("---\nparams:\n" + "  k: 1\n" * 9_000 + "---\n"), PromptError, "front"),
    ("p", WrittenPrompt("x" * 1_000_001), PromptError, "characters"),
    (
        "p",
        chain("user:\nA {{x}}\n").model_copy(update={"workflow": WorkflowSpec(name="chian")}),
        ConfigError,
        "chian",
    ),
    (
        "p",
        chain("user:\nA\n", "user:\nB\n").model_copy(update={"workflow": WorkflowSpec()}),
        ConfigError,
        "workflow 'single' runs one",
    ),
)


@pytest.mark.parametrize(("name", "written", "kind", "said"), REFUSED)
def test_what_could_not_be_read_or_run_is_refused_and_nothing_is_registered(
    url: str,
    name: str,
    written: WrittenPrompt | Program,
    kind: type[PromptyardError],
    said: str,
) -> None:
    with pytest.raises(kind, match=said):
        register(url, written, name=name)
    made = register(url, WrittenPrompt("user:\nlast\n"))
    assert made.version.number == 4
