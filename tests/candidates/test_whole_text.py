"""Whole texts: read out of replies, and put in the place of a part."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.candidates.whole_text import read_text, rewritten, unwrapped
from promptyard.records.edits import Replace, splice
from promptyard.records.prompts import Program, Prompt
from promptyard.records.regions import regions
from support.stations import LABEL_PROMPT

N = "0a1b2c3d"


def new(text: str) -> str:
    return f"````new-{N}\n{text}\n````"


def tags(text: str) -> str:
    return f"<new-{N}>{text}</new-{N}>"


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (f"Labels are mixed up.\n\n{new('Be exact.')}", "Be exact."),
        (f"Draft:\n{new('Be brief.')}\nNo, better:\n{new('Be exact.')}\n", "Be exact."),
        (new("Be exact:\n```\ncode\n```"), "Be exact:\n```\ncode\n```"),
        (new("\n```markdown\nBe exact.\n```\n"), "Be exact."),
        (new('"Be exact."'), "Be exact."),
        (new('"Be" is "exact"'), '"Be" is "exact"'),
        (tags("Be exact."), "Be exact."),
        (f"<NEW-{N} part='x'>Be exact.", "Be exact."),
        (f"{tags('Be brief.')} or {tags('Be exact.')}", "Be exact."),
        ("So:\n````text\nBe exact:\n```\ncode\n```\n````\nGood.", "Be exact:\n```\ncode\n```"),
        ("Here it is:\n```\nBe exact.\n```", "Be exact."),
    ],
)
def test_a_text_is_read(reply: str, text: str) -> None:
    found = read_text(reply, N)
    assert found.text == text
    assert found.problem is None


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "Be exact.",
        new(""),
        new(" \n"),
        tags(f"outer {tags('inner')}"),
        "<new-99999999>Be exact.</new-99999999>",
        "```\nfirst\n```\nor\n```\nsecond\n```",
        f"````new-{N}\nnever closed",
    ],
)
def test_a_reply_is_never_taken_for_a_text(reply: str) -> None:
    found = read_text(reply, N)
    assert found.text == ""
    assert f"````new-{N}" in (found.problem or "")


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("Let me see.\n\nIt is\ntoo vague.", "It is too vague."),
        ("", ""),
        ("It is too vague.\n\nHere is the part:", ""),
    ],
)
def test_the_sentence_before_the_text_is_the_hypothesis(before: str, said: str) -> None:
    assert read_text(f"{before}\n{new('x')}", N).hypothesis == said


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_nothing_but_wrapping_is_taken_off(text: str) -> None:
    assert unwrapped(text) in text


def edit(text: str, source: str = LABEL_PROMPT, part: str = "labels") -> Replace | str:
    step = Program.single(Prompt.from_text(source)).steps[0]
    return rewritten(step, next(r for r in regions(step.prompt) if r.id == part), text)


def spliced(text: str, source: str = LABEL_PROMPT, part: str = "labels") -> str:
    found = edit(text, source, part)
    assert isinstance(found, Replace)
    return splice(Prompt.from_text(source), [found]).text


def test_p4_only_the_part_changes_to_the_byte() -> None:
    before, after = LABEL_PROMPT.split("- lost_card\n- top_up\n- top_up_failed")
    assert spliced("- a\n- b") == f"{before}- a\n- b{after}"


def test_p4_a_part_whose_text_occurs_twice_or_is_indented_changes_where_it_stands() -> None:
    rule = "  Be brief.\n\tAlways.\n\n"
    twice = f"system:\n## One\n{rule}## Two\n{rule}user:\n{{{{x}}}}\n"
    assert spliced("Be exact.", twice, "two") == twice[: twice.rindex("Be brief.")] + (
        "Be exact.\n\nuser:\n{{x}}\n"
    )


def test_line_ends_of_the_file_stay() -> None:
    source = LABEL_PROMPT.replace("\n", "\r\n")
    text = spliced("- a\n- b", source)
    assert "- a\r\n- b\r\n" in text
    assert "\n" not in text.replace("\r\n", "")


def test_a_rewrite_brings_in_no_section() -> None:
    text = "## Labels\n- a\n### Notes\n```\n# a comment\nuser:\n```"
    changed = Prompt.from_text(spliced(text))
    before = Prompt.from_text(LABEL_PROMPT)
    assert [section.id for section in changed.sections] == [s.id for s in before.sections]
    assert "- a\n**Notes**\n```\n# a comment\nuser:\n```" in changed.text


def test_of_a_whole_prompt_only_the_part_is_taken() -> None:
    whole = LABEL_PROMPT.replace("Sort the", "Rank the").replace("- top_up\n", "- top_up: in\n")
    text = spliced(whole)
    assert text == LABEL_PROMPT.replace("- top_up\n", "- top_up: in\n")
    assert isinstance(edit("system:\nSort.\n\nuser:\n{{text}}\n"), str)


def test_a_marked_span_is_rewritten_alone() -> None:
    source = LABEL_PROMPT.replace("- top_up\n", "<edit>- top_up</edit>\n")
    text = spliced("- top_up: money in", source, "edit-1")
    assert text == source.replace("- top_up<", "- top_up: money in<")


@pytest.mark.parametrize("text", ["", "- lost_card\n- top_up\n\n- top_up_failed", "## Labels"])
def test_what_changes_nothing_is_no_edit(text: str) -> None:
    assert isinstance(edit(text), str)
