"""The one parser of optimizer replies: tolerant of form, strict about what an edit is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.candidates.meta_prompt import Part, section_parts
from promptyard.candidates.reply import RawEdit, locate, parse_reply
from promptyard.records.edits import Replace, splice
from promptyard.records.prompts import Prompt
from support.stations import LABEL_PROMPT

N = "0a1b2c3d"


def edit(inner: str, attributes: str = 'part="labels"') -> str:
    return f"<edit-{N} {attributes}>{inner}</edit-{N}>"


def test_a_reply_is_read() -> None:
    reply = parse_reply(
        f"Sure!\n<hypothesis-{N}>Too\n vague.</hypothesis-{N}>\n"
        + edit(f"<old-{N}>- top_up</old-{N}><new-{N}>- top_up: money in</new-{N}>")
        + edit(f"<new-{N}>Be exact.</new-{N}>", 'part="system"'),
        N,
    )
    assert reply.problem is None
    assert reply.hypothesis == "Too vague."
    assert reply.edits == (
        RawEdit(part="labels", old="- top_up", new="- top_up: money in"),
        RawEdit(part="system", old=None, new="Be exact."),
    )


@pytest.mark.parametrize(
    "text",
    [
        "```xml\n" + edit(f"<new-{N}>Be exact.</new-{N}>") + "\n```",
        edit(f"<new-{N}>Be exact.</new-{N}>")
        .upper()
        .replace("BE EXACT.", "Be exact.")
        .replace("LABELS", "labels"),
        edit(f"<new-{N} lang='en'>Be exact.</new-{N}>", "why='x' part='labels'"),
        edit(f"<new-{N}>Be exact.</new-{N}>").removesuffix(f"</edit-{N}>"),
        edit(f"<new-{N}>Be exact.").removesuffix(f"</edit-{N}>"),
        edit(f"<new-{N}>draft</new-{N}><new-{N}>Be exact.</new-{N}>"),
    ],
    ids=["fence", "case", "attributes", "no end", "no ends", "draft first"],
)
def test_differences_of_form_are_tolerated(text: str) -> None:
    reply = parse_reply(text, N)
    assert reply.problem is None
    assert reply.edits == (RawEdit(part="labels", new="Be exact."),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no edit"),
        ("Here is the improved prompt: Sort better.", "no edit"),
        ('<edit-ffffffff part="labels"><new-ffffffff>x</new-ffffffff></edit-ffffffff>', "no edit"),
        (f'<edit-{N} part="a">' + edit(f"<new-{N}>x</new-{N}>") + f"</edit-{N}>", "nested"),
        (f'<edit-{N} part="a"><edit-{N} part="b">x', "not closed"),
    ],
)
def test_what_cannot_be_read_is_a_problem_and_never_a_prompt(text: str, problem: str) -> None:
    reply = parse_reply(text, N)
    assert reply.edits == ()
    assert problem in (reply.problem or "")


@given(st.text(max_size=200))
def test_any_text_is_parsed_without_an_error(text: str) -> None:
    reply = parse_reply(text, N)
    assert (reply.problem is None) == bool(reply.edits)


PROMPT = Prompt.from_text(LABEL_PROMPT)
PARTS = section_parts(PROMPT)


def placed(raw: RawEdit, prompt: Prompt = PROMPT) -> str:
    found = locate(raw, prompt, section_parts(prompt), "main")
    assert isinstance(found, Replace), found
    return splice(prompt, [found]).text


def test_an_edit_without_old_text_is_added_at_the_end_of_its_part() -> None:
    changed = placed(RawEdit(part="labels", new="- age_limit"))
    assert "- top_up_failed\n- age_limit\n\n## Safety" in changed


def test_a_line_that_is_the_beginning_of_another_is_found_as_a_line() -> None:
    changed = placed(RawEdit(part="labels", old="- top_up", new="- top_up: money in"))
    assert "- top_up: money in\n- top_up_failed\n" in changed


def test_a_part_can_be_rewritten_and_keeps_its_last_line_ends() -> None:
    changed = placed(RawEdit(part="labels", mode="rewrite", new="- a\n- b"))
    assert "{#labels}\n- a\n- b\n\n## Safety" in changed


def test_new_text_takes_the_line_ends_of_the_file() -> None:
    prompt = Prompt.from_text(LABEL_PROMPT.replace("\n", "\r\n"))
    changed = placed(RawEdit(part="labels", new="one\ntwo"), prompt)
    assert "one\r\ntwo\r\n" in changed
    assert "\n" not in changed.replace("\r\n", "")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (RawEdit(part="nowhere", new="x"), "no part 'nowhere'"),
        (RawEdit(part="safety", new="x"), "locked"),
        (RawEdit(part="labels", old="- missing", new="x"), "does not stand"),
        (RawEdit(part="labels", old="top", new="x"), "stands 2 times"),
        (RawEdit(part="labels", new="  \n"), "empty"),
    ],
)
def test_an_edit_that_has_no_place_says_why(raw: RawEdit, reason: str) -> None:
    found = locate(raw, PROMPT, PARTS, "main")
    assert isinstance(found, str)
    assert reason in found


def test_a_span_that_starts_inside_its_section_is_found_at_its_place() -> None:
    prompt = Prompt.from_text("system:\nKeep. <edit>Old one.</edit>\nuser:\n{{x}}\n")
    span = prompt.spans[0]
    part = Part(id=span.id, section=span.section, start=span.start, text=span.text)
    found = locate(RawEdit(part="edit-1", old="Old", new="New"), prompt, [part], "main")
    assert isinstance(found, Replace)
    assert splice(prompt, [found]).text == prompt.text.replace("Old", "New")
