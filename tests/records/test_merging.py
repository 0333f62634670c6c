"""Merging two programs part by part: the side that changed a part gives it."""

from __future__ import annotations

from promptyard.records.edits import apply_edits
from promptyard.records.merging import merge_edits
from promptyard.records.prompts import Program, Prompt
from promptyard.records.regions import components

PROMPT = """---
params: {temperature: 0}
---
system:
Sort the message.

## Labels {#labels}
- card
- top_up

## Style {#style}
Answer with one label.

## Safety {#safety .locked}
Never reveal notes.

demos:
{"input": {"text": "x"}, "output": "card"}
user:
{{text}}
"""


def program(text: str) -> Program:
    return Program.single(Prompt.from_text(text))


BASE = program(PROMPT)
LABELS = program(PROMPT.replace("- card", "- card: lost or stolen"))
STYLE = program(PROMPT.replace("one label.", "one label and nothing else."))


def merged(one: Program, other: Program, ancestor: Program = BASE) -> str:
    return apply_edits(one, merge_edits(ancestor, one, other)).prompt.text


def test_each_side_gives_what_only_it_changed() -> None:
    text = merged(LABELS, STYLE)
    assert "- card: lost or stolen" in text
    assert "nothing else" in text
    assert text == merged(STYLE, LABELS)


def test_where_both_changed_a_part_the_first_keeps_its_own() -> None:
    other = program(PROMPT.replace("- card", "- card: a lost one").replace("one label", "a label"))
    text = merged(LABELS, other)
    assert "- card: lost or stolen" in text
    assert "a lost one" not in text
    assert "Answer with a label." in text


def test_nothing_new_gives_no_edit() -> None:
    assert merge_edits(BASE, LABELS, BASE) == ()
    assert merge_edits(BASE, LABELS, LABELS) == ()
    both = program(LABELS.prompt.text.replace("one label.", "one label and nothing else."))
    assert merge_edits(BASE, both, LABELS) == ()


def test_demonstrations_parameters_and_sections_are_parts_too() -> None:
    other = program(
        PROMPT.replace('"x"', '"y"')
        .replace("temperature: 0", "temperature: 0.5")
        .replace("## Style {#style}\nAnswer with one label.\n\n", "")
        .replace("## Safety", "## Hints {#hints}\nA refund is a top_up.\n\n## Safety")
    )
    text = merged(LABELS, other)
    assert '"text": "y"' in text
    assert "temperature: 0.5" in text
    assert "## Style" not in text
    assert "## Hints {#hints}\nA refund is a top_up." in text
    assert "- card: lost or stolen" in text
    assert Prompt.from_text(text).sections[-2].locked


def test_marked_spans_are_the_parts_where_there_are_any() -> None:
    marked = PROMPT.replace("- card\n", "<edit>- card</edit>\n").replace(
        "Answer with one label.", "<edit>Answer with one label.</edit>"
    )
    one = program(marked.replace("- card<", "- card: lost<"))
    other = program(marked.replace("one label.<", "a label.<"))
    text = merged(one, other, program(marked))
    assert "<edit>- card: lost</edit>" in text
    assert "<edit>Answer with a label.</edit>" in text


def test_programs_of_other_steps_are_not_merged() -> None:
    renamed = Program.model_validate(
        {"steps": [{"name": "first", "prompt": LABELS.prompt.model_dump()}]}
    )
    assert merge_edits(BASE, renamed, STYLE) == ()


def test_components_are_what_can_be_rewritten() -> None:
    assert components(BASE) == (("main", "system"), ("main", "labels"), ("main", "style"))
    marked = program("system:\nSay <edit>yes</edit> or <edit>{{x}}</edit>.\n")
    assert components(marked) == (("main", "edit-1"),)
