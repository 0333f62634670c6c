"""The one parser of optimizer replies: tolerant of form, strict about what an edit is."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.candidates.reply import RawEdit, locate, parse_edits, tagged
from promptyard.records.base import Json, as_list, as_object
from promptyard.records.edits import Replace, splice
from promptyard.records.prompts import Prompt
from promptyard.records.regions import region_of, regions
from promptyard.records.sentences import folded, pieces_of, sentences
from support.prompt_texts import a_region, prompts, sentence
from support.replies import edits_reply
from support.stations import LABEL_PROMPT

N = "0a1b2c3d"
REPLY = edits_reply("Be exact.", section="labels")


def test_a_reply_is_read() -> None:
    reply = parse_edits(
        json.dumps(
            {
                "hypothesis": "Too\n vague.",
                "edits": [
                    {
                        "op": "replace",
                        "section": "labels",
                        "old": "- top_up",
                        "new": "- top_up: in",
                    },
                    {"op": "append", "section": "system", "old": "", "new": "Be exact."},
                ],
            }
        )
    )
    assert reply.problem is None
    assert reply.hypothesis == "Too vague."
    assert reply.edits == (
        RawEdit(op="replace", section="labels", old="- top_up", new="- top_up: in"),
        RawEdit(op="append", section="system", new="Be exact."),
    )


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{REPLY}\n```",
        f"Here it is:\n{REPLY}\nI hope it helps.",
        f'{{"thought": "hm"}} {REPLY}',
        REPLY.replace('"op"', '"confidence": 0.9, "op"'),
    ],
    ids=["fence", "prose", "another object first", "extra keys"],
)
def test_differences_of_form_are_tolerated(text: str) -> None:
    reply = parse_edits(text)
    assert reply.problem is None
    assert reply.edits == (RawEdit(op="append", section="labels", new="Be exact."),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no JSON object"),
        ("Here is the improved prompt: Sort better.", "no JSON object"),
        (REPLY[:-8], "no JSON object"),
        ('{"edits": "Be exact."}', "no list"),
        ('{"prompt": "Sort better."}', "no JSON object"),
    ],
)
def test_what_cannot_be_read_is_a_problem_and_never_a_prompt(text: str, problem: str) -> None:
    reply = parse_edits(text)
    assert reply.edits == ()
    assert problem in (reply.problem or "")


def test_no_edits_are_an_answer_and_no_problem() -> None:
    reply = parse_edits('{"hypothesis": "All is well.", "edits": []}')
    assert reply.problem is None
    assert reply.edits == ()


@given(st.text(max_size=200))
def test_any_text_is_parsed_without_an_error(text: str) -> None:
    assert parse_edits(text).edits == ()


@given(st.recursive(st.none() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)))
def test_of_any_json_only_objects_with_a_text_become_edits(value: Json) -> None:
    reply = parse_edits(json.dumps({"edits": value}))
    rows = as_list(value)
    written = [row for row in rows or () if {"old", "new"} & (as_object(row) or {}).keys()]
    assert len(reply.edits) <= len(written)
    assert all(edit.old or edit.new for edit in reply.edits)
    assert (reply.problem is None) == (rows is not None)


PROMPT = Prompt.from_text(LABEL_PROMPT)


def found(raw: RawEdit, prompt: Prompt = PROMPT) -> Replace | str:
    return locate(raw, prompt, "main", region_of(prompt, "labels"))


def placed(raw: RawEdit, prompt: Prompt = PROMPT) -> str:
    edit = found(raw, prompt)
    assert isinstance(edit, Replace), edit
    return splice(prompt, [edit]).text


def test_an_append_is_added_at_the_end_of_its_section() -> None:
    changed = placed(RawEdit(op="append", section="labels", new="- age_limit"))
    assert "- top_up_failed\n- age_limit\n\n## Safety" in changed


def test_a_line_that_is_the_beginning_of_another_is_found_as_a_line() -> None:
    raw = RawEdit(op="replace", section="labels", old="- top_up", new="- top_up: money in")
    assert "- top_up: money in\n- top_up_failed\n" in placed(raw)


def test_a_sentence_is_put_behind_another() -> None:
    raw = RawEdit(op="insert_after", section="system", old="Sort the message.", new="Be exact.")
    assert "system:\nSort the message. Be exact.\n" in placed(raw)


def test_a_deleted_line_leaves_no_gap() -> None:
    changed = placed(RawEdit(op="delete", section="labels", old="- top_up"))
    assert "- lost_card\n- top_up_failed\n" in changed


def test_the_old_text_is_found_in_another_section_and_but_for_case_and_space() -> None:
    raw = RawEdit(op="replace", section="labels", old="sort  the message", new="Sort it.")
    assert "system:\nSort it.\n" in placed(raw)


def test_new_text_whose_place_is_gone_is_appended_and_not_lost() -> None:
    raw = RawEdit(op="replace", section="nowhere", old="No such line.", new="Be exact.")
    assert "- top_up_failed\n- Be exact.\n" in placed(raw)


def test_new_text_takes_the_line_ends_of_the_file() -> None:
    prompt = Prompt.from_text(LABEL_PROMPT.replace("\n", "\r\n"))
    changed = placed(RawEdit(op="append", section="labels", new="one\ntwo"), prompt)
    assert "one\r\ntwo\r\n" in changed
    assert "\n" not in changed.replace("\r\n", "")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (RawEdit(op="append", section="safety", new="x"), "locked"),
        (RawEdit(op="delete", section="labels", old="No such line."), "does not stand"),
    ],
)
def test_an_edit_that_has_no_place_says_why(raw: RawEdit, reason: str) -> None:
    edit = found(raw)
    assert isinstance(edit, str)
    assert reason in edit


def test_a_locked_sentence_is_not_found() -> None:
    raw = RawEdit(op="replace", section="labels", old="Never reveal notes.", new="Reveal notes.")
    assert "Never reveal notes." in placed(raw)


def test_marked_spans_are_the_only_places() -> None:
    prompt = Prompt.from_text("system:\nKeep. <edit>Old one.</edit>\nuser:\n{{x}}\n")
    raw = RawEdit(op="replace", section="edit-1", old="Old one.", new="New one.")
    assert placed(raw, prompt) == prompt.text.replace("Old", "New")
    changed = placed(RawEdit(op="append", section="system", new="More."), prompt)
    assert "<edit>Old one.\nMore.</edit>" in changed


@pytest.mark.parametrize(
    "text",
    [
        f"<prompt-{N}>new</prompt-{N}>",
        f"Sure:\n<PROMPT-{N} why='x'>new</PROMPT-{N} >\nDone.",
        f"```\n<prompt-{N}>new</prompt-{N}>\n```",
        f"<prompt-{N}>new",
    ],
)
def test_texts_stand_in_tags_with_the_nonce(text: str) -> None:
    assert tagged(text, "prompt", N) == ("new",)
    assert tagged(text, "prompt", "ffffffff") == ()


@given(st.data())
def test_an_edit_is_placed_where_its_sentence_stands_and_nowhere_else(data: st.DataObject) -> None:
    """Whole prompts as people write them: what changes is the sentence and the space beside it."""
    prompt = data.draw(prompts(spans=data.draw(st.booleans())))
    region = data.draw(a_region(prompt))
    said = [piece.text for piece in pieces_of(region.text) if not piece.text.startswith("```")]
    op = data.draw(st.sampled_from(("append", "insert_after", "replace", "delete")))
    old = data.draw(st.sampled_from(said)) if said and op != "append" else ""
    new = "" if op == "delete" else data.draw(sentence(1000))
    twisted = data.draw(st.sampled_from((old, old.upper(), f"  {old}\n", old.replace(" ", "  "))))
    edit = found(RawEdit(op=op, section=region.id, old=twisted, new=new), prompt)
    if op == "delete" and not old:
        assert isinstance(edit, str)
        return
    assert isinstance(edit, Replace), edit
    after = splice(prompt, [edit])
    assert {part.id for part in after.sections} == {part.id for part in prompt.sections}
    cut = {folded(text) for text in sentences(edit.old)}
    assert cut == ({folded(old)} if op in ("replace", "delete") and old else set())
    before_counts, after_counts = counted(prompt), counted(after)
    wanted = before_counts.copy()
    if op in ("replace", "delete") and old:
        wanted[folded(old)] -= 1
    if new:
        wanted[folded(new)] += 1
    assert after_counts == +wanted


def counted(prompt: Prompt) -> Counter[str]:
    said = [piece.text for item in regions(prompt) for piece in pieces_of(item.text)]
    return Counter(map(folded, said))


@given(st.data())
def test_whatever_is_asked_for_bytes_outside_the_edit_and_locked_sections_stay(
    data: st.DataObject,
) -> None:
    prompt = data.draw(prompts(spans=data.draw(st.booleans())))
    names = [part.id for part in prompt.sections] + ["", "nowhere", "edit-1"]
    anywhere = prompt.text[data.draw(st.integers(0, len(prompt.text))) :][:40]
    raw = RawEdit(
        op=data.draw(st.sampled_from(("append", "insert_after", "replace", "delete", "", "move"))),
        section=data.draw(st.sampled_from(names)),
        old=data.draw(st.sampled_from(("", anywhere, anywhere.strip(), "No such line."))),
        new=data.draw(st.sampled_from(("", "New.", "one\ntwo", "\n\n", "x"))),
    )
    edit = found(raw, prompt)
    if isinstance(edit, str):
        assert edit
        return
    section = next(part for part in prompt.sections if part.id == edit.section)
    assert not section.locked
    assert section.text[edit.start : edit.end] == edit.old
    after = splice(prompt, [edit])
    body = prompt.layout.section(edit.section)
    assert body is not None
    start, end = body.body + edit.start, body.body + edit.end
    assert after.text == prompt.text[:start] + edit.text + prompt.text[end:]
    locked = {part.id: part.text for part in prompt.sections if part.locked}
    assert {part.id: part.text for part in after.sections if part.locked} == locked


FENCED = "system:\n## Rules\nRead this.\n```\n- Rule 1.\n```\n\n## Safety\nStay.\n"


@pytest.mark.parametrize("old", ["``\n- Rule 1.", "Read this.\n```", "- Rule 1.\n``"])
@pytest.mark.parametrize("op", ["replace", "delete"])
def test_an_edit_that_would_leave_half_a_code_block_has_no_place(op: str, old: str) -> None:
    new = "" if op == "delete" else "New."
    edit = found(RawEdit(op=op, section="rules", old=old, new=new), Prompt.from_text(FENCED))
    assert edit == "the edit takes or brings half of a code block"


def test_new_text_with_half_a_code_block_has_no_place() -> None:
    raw = RawEdit(op="append", section="rules", new="```\nBe exact.")
    assert "half of a code block" in str(found(raw, Prompt.from_text(FENCED)))


@pytest.mark.parametrize(
    ("body", "raw", "after"),
    [
        (
            "## Rules",
            RawEdit(op="append", section="rules", new="Be exact."),
            "## Rules\nBe exact.",
        ),
        (
            "## Rules\n## More\nA.",
            RawEdit(op="append", section="rules", new="Be exact."),
            "## Rules\nBe exact.\n## More\nA.",
        ),
        (
            "- top_up_failed\n- other\n",
            RawEdit(op="delete", section="system", old="top_up"),
            None,
        ),
        (
            "Keep ids, never guess them.\n",
            RawEdit(op="replace", section="system", old="never guess them", new="ask"),
            "Keep ids, ask.\n",
        ),
    ],
    ids=["a heading ends the file", "an empty section", "within a word", "within a sentence"],
)
def test_hard_places(body: str, raw: RawEdit, after: str | None) -> None:
    prompt = Prompt.from_text(f"system:\n{body}")
    edit = found(raw, prompt)
    if after is None:
        assert isinstance(edit, str)
    else:
        assert isinstance(edit, Replace)
        assert splice(prompt, [edit]).text == f"system:\n{after}"
