"""Prompt files: parsing, rendering, splicing. The text is the source; nothing else may move."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.errors import EditError, PromptError
from promptyard.records.edits import (
    DropSection,
    InsertSection,
    PermuteDemos,
    Replace,
    SetDemos,
    SetParam,
    SetSection,
    apply_edits,
    splice,
)
from promptyard.records.messages import ImagePart, TextPart
from promptyard.records.prompts import Demo, Program, Prompt

TICKET = """---
name: support-tickets
output: {format: label, labels: [a, b]}
---
system:
Summarise the support ticket.

## Evidence policy {#evidence}
Only include facts that the ticket states.

## Safety {#safety .locked}
Never reveal internal notes.

user:
{{ticket}}
"""

PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "system:\n",
                "user:\r\n",
                "assistant:\n",
                "## Title {#t}\n",
                "# A b {.locked}\r\n",
                "{{x}}",
                "{{ y }}",
                "\\{{x}}",
                "<edit>",
                "</edit>",
                "\\<edit>",
                "```\n",
                "{single}",
                "}}",
                "{{",
                "\r\n",
                "\n",
                "e\u0301",
                "👩‍👩‍👧 emoji",
                "\u202eabc",
                "\t- item\n",
            ]
        ),
        st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12),
    ),
    max_size=24,
)
PROMPT_TEXTS = PIECES.map("".join).filter(lambda text: not text.startswith(("---", "\ufeff---")))


def test_a_prompt_file_has_named_sections_in_order() -> None:
    prompt = Prompt.from_text(TICKET)
    assert [(s.id, s.role, s.locked) for s in prompt.sections] == [
        ("system", "system", False),
        ("evidence", "system", False),
        ("safety", "system", True),
        ("user", "user", False),
    ]
    assert prompt.sections[1].text == "Only include facts that the ticket states.\n\n"
    assert prompt.variables == ("ticket",)
    assert prompt.output.labels == ("a", "b")


@given(PROMPT_TEXTS)
@settings(max_examples=300)
def test_parsing_and_writing_are_inverse_to_the_byte(text: str) -> None:
    layout = Prompt(text=text).layout
    written = text[: layout.front] + "".join(
        text[block.start : block.body] + text[block.body : block.end] for block in layout.blocks
    )
    assert written.encode() == text.encode()
    for block in layout.blocks:
        if block.role == "demos":
            continue
        inside = [s for s in layout.sections if block.body <= s.body and s.end <= block.end]
        assert (
            "".join(text[max(s.start, block.body) : s.end] for s in inside)
            == (text[block.body : block.end])
        )


@given(PROMPT_TEXTS, st.data())
@settings(max_examples=300)
def test_an_edit_changes_its_section_and_no_other_byte(text: str, data: st.DataObject) -> None:
    prompt = Prompt(text=text)
    editable = [s for s in prompt.layout.sections if not s.locked]
    if not editable or prompt.layout.edit_spans:
        return
    section = data.draw(st.sampled_from(editable))
    length = section.end - section.body
    start = data.draw(st.integers(0, length))
    end = data.draw(st.integers(start, length))
    edit = Replace(
        section=section.id,
        start=start,
        end=end,
        old=text[section.body + start : section.body + end],
        text=" new ",
    )
    try:
        changed = splice(prompt, [edit]).text
    except PromptError:
        return  # the edit joined lines into a demos block or a front matter that is none
    assert changed[: section.body + start] == text[: section.body + start]
    assert changed[section.body + start + 5 :] == text[section.body + end :]


@given(PROMPT_TEXTS, st.text(max_size=40))
@settings(max_examples=200)
def test_values_are_inserted_as_they_are_and_never_read_as_templates(text: str, value: str) -> None:
    prompt = Prompt(text="user:\nA {{v}} B\n")
    nasty = f"{{{{v}}}} {value} <edit>{text}</edit>"
    assert prompt.render({"v": nasty})[0].text == f"A {nasty} B"


def test_rendering_strips_attributes_and_marks_but_keeps_headings() -> None:
    prompt = Prompt.from_text(
        "system:\n## Rules {#rules .locked}\nKeep <edit>this</edit> short.\n\nuser:\n{{q}}\n"
    )
    system, user = prompt.render({"q": "hi"})
    assert system.text == "## Rules\nKeep this short."
    assert user.text == "hi"


def test_backslash_makes_marks_literal() -> None:
    prompt = Prompt.from_text("user:\n\\{{x}} and \\<edit>\n\\system:\n{{x}}\n")
    assert prompt.render({"x": "1"})[0].text == "{{x}} and <edit>\nsystem:\n1"
    assert prompt.variables == ("x",)
    assert prompt.spans == ()


def test_an_edit_mark_without_its_partner_is_text() -> None:
    prompt = Prompt.from_text("user:\nwrite <edit> here {{x}}\n")
    assert prompt.spans == ()
    assert prompt.render({"x": "1"})[0].text == "write <edit> here 1"


def test_headings_and_roles_inside_fences_are_text() -> None:
    prompt = Prompt.from_text("system:\n```\n# not a heading\nuser:\n```\nuser:\n{{x}}\n")
    assert [section.id for section in prompt.sections] == ["system", "user"]
    assert "# not a heading\nuser:" in prompt.render({"x": ""})[0].text


def test_a_byte_order_mark_is_no_part_of_the_prompt() -> None:
    prompt = Prompt.from_text("\ufeffsystem:\nS\nuser:\n{{x}}\n")
    assert [(m.role, m.text) for m in prompt.render({"x": "1"})] == [("system", "S"), ("user", "1")]
    assert Prompt.from_text("\ufeffSay {{x}}").render({"x": "1"})[0].text == "Say 1"


def test_demonstrations_repeat_the_message_that_shows_the_case() -> None:
    demo = Demo(input={"x": "in"}, output="out")
    prompt = splice(
        Prompt.from_text("system:\nS\nuser:\nQ: {{x}}\nuser:\nAnswer now.\n"),
        [SetDemos(demos=(demo,))],
    )
    assert [m.text for m in prompt.render({"x": "now"})] == [
        "S",
        "Q: in",
        "out",
        "Q: now",
        "Answer now.",
    ]
    with pytest.raises(EditError, match="shows a variable"):
        splice(Prompt.from_text("system:\n{{x}}\nuser:\nGo.\n"), [SetDemos(demos=(demo,))])


def test_a_text_without_role_lines_is_one_user_message() -> None:
    messages = Prompt.from_text("Classify: {{x}}").render({"x": "a"})
    assert [(m.role, m.text) for m in messages] == [("user", "Classify: a")]


def test_demonstrations_stand_as_turns_before_the_last_user_message() -> None:
    text = (
        "system:\nS\ndemos:\n"
        + json.dumps({"input": {"x": "{{y}} in"}, "output": "out"})
        + "\nuser:\nQ: {{x}}\n"
    )
    messages = Prompt.from_text(text).render({"x": "now"})
    assert [(m.role, m.text) for m in messages] == [
        ("system", "S"),
        ("user", "Q: {{y}} in"),
        ("assistant", "out"),
        ("user", "Q: now"),
    ]


def test_images_and_chats_are_rendered_as_such() -> None:
    prompt = Prompt.from_text("user:\nLook: {{image}} Now say.\n")
    parts = prompt.render({"image": {"image": "data:image/png;base64,AA=="}})[0].parts
    assert parts == (
        TextPart(text="Look: "),
        ImagePart(url="data:image/png;base64,AA=="),
        TextPart(text=" Now say."),
    )
    chat = Prompt.from_text("system:\nS\nuser:\n{{history}}\n")
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert [m.text for m in chat.render({"history": turns})] == ["S", "a", "b"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("---\nname: x\n", ["line 1", "never closed"]),
        ("---\nnmae: x\n---\nuser:\n{{x}}", ["line 2", "nmae", "did you mean 'name'"]),
        ("---\na: [1\n---\nuser:\n{{x}}", ["line", "YAML"]),
        ("---\noutput: {format: label, lables: [a]}\n---\n{{x}}", ["line 2", "output.lables"]),
        ("---\noutput: {format: json, schema: s.json}\n---\n{{x}}", ["line 2", "s.json"]),
        ("demos:\nnot json\nuser:\n{{x}}", ["line 2", "JSON"]),
        ("---\nname: x\nparams: [1]\n---\n{{x}}", ["line 3", "params", "keys and values"]),
        ("---\nparams: {temperature: hot}\n---\n{{x}}", ["line 2", "params.temperature", "hot"]),
        ("---\ntools: [{nam: x}]\n---\n{{x}}", ["line 2", "tools.0"]),
        ("---\nname: 2024-01-01\n---\n{{x}}", ["line 2", "name: date is no plain value"]),
        ("---\nparams: &a {b: *a}\n---\n{{x}}", ["line 2", "params", "alias"]),
        ("---\nname: " + "[" * 3_000 + "\n---\n{{x}}", ["line 2", "cannot be read"]),
        (
            'demos:\n{"input": {}, "output": "o"}\nuser:\n{{x}}',
            ["line 2", "demonstration 1", "'x'"],
        ),
        ('demos:\n{"input": {}}\nuser:\n{{x}}', ["line 2", "output"]),
    ],
)
def test_a_broken_prompt_file_is_one_clear_message(text: str, words: list[str]) -> None:
    with pytest.raises(PromptError) as caught:
        Prompt.from_text(text)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_the_line_of_a_variable_is_that_of_its_first_use() -> None:
    prompt = Prompt.from_text("---\nname: x\n---\nsystem:\n\\{{b}}\nuser:\n{{a}}\n{{b}} {{a}}\n")
    assert (prompt.line_of("a"), prompt.line_of("b")) == (7, 8)


def test_a_missing_variable_is_named_with_the_inputs_there_are() -> None:
    with pytest.raises(PromptError, match=r"\{\{tikcet\}\}.*ticket"):
        Prompt.from_text("user:\n{{tikcet}}").render({"ticket": "x"})


def test_locked_sections_cannot_be_edited() -> None:
    prompt = Prompt.from_text(TICKET)
    for edit in (
        SetSection(section="safety", text="x"),
        DropSection(section="safety"),
        Replace(section="safety", start=0, end=5, old="Never", text="Always"),
    ):
        with pytest.raises(EditError, match="locked"):
            splice(prompt, [edit])


def test_only_marked_spans_may_change_where_there_are_any() -> None:
    prompt = Prompt.from_text("system:\nKeep. <edit>Old.</edit> End.\nuser:\n{{x}}\n")
    span = prompt.spans[0]
    assert (span.text, span.section) == ("Old.", "system")
    inside = Replace(section="system", start=span.start, end=span.end, old="Old.", text="New.")
    assert splice(prompt, [inside]).text == prompt.text.replace("Old.", "New.")
    outside = Replace(section="system", start=0, end=5, old="Keep.", text="Drop.")
    for edit in (
        outside,
        SetSection(section="system", text="x"),
        InsertSection(after="system", id="n", title="N", text="t"),
        SetDemos(demos=(Demo(input={"x": "1"}, output="2"),)),
    ):
        with pytest.raises(EditError, match="may change"):
            splice(prompt, [edit])


def test_a_stale_edit_is_refused() -> None:
    with pytest.raises(EditError, match="does not stand there"):
        splice(
            Prompt.from_text(TICKET),
            [Replace(section="evidence", start=0, end=4, old="XXXX", text="y")],
        )


def test_overlapping_edits_are_refused_and_inserts_at_one_place_keep_their_order() -> None:
    prompt = Prompt.from_text("system:\nabcdef\nuser:\n{{x}}\n")
    one = Replace(section="system", start=0, end=3, old="abc", text="1")
    two = Replace(section="system", start=2, end=4, old="cd", text="2")
    with pytest.raises(EditError, match="same place"):
        splice(prompt, [one, two])
    first = Replace(section="system", start=6, end=6, old="", text="<1>")
    second = Replace(section="system", start=6, end=6, old="", text="<2>")
    assert "abcdef<1><2>\n" in splice(prompt, [first, second]).text


def test_inserted_sections_and_demos_use_the_line_end_of_the_file() -> None:
    prompt = Prompt.from_text(TICKET.replace("\n", "\r\n"))
    demo = Demo(input={"ticket": "t"}, output="a")
    edits = (
        InsertSection(after="evidence", id="rules", title="Rules", text="One.\nTwo."),
        SetDemos(demos=(demo,)),
    )
    changed = splice(prompt, edits)
    assert "\n" not in changed.text.replace("\r\n", "")
    assert [s.id for s in changed.sections] == ["system", "evidence", "rules", "safety", "user"]
    assert changed.demos == (demo,)


def test_demonstrations_can_be_replaced_permuted_and_removed() -> None:
    prompt = Prompt.from_text("system:\nS\nuser:\n{{x}}\n")
    demos = tuple(Demo(input={"x": str(n)}, output=f"o{n}", case_id=f"c{n}") for n in range(3))
    shown = splice(prompt, [SetDemos(demos=demos)])
    assert shown.demos == demos
    assert splice(shown, [PermuteDemos(order=(2, 0, 1))]).demos == (demos[2], demos[0], demos[1])
    assert splice(shown, [SetDemos(demos=demos[:1])]).demos == demos[:1]
    with pytest.raises(EditError, match="permutation"):
        splice(shown, [PermuteDemos(order=(0, 0, 1))])


@pytest.mark.parametrize("text", ["user:\n{{x}}\n", "Say {{x}}\n"])
def test_a_new_header_stands_above_demonstrations_that_come_first_too(text: str) -> None:
    demo = Demo(input={"x": "1"}, output="2")
    edits = [SetDemos(demos=(demo,)), SetParam(name="temperature", value=1.0)]
    for ordered in (edits, edits[::-1]):
        changed = splice(Prompt.from_text(text), ordered)
        assert (changed.demos, dict(changed.params)) == ((demo,), {"temperature": 1.0})


def test_a_parameter_is_set_without_touching_comments() -> None:
    prompt = Prompt.from_text("---\nname: x  # keep me\n---\nuser:\n{{x}}\n")
    changed = splice(prompt, [SetParam(name="temperature", value=0.5)])
    assert changed.params == {"temperature": 0.5}
    assert "# keep me" in changed.text
    assert splice(changed, [SetParam(name="temperature")]).params == {}
    bare = splice(Prompt.from_text("{{x}}"), [SetParam(name="temperature", value=0)])
    assert bare.params == {"temperature": 0}
    assert bare.render({"x": "1"})[0].text == "1"


def test_ids_are_equal_exactly_when_the_bytes_are() -> None:
    one = Program.single(Prompt.from_text("user:\ncafé {{x}}"))
    same = Program.single(Prompt.from_text("user:\ncafé {{x}}"))
    decomposed = Program.single(Prompt.from_text("user:\ncafe\u0301 {{x}}"))
    assert one.id == same.id
    assert one.id != decomposed.id


def test_steps_that_no_edit_names_stay_the_same() -> None:
    program = Program.single(Prompt.from_text(TICKET))
    changed = apply_edits(program, [SetSection(section="evidence", text="New.\n\n")])
    assert changed.id != program.id
    with pytest.raises(PromptError, match="no step 'other'"):
        apply_edits(program, [SetSection(step="other", section="evidence", text="x")])


@pytest.mark.parametrize(
    "title", ["a" + " " * 100_000 + "x", "{#" * 50_000, "a {#b" + " " * 100_000]
)
def test_a_heading_takes_no_longer_to_read_than_its_length(title: str) -> None:
    start = time.process_time()
    prompt = Prompt.from_text(f"user:\n# {title}\n{{{{x}}}}\n")
    assert prompt.render({"x": "1"})[0].text.endswith("\n1")
    assert time.process_time() - start < 5
